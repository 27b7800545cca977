"""What the catalogue's files, and the configuration, may say of a zone; `zones.yaml` says what each key means."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, ip_address
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from monitor.check import Settings
from monitor.model import Severity
from monitor.protocol.dnsbl import LOOPBACK, REFUSALS, Kind, Meaning, Scope

KEY = "{key}."
"""What stands for the key in the name under which a keyed zone is asked."""

Rank = Literal["page", "ticket", "info", "never"]
"""How grave a listing is; `never` is no finding."""

SEVERITIES: Mapping[Rank, Severity | None] = {
    "page": Severity.CRITICAL,
    "ticket": Severity.WARNING,
    "info": Severity.INFO,
    "never": None,
}
RANKS: Sequence[Rank] = tuple(SEVERITIES)
"""The gravest first."""

_LOOPBACK_8 = IPv4Network("127.0.0.0/8")  # RFC 5782 §2.1
_SUMS = IPv4Network("127.0.0.0/24")

Code = Annotated[IPv4Network, Field(description="one answer, or a network of them")]
Bit = Annotated[
    Literal[1, 2, 4, 8, 16, 32, 64, 128],
    # The configuration's keys are text.
    BeforeValidator(lambda key: int(key) if isinstance(key, str) and key.isdecimal() else key),
    Field(description="a bit of the last octet"),
]
ZoneName = Annotated[
    str, Field(pattern=r"^(\{key\}\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9-]{1,63}$", max_length=200)
]


class MeaningEntry(Settings):
    """What an answer means, and how much that matters."""

    meaning: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}$")]
    """In a word or two, as the label `meaning` shows it."""
    severity: Rank
    """What a listing with it is: a page, a ticket, no more than information, or no finding."""
    receiving: Rank | None = None
    """The same for an address from which no mail leaves straight to receivers; left out where that is the same."""
    scope: Scope | None = None
    """What such a listing is about, where the zone has several scopes."""

    @model_validator(mode="after")
    def _no_graver_there(self) -> Self:
        if self.receiving and RANKS.index(self.receiving) < RANKS.index(self.severity):
            raise ValueError("`receiving` is graver than `severity`")
        return self

    def meant(self, scope: Scope | None) -> Meaning:
        """In the words of the protocol; `scope` is the zone's."""
        severity = SEVERITIES[self.severity]
        receiving = SEVERITIES[self.receiving] if self.receiving else severity
        return Meaning(self.meaning, severity, receiving, self.scope or scope)


class ProofEntry(Settings):
    """An entry that a living zone lists, and one that it does not list."""

    listed: str
    """The entry that a living zone lists (RFC 5782 §5)."""
    clean: str
    """The entry that it does not list."""


class ZoneEntry(Settings):
    """One zone of the catalogue."""

    zone: ZoneName
    """The name under which it is asked; `{key}.` in front where it wants a key."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    """What it lists."""
    default: bool = False
    """Whether it is asked unless `zones` says otherwise; one with a key as soon as the key is there."""
    operator: str = ""
    """Who runs it."""
    scope: Scope | None = None
    """What one listing is about: an address, a range, a network, a domain."""
    used_by: str = ""
    """Which receivers care, in a sentence."""
    codes: dict[Code, MeaningEntry] = Field(default_factory=dict)
    """What its answers mean, by address or network of addresses; one that nothing names leaves the zone unknown."""
    bits: dict[Bit, MeaningEntry] = Field(default_factory=dict)
    """What the bits of the last octet mean, for zones that answer with a sum."""
    refused: tuple[Code, ...] = ()
    """Answers that refuse us, besides 127.255.255.0/24."""
    refused_bits: Annotated[int, Field(ge=0, le=255)] = 0
    """Bits of the last octet that refuse us, as a sum."""
    refused_rcodes: tuple[Literal["REFUSED", "SERVFAIL", "NXDOMAIN"], ...] = ()
    """Response codes of the DNS by which it is known to refuse; no answer with an error is ever clean."""
    not_listed: tuple[Code, ...] = ()
    """Answers that are no listing: a neutral entry."""
    test: dict[Kind, ProofEntry | None] = Field(default_factory=dict)
    """Its test entries by kind; null where it has none: then it never pages."""
    key: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""
    """The name of the key that it wants, under `keys`."""
    instead_of: str = ""
    """The public zone whose place it takes once there is a key."""
    contains: tuple[str, ...] = ()
    """Zones whose listings it repeats: they are not asked beside it, so that a listing counts once."""
    public_resolvers: Literal["refused", "answered", "unknown"] = "unknown"
    """What it does with questions through resolvers that many share."""
    needs_attributable_resolver: bool = False
    """Whether it refuses resolvers whose address has no name of an owner, as in most clouds."""
    registration: str = ""
    """Where the resolver's address must be registered before it is served."""
    queries_a_day: Annotated[int, Field(ge=1)] | None = None
    """How often it may be asked in a day."""
    queries_a_second: Annotated[float, Field(gt=0)] | None = None
    """How often it may be asked in a second."""
    terms: str = ""
    """Who may use it free of charge, in a sentence."""
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
        return self.zone.removeprefix(KEY)

    @field_validator("codes", mode="before")
    @classmethod
    def _each_code_once(cls, codes: Any) -> Any:
        # One address has two spellings, with /32 and without: the second would take the first one's place.
        written = [str(code).removesuffix("/32") for code in codes] if codes else []
        if twice := next((code for code in written if written.count(code) > 1), None):
            raise ValueError(f"code {twice} is there twice")
        return codes

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = (*_code_problems(self), *_bit_problems(self), *_test_problems(self))
        if bool(self.key) is not self.zone.startswith(KEY):
            problems = (*problems, "a zone with a key has `{key}.` in front of its name")
        if problems:
            raise ValueError(f"zone `{self.name}`: {problems[0]}")
        return self


