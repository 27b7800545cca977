"""The catalogue: what each zone lists and what its answers mean. Data, in `zones.yaml` and `dead.yaml`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from ipaddress import ip_address

from checks.blocklist.entries import KEY, DeadEntry, DeadFile, ZoneEntry, ZonesFile
from checks.blocklist.reading import read
from monitor.check import worst_severity
from monitor.model import Severity
from monitor.protocol.dnsbl import PROOF_ENTRIES, Kind, ProofEntries, Scope, ZoneCodes
from monitor.protocol.problem import did_you_mean

_UNIMPORTANT = 0.1
"""The weight of a zone that never pages, where one that does weighs 1."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as it is asked.

    Attributes:
        name: what is shown; `origin` is what is asked and may hold `key`, a secret.
        proofs: the entries of each kind by which it proves itself; `listed` is None where it has none.
        severity: the gravest that it can say; INFO where nothing that it says is a finding.
        queries_a_day, queries_a_second: what free use allows; None where no number is known.
        terms: who may use it free of charge; used_by: which receivers care. Sentences, "" where unknown.
        scope: what one listing is about, where no code says otherwise (`Meaning.scope`).
        contains: zones whose listings it repeats, those within them too.
        needs_key: the name of the key that it is asked with; keyed_variant: that of its keyed twin.
        registration: where the resolver's address must be registered; "" where that is not asked for.
        public_resolvers: `refused`, `answered` or `unknown`.
        refused_rcodes: response codes of the DNS by which it is known to refuse.
    """

    name: str
    origin: str = field(repr=False)
    kinds: tuple[Kind, ...]
    codes: ZoneCodes
    proofs: Mapping[Kind, ProofEntries | None]
    severity: Severity
    queries_a_day: int | None = None
    queries_a_second: float | None = None
    operator: str = ""
    terms: str = ""
    used_by: str = ""
    scope: Scope | None = None
    contains: tuple[str, ...] = ()
    delist: str = ""
    needs_key: str = ""
    keyed_variant: str = ""
    registration: str = ""
    public_resolvers: str = "unknown"
    needs_attributable_resolver: bool = False
    refused_rcodes: tuple[str, ...] = ()
    key: str = field(default="", repr=False)

    @property
    def weight(self) -> float:
        """How much it matters for the status: enough of the zones that page must be known."""
        return 1.0 if self.severity is Severity.CRITICAL else _UNIMPORTANT

    def redacted(self, text: str) -> str:
        """The text without the zone's key."""
        return text.replace(self.key, "…") if self.key else text


@cache
def built_in() -> Mapping[str, ZoneEntry]:
    """The zones that come with the check, by name.

    Raises:
        CatalogueError: `zones.yaml` is broken; names the line.
    """
    entries = read(files(__package__).joinpath("zones.yaml"), ZonesFile).zones
    return {entry.name: entry for entry in entries}


@cache
def dead() -> Sequence[DeadEntry]:
    """The zones that are no more.

    Raises:
        CatalogueError: `dead.yaml` is broken; names the line.
    """
    return read(files(__package__).joinpath("dead.yaml"), DeadFile).zones


def obituary(name: str) -> str:
    """Since when a zone is dead and what it does now, in a sentence; "" of one that lives or is not known."""
    entry = next((entry for entry in dead() if entry.names(name)), None)
    if entry is None:
        return ""
    return f"zone `{name}` has been dead since {entry.since}: it {entry.does}; leave it out"


def merged(additions: Sequence[ZoneEntry]) -> dict[str, ZoneEntry]:
    """The catalogue with the configuration's entries: one of the same name takes the other's place."""
    return {**built_in(), **{entry.name: entry for entry in additions}}


def chosen(
    catalogue: Mapping[str, ZoneEntry], names: Sequence[str] | None, keys: Mapping[str, str]
) -> tuple[Zone, ...]:
    """The zones to ask: those named, with which there is no `problem`, else the default ones that can be asked.

    A zone that another one of them contains is left out, so that its listings count once.
    """
    if names is None:
        entries = [e for e in catalogue.values() if e.default and (not e.key or e.key in keys)]
    else:
        entries = [catalogue[name] for name in names]
    repeated = {name for entry in entries for name in _contained(entry, catalogue)}
    return tuple(_zone(e, catalogue, keys) for e in entries if e.name not in repeated)


def problem(name: str, catalogue: Mapping[str, ZoneEntry], keys: Collection[str]) -> str:
    """Why a zone cannot be asked: no entry, or no key for it among the names `keys`; "" where it can."""
    entry = catalogue.get(name)
    if entry is None:
        return f"zone `{name[:80]}` is not in the catalogue{did_you_mean(name, catalogue)}"
    if entry.key and entry.key not in keys:
        return f"zone `{name}` is asked with a key: set keys.{entry.key}"
    return ""


def _contained(entry: ZoneEntry, catalogue: Mapping[str, ZoneEntry]) -> set[str]:
    """The zones that say nothing besides this one: what it contains, and the zone whose place it takes."""
    found: set[str] = set()
    left = [entry]
    while left:
        inner = left.pop()
        names = {*inner.contains, *filter(None, [inner.instead_of])} - found - {entry.name}
        found |= names
        left += [catalogue[name] for name in names if name in catalogue]
    return found


def _zone(entry: ZoneEntry, catalogue: Mapping[str, ZoneEntry], keys: Mapping[str, str]) -> Zone:
    key = keys.get(entry.key, "")
    codes = _codes(entry)
    said = (*codes.meanings.values(), *codes.bits.values())
    severities = [meaning.severity for meaning in said if meaning.severity]
    variants = (e for e in catalogue.values() if e.instead_of == entry.name)
    return Zone(
        name=entry.name,
        origin=entry.zone.replace(KEY, f"{key}."),
        kinds=entry.kinds,
        codes=codes,
        proofs={kind: _proof(entry, kind) for kind in entry.kinds},
        severity=worst_severity(severities) or Severity.INFO,
        queries_a_day=entry.queries_a_day,
        queries_a_second=entry.queries_a_second,
        operator=entry.operator,
        terms=entry.terms,
        used_by=entry.used_by,
        scope=entry.scope,
        contains=tuple(sorted(_contained(entry, catalogue))),
        delist=entry.delist,
        needs_key=entry.key,
        keyed_variant=next((e.key for e in variants), ""),
        registration=entry.registration,
        public_resolvers=entry.public_resolvers,
        needs_attributable_resolver=entry.needs_attributable_resolver,
        refused_rcodes=entry.refused_rcodes,
        key=key,
    )


def _codes(entry: ZoneEntry) -> ZoneCodes:
    return ZoneCodes(
        meanings={code: said.meant(entry.scope) for code, said in entry.codes.items()},
        bits={int(bit): said.meant(entry.scope) for bit, said in entry.bits.items()},
        refused=entry.refused,
        refused_bits=entry.refused_bits,
        not_listed=entry.not_listed,
    )


def _proof(entry: ZoneEntry, kind: Kind) -> ProofEntries | None:
    if kind not in entry.test:
        return PROOF_ENTRIES[kind]
    own = entry.test[kind]
    if own is None:
        return None
    if kind is Kind.DOMAIN:
        return ProofEntries(own.listed, own.clean)
    return ProofEntries(ip_address(own.listed), ip_address(own.clean))


# Read at import: a broken file is a broken check, which the command line names, with file and line.
built_in()
dead()
