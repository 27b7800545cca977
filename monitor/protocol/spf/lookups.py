"""How many DNS lookups a record costs, with all that it includes (RFC 7208 §4.6.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.protocol.problem import Problem
from monitor.protocol.spf.macros import has_macro
from monitor.protocol.spf.record import MechanismName, SpfError, SpfRecord, is_spf, parse

MAX_LOOKUPS = 10  # RFC 7208 §4.6.4
# Where counting ends: what is over the limit is wrong however much it is, and a hostile tree
# doubles with each level.
_COUNTED_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Cost:
    """What one term costs: itself and, where it reaches another record, that record's terms (``below``)."""

    term: str
    lookups: int
    below: tuple["Cost", ...] = ()


@dataclass(frozen=True, slots=True)
class LookupCount:
    """What the tree below a record costs at worst: when no mechanism matches before its end.

    Attributes:
        lookups: terms that cost a lookup, each time they are reached; counting ends at 50.
        costs: the same as a tree: who uses how many.
        included: domains whose records are reached by ``include`` and ``redirect``, once each.
        missing: of these, the ones whose TXT records must be asked for; ask, add them and count
            again until it is empty.
        unanswered: of these, the ones that no answer was to be had for: the count is a lower bound.
        by_message: includes whose name holds a macro: what they cost depends on the message.
        problems: what makes receivers answer ``permerror``: codes ``loop``, ``no_record``,
            ``several_records``, and those of `SpfError`.
    """

    lookups: int
    costs: tuple[Cost, ...] = ()
    included: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    by_message: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def too_many(self) -> bool:
        """More than the ten that receivers do; then they answer ``permerror``."""
        return self.lookups > MAX_LOOKUPS


@dataclass(slots=True)
class _Tally:
    """What one count gathers; the dictionaries keep the order and each entry once."""

    texts: Mapping[str, Sequence[str] | None]
    lookups: int = 0
    included: dict[str, None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    unanswered: dict[str, None] = field(default_factory=dict)
    by_message: dict[str, None] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        return self.lookups >= _COUNTED_AT_MOST


def count_lookups(
    domain: str, record: SpfRecord, texts: Mapping[str, Sequence[str] | None]
) -> LookupCount:
    """Count what ``record`` of ``domain`` costs, with what is known of the domains it includes.

    ``texts`` has the TXT texts of included domains by lower case name: empty where there are none,
    None where no answer was to be had. Never raises.
    """
    tally = _Tally(texts)
    costs = _count(record, (_folded(domain),), tally)
    return LookupCount(
        lookups=tally.lookups,
        costs=costs,
        included=tuple(tally.included),
        missing=tuple(tally.missing),
        unanswered=tuple(tally.unanswered),
        by_message=tuple(tally.by_message),
        problems=tuple(tally.problems),
    )


def _folded(domain: str) -> str:
    return domain.lower().rstrip(".")


def _count(record: SpfRecord, path: tuple[str, ...], tally: _Tally) -> tuple[Cost, ...]:
    """Count a record's terms; ``path`` are the domains that led here, the last is its own."""
    costs = []
    for mechanism in record.reachable:
        if mechanism.looks_up and not tally.full:
            target = mechanism.domain if mechanism.name is MechanismName.INCLUDE else None
            term = f"{mechanism.name}{mechanism.domain and ':' + mechanism.domain}"
            costs.append(_cost(term, target, path, tally))
    if record.redirect is not None and not tally.full:
        costs.append(_cost(f"redirect={record.redirect}", record.redirect, path, tally))
    return tuple(costs)


def _cost(term: str, target: str | None, path: tuple[str, ...], tally: _Tally) -> Cost:
    """Count one term; ``target`` is the domain whose record it reaches, None where it reaches none."""
    before = tally.lookups
    tally.lookups += 1
    below = _follow(target, path, tally) if target is not None else ()
    return Cost(term, tally.lookups - before, below)


def _follow(target: str, path: tuple[str, ...], tally: _Tally) -> tuple[Cost, ...]:
    if has_macro(target):
        tally.by_message[target] = None
        return ()
    domain = _folded(target)
    if domain in path:
        chain = " → ".join((*path[path.index(domain) :], domain))
        tally.problems[Problem("loop", f"the record includes itself: {chain}")] = None
        return ()
    tally.included[domain] = None
    if domain not in tally.texts:
        tally.missing[domain] = None
        return ()
    texts = tally.texts[domain]
    if texts is None:
        tally.unanswered[domain] = None
        return ()
    record = _only_record(domain, texts, tally)
    return _count(record, (*path, domain), tally) if record is not None else ()


def _only_record(domain: str, texts: Sequence[str], tally: _Tally) -> SpfRecord | None:
    """RFC 7208 §4.5 and §5.2: none or several, or a wrong one, make a ``permerror`` of the whole."""
    records = [text for text in texts if is_spf(text)]
    if not records:
        tally.problems[Problem("no_record", f"`{domain}` is included and has no SPF record")] = None
        return None
    if len(records) > 1:
        message = f"`{domain}` is included and has {len(records)} SPF records"
        tally.problems[Problem("several_records", message)] = None
        return None
    try:
        return parse(records[0])
    except SpfError as error:
        tally.problems[Problem(error.code, f"`{domain}`: {error.message}", error.offset)] = None
        return None
