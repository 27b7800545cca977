"""What a change of an SPF record means."""

from dataclasses import replace

from monitor.check.drift import difference
from monitor.model import Classification, Drift
from monitor.protocol import spf
from monitor.protocol.spf import Mechanism, Qualifier, SpfError, SpfRecord

_SEVERAL = "several records: "
# RFC 7208 §8: how little a receiver makes of mail from everyone else.
_STRENGTH = {Qualifier.PASS: 0, Qualifier.NEUTRAL: 1, Qualifier.SOFTFAIL: 2, Qualifier.FAIL: 3}


def watched(texts: tuple[str, ...]) -> str:
    """The state of the record that is watched: its text, white space squeezed; "" where there is none."""
    squeezed = sorted(" ".join(text.split()) for text in texts)
    return _SEVERAL + " | ".join(squeezed) if len(squeezed) > 1 else "".join(squeezed)


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning; order among mechanisms that let pass means nothing."""
    if accepted == seen:
        return None
    before, after = _read(accepted), _read(seen)
    if after is None:
        return _unusable(seen, usable_before=before is not None)
    if before is None:
        return _usable_again(after, was_there=bool(accepted))
    return _between(before, after)


def _read(state: str) -> SpfRecord | None:
    try:
        return spf.parse(state)
    except SpfError:
        return None


def _unusable(seen: str, *, usable_before: bool) -> Drift:
    if not seen:
        return Drift(
            Classification.VANISHED, "the record is gone: no sender of the domain passes SPF"
        )
    if seen.startswith(_SEVERAL):
        reason = "there are several records now: receivers answer permerror"
    else:
        reason = "receivers answer permerror to the record as it is now"
    return Drift(Classification.BROKEN if usable_before else Classification.CHANGED, reason)


def _usable_again(after: SpfRecord, *, was_there: bool) -> Drift:
    refuses = _strength(after) >= _STRENGTH[Qualifier.SOFTFAIL]
    return Drift(
        Classification.STRENGTHENED if refuses else Classification.CHANGED,
        "the record can be used again" if was_there else "there was no record, now there is one",
    )


def _between(before: SpfRecord, after: SpfRecord) -> Drift | None:
    if before.redirect is None and after.redirect is None:
        step = _strength(after) - _strength(before)
        if step:
            what = f"`{_all(before)}` → `{_all(after)}` for everyone who is not in the record"
            return Drift(Classification.WEAKENED if step < 0 else Classification.STRENGTHENED, what)
    if _meaning(before) == _meaning(after):
        return None
    return Drift(Classification.CHANGED, _difference(before, after))


def _strength(record: SpfRecord) -> int:
    return _STRENGTH[record.all_qualifier or Qualifier.NEUTRAL]


def _all(record: SpfRecord) -> str:
    return f"{record.all_qualifier}all" if record.all_qualifier is not None else "no all"


def _meaning(record: SpfRecord) -> object:
    # The first match decides (RFC 7208 §4.6.2), so order matters only between different results.
    terms = [_folded(mechanism) for mechanism in record.reachable]
    ordered = len({mechanism.qualifier for mechanism in terms[:-1]}) > 1
    redirect = record.redirect.lower() if record.redirect else None
    return (tuple(terms) if ordered else frozenset(terms)), redirect, record.explanation


def _folded(mechanism: Mechanism) -> Mechanism:
    return replace(mechanism, domain=mechanism.domain.lower().rstrip("."), offset=0)


def _difference(before: SpfRecord, after: SpfRecord) -> str:
    then, now = set(map(_term, before.reachable)), set(map(_term, after.reachable))
    parts = [difference(then, now)]
    if before.redirect != after.redirect:
        parts.append(f"redirect {before.redirect or 'none'} → {after.redirect or 'none'}")
    return (
        "; ".join(filter(None, parts))
        or "its terms stand in another order or explain themselves differently"
    )


def _term(mechanism: Mechanism) -> str:
    argument = str(mechanism.network or mechanism.domain)
    return f"{mechanism.qualifier}{mechanism.name}{argument and ':' + argument}".removeprefix("+")
