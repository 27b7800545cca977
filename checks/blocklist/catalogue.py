"""The catalogue: what each zone lists and what its answers mean. Data, in `zones.yaml`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, ip_address
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter

from monitor.check import Settings, worst_severity
from monitor.model import Severity
from monitor.protocol.dnsbl import PROOF_ENTRIES, Kind, Meaning, ProofEntries, ZoneCodes

_KEY = "{key}."
_SEVERITIES = {
    "page": Severity.CRITICAL,
    "ticket": Severity.WARNING,
    "info": Severity.INFO,
}
_UNIMPORTANT = 0.1
"""The weight of a zone that never pages, where one that does weighs 1."""

Code = Annotated[IPv4Network, Field(description="one answer, or a network of them")]
Bit = Annotated[Literal[1, 2, 4, 8, 16, 32, 64, 128], Field(description="a bit of the last octet")]


class MeaningEntry(Settings):
    """What an answer means, and how much that matters."""

    meaning: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}$")]
    """In a word or two, as the label `meaning` shows it."""
    severity: Literal["page", "ticket", "info"]
    """What a listing with it is: a page, a ticket, or no more than information."""

    def meant(self) -> Meaning:
        """In the words of the protocol."""
        return Meaning(self.meaning, _SEVERITIES[self.severity])


class ProofEntry(Settings):
    """An entry that a living zone lists, and one that it does not list."""

    listed: str
    """The entry that a living zone lists (RFC 5782 §5)."""
    clean: str
    """The entry that it does not list."""


class ZoneEntry(Settings):
    """One zone of the catalogue; `zones.yaml` says what each key means."""

    zone: Annotated[str, Field(pattern=r"^(\{key\}\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9-]{1,63}$")]
    """The name under which it is asked; `{key}.` in front where it wants a key."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    """What it lists."""
    default: bool = False
    """Whether it is asked unless `zones` says otherwise."""
    codes: dict[Code, MeaningEntry] = Field(default_factory=dict)
    """What its answers mean, by address or network of addresses."""
    bits: dict[Bit, MeaningEntry] = Field(default_factory=dict)
    """What the bits of the last octet mean, for zones that answer with a sum."""
    other: MeaningEntry | None = None
    """What an answer means that no code names; without it such an answer is nonsense."""
    refused: tuple[Code, ...] = ()
    """Answers that refuse us, besides 127.255.255.0/24."""
    refused_bits: Annotated[int, Field(ge=0, le=255)] = 0
    """Bits of the last octet that refuse us, as a sum."""
    not_listed: tuple[Code, ...] = ()
    """Answers that are no listing (a white or neutral entry)."""
    test: dict[Kind, ProofEntry | None] = Field(default_factory=dict)
    """Its test entries where they are not those of RFC 5782, by kind; null where it has none."""
    key: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""
    """The name of the key that it wants, under `keys`."""
    instead_of: str = ""
    """The public zone whose place it takes once there is a key."""
    queries_a_day: Annotated[int, Field(ge=1)] | None = None
    """How often it may be asked in a day."""
    delist: str = ""
    """Where a listing is looked up and removed."""
    sources: tuple[str, ...] = ()
    """Where these facts come from."""
    differs: str = ""
    """Why other programs read its answers otherwise."""
    notes: str = ""
    """What else to know."""

    @property
    def name(self) -> str:
        """The zone's name without its key: what is shown, configured and counted."""
        return self.zone.removeprefix(_KEY)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as it is asked.

    Attributes:
        name: what is shown; `origin` is what is asked and may hold `key`, a secret.
        proofs: the entries of each kind by which it proves itself; `listed` is None where it has none.
        severity: the gravest that it can say.
    """

    name: str
    origin: str = field(repr=False)
    kinds: tuple[Kind, ...]
    codes: ZoneCodes
    proofs: Mapping[Kind, ProofEntries | None]
    severity: Severity
    queries_a_day: int | None = None
    delist: str = ""
    needs_key: str = ""
    keyed_variant: str = ""
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
    """The catalogue that comes with the check, by name."""
    document = yaml.safe_load(files(__package__).joinpath("zones.yaml").read_text("utf-8"))
    entries = TypeAdapter(tuple[ZoneEntry, ...]).validate_python(document["zones"])
    return {entry.name: entry for entry in entries}


def merged(additions: Sequence[ZoneEntry]) -> dict[str, ZoneEntry]:
    """The catalogue with the configuration's entries: one of the same name takes the other's place."""
    return {**built_in(), **{entry.name: entry for entry in additions}}


def chosen(
    catalogue: Mapping[str, ZoneEntry], names: Sequence[str] | None, keys: Mapping[str, str]
) -> tuple[Zone, ...]:
    """The zones to ask: those named, else the default ones and those whose key is there.

    Raises:
        ValueError: a name is not in the catalogue, or a named zone's key is missing.
    """
    if names is None:
        return tuple(_zone(entry, catalogue, keys) for entry in _defaults(catalogue, keys))
    problems = [problem for name in names if (problem := _problem(name, catalogue, keys))]
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(_zone(catalogue[name], catalogue, keys) for name in dict.fromkeys(names))


def _defaults(catalogue: Mapping[str, ZoneEntry], keys: Mapping[str, str]) -> tuple[ZoneEntry, ...]:
    keyed = [entry for entry in catalogue.values() if entry.key in keys]
    replaced = {entry.instead_of for entry in keyed}
    usual = [e for e in catalogue.values() if e.default and not e.key and e.name not in replaced]
    return (*usual, *keyed)


def _problem(name: str, catalogue: Mapping[str, ZoneEntry], keys: Mapping[str, str]) -> str:
    entry = catalogue.get(name)
    if entry is None:
        near = get_close_matches(name, catalogue, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        return f"zone `{name[:80]}` is not in the catalogue{hint}"
    if entry.key and entry.key not in keys:
        return f"zone `{name}` is asked with a key: set keys.{entry.key}"
    return ""


def _zone(entry: ZoneEntry, catalogue: Mapping[str, ZoneEntry], keys: Mapping[str, str]) -> Zone:
    key = keys.get(entry.key, "")
    meanings = {network: code.meant() for network, code in entry.codes.items()}
    bits = {int(bit): code.meant() for bit, code in entry.bits.items()}
    other = entry.other.meant() if entry.other else None
    said = [*meanings.values(), *bits.values(), *filter(None, [other])]
    variants = (e for e in catalogue.values() if e.instead_of == entry.name)
    return Zone(
        name=entry.name,
        origin=entry.zone.replace(_KEY, f"{key}."),
        kinds=entry.kinds,
        codes=ZoneCodes(meanings, bits, entry.refused, entry.refused_bits, entry.not_listed, other),
        proofs={kind: _proof(entry, kind) for kind in entry.kinds},
        severity=worst_severity([meaning.severity for meaning in said]) or Severity.INFO,
        queries_a_day=entry.queries_a_day,
        delist=entry.delist,
        needs_key=entry.key,
        keyed_variant=next((e.key for e in variants), ""),
        key=key,
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