class OwnZoneEntry(ZoneEntry):
    """A zone of the configuration: it says how it can be proved, since nobody else has tried it."""

    @model_validator(mode="after")
    def _says_how_it_is_proved(self) -> Self:
        if missing := [kind.value for kind in self.kinds if kind not in self.test]:
            raise ValueError(
                f"zone `{self.name}` has no test entries for {', '.join(missing)}: name one that it lists and "
                "one that it does not, as in `test: {ip4: {listed: 127.0.0.2, clean: 127.0.0.1}}`, "
                "or null where it has none; then it never pages"
            )
        return self


class DeadEntry(Settings):
    """A zone that is no more, or with `*.` in front all zones under a name and that name itself."""

    zone: Annotated[str, Field(pattern=r"^(\*\.)?([a-z0-9_-]+\.)+[a-z0-9-]+$")]
    """Its name."""
    since: Annotated[str, Field(pattern=r"^(before )?\d{4}(-\d\d(-\d\d)?)?$")]
    """The day, month or year; `before` where only that it was dead by then is known."""
    does: Annotated[str, Field(min_length=1)]
    """What it answers now, after "it"."""
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    """Where that is known from."""
    notes: str = ""
    """What else to know."""

    def names(self, zone: str) -> bool:
        """Whether it is about this zone."""
        apex = self.zone.removeprefix("*.")
        return zone == apex or (apex != self.zone and zone.endswith(f".{apex}"))


class ZonesFile(Settings):
    """`zones.yaml`; `operators` holds what several zones share, for YAML's `<<`."""

    operators: dict[str, dict[str, Any]] = Field(default_factory=dict)
    zones: tuple[ZoneEntry, ...]


class DeadFile(Settings):
    """`dead.yaml`."""

    zones: tuple[DeadEntry, ...]


def _code_problems(entry: ZoneEntry) -> Iterator[str]:
    tables = {"codes": entry.codes, "refused": entry.refused, "not_listed": entry.not_listed}
    placed = [(code, table) for table, codes in tables.items() for code in codes]
    for code, table in placed:
        if not code.subnet_of(_LOOPBACK_8):
            yield f"code {_written(code)} is outside 127.0.0.0/8, where no blocklist answers"
        if table == "codes" and code.prefixlen < code.max_prefixlen and LOOPBACK in code:
            yield f"code {_written(code)} has 127.0.0.1 in it, which lists nothing where it is not named by itself"
        if code.overlaps(REFUSALS):
            yield f"code {_written(code)} is a refusal at every zone (127.255.255.0/24)"
        if (entry.bits or entry.refused_bits) and code.overlaps(_SUMS):
            yield f"code {_written(code)} is under `{table}`, but the zone adds up bits in 127.0.0.0/24"
    for (one, first), (two, second) in combinations(placed, 2):
        if one.overlaps(two):
            yield f"code {_written(two)} under `{second}` overlaps {_written(one)} under `{first}`"
    if not (entry.codes or entry.bits):
        yield (
            "no answer of it would mean anything: name its `codes` or `bits`, as in "
            "`codes: {127.0.0.2: {meaning: listed, severity: info}}`"
        )


def _bit_problems(entry: ZoneEntry) -> Iterator[str]:
    for bit in entry.bits:
        if bit & entry.refused_bits:
            yield f"bit {bit} is under `bits` and in `refused_bits`"


def _test_problems(entry: ZoneEntry) -> Iterator[str]:
    for kind, proof in entry.test.items():
        if kind not in entry.kinds:
            yield f"test entries for {kind.value}, which it does not list"
        elif proof is not None:
            for text in (proof.listed, proof.clean):
                if not _of_kind(text, kind):
                    yield f"test entry `{text[:80]}` is no {kind.value}"
            if proof.listed == proof.clean:
                yield f"`{proof.listed[:80]}` cannot be listed and clean"


def _of_kind(text: str, kind: Kind) -> bool:
    try:
        version = ip_address(text).version
    except ValueError:
        return kind is Kind.DOMAIN and bool(text) and " " not in text
    return kind is {4: Kind.IPV4, 6: Kind.IPV6}[version]


def _written(code: IPv4Network) -> str:
    return str(code).removesuffix("/32")
