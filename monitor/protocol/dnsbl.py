"""DNS blocklists: how to ask and how to read the answer (RFC 5782)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Literal

from monitor.model import Address, Severity
from monitor.protocol.problem import quoted

_ANSWERS = IPv4Network("127.0.0.0/8")  # RFC 5782 §2.1
# Spamhaus, and many after it, answer so to whom they do not serve.
REFUSALS = IPv4Network("127.255.255.0/24")
_REFUSAL_REASONS = {
    IPv4Address("127.255.255.252"): "the zone's name is wrong",
    IPv4Address("127.255.255.254"): "asked through a public or unidentified resolver",
    IPv4Address("127.255.255.255"): "too many queries, or not registered",
}
LOOPBACK = IPv4Address("127.0.0.1")
"""No listing where a zone does not name it by itself (RFC 5782 §5): zones answer it to say "blocked"."""
_ADDING_UP = IPv4Network("127.0.0.0/24")  # where zones add up bits in the last octet
_GRAVEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO, None)


class Kind(StrEnum):
    """What a zone lists."""

    IPV4 = "ip4"
    IPV6 = "ip6"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class ProofEntries:
    """What a living zone lists, and what it does not list (RFC 5782 §5)."""

    listed: Address | str
    clean: Address | str


# RFC 5782 §5. A zone may have others (dbltest.com), which its catalogue entry names.
PROOF_ENTRIES: Mapping[Kind, ProofEntries] = {
    Kind.IPV4: ProofEntries(IPv4Address("127.0.0.2"), IPv4Address("127.0.0.1")),
    Kind.IPV6: ProofEntries(IPv6Address("::ffff:7f00:2"), IPv6Address("::ffff:7f00:1")),
    Kind.DOMAIN: ProofEntries("test", "invalid"),
}


class Scope(StrEnum):
    """What one listing is about: whose conduct brought it, and whom it hits."""

    ADDRESS = "address"
    RANGE = "range"
    """The neighbours of an address: a /24, a /64, a block that one customer has."""
    NETWORK = "network"
    """All of a provider's allocation, or an autonomous system."""
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a return code says: a name out of the zone's closed set, and how much it matters.

    Attributes:
        severity: of a listing, where mail leaves from the address itself, and of a domain's; None: no finding.
        receiving: the same of an address that only receives or relays through another: a policy listing
            is nobody's trouble there. "same" where that makes no difference.
        scope: what such a listing is about, where that is known.
    """

    name: str
    severity: Severity | None
    receiving: Severity | Literal["same"] | None = "same"
    scope: Scope | None = None

    def severity_of(self, *, sends: bool) -> Severity | None:
        """How grave a listing is; None where it is no finding. `sends`: mail leaves from there straight to receivers."""
        if sends or self.receiving == "same":
            return self.severity
        return Severity(self.receiving) if self.receiving else None


@dataclass(frozen=True, slots=True)
class ZoneCodes:
    """How one zone's answers are to be read. A single code is a /32; networks do not overlap.

    A code that nothing here names has no meaning: it is never a listing, nor is it clean.

    Attributes:
        meanings: codes that are listings.
        bits: the same for zones that add up bits (1, 2, 4, … 128) in the last octet of 127.0.0.x.
        refused: codes that say "I don't answer you", beside 127.255.255.0/24. They win.
        refused_bits: the same as a mask of the last octet (URIBL, SURBL: 1).
        not_listed: codes that are no listing: a whitelist's, a neutral score's.
    """

    meanings: Mapping[IPv4Network, Meaning] = field(default_factory=dict)
    bits: Mapping[int, Meaning] = field(default_factory=dict)
    refused: tuple[IPv4Network, ...] = ()
    refused_bits: int = 0
    not_listed: tuple[IPv4Network, ...] = ()


class State(StrEnum):
    """What a set of answers says. The last three teach nothing about the subject.

    `UNNAMED`: codes that the catalogue does not know, and no other.
    """

    LISTED = "listed"
    CLEAN = "clean"
    UNNAMED = "unnamed"
    REFUSED = "refused"
    NONSENSE = "nonsense"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a zone said: its ``meanings`` where it lists (the gravest first), else why not.

    A whitelist lists too: whether a meaning is a finding says its severity.
    """

    state: State
    meanings: tuple[Meaning, ...] = ()
    reason: str = ""


def kind_of(subject: Address | str) -> Kind:
    """The kind of entry that an address or a domain name is looked up as."""
    if isinstance(subject, str):
        return Kind.DOMAIN
    return Kind.IPV4 if subject.version == 4 else Kind.IPV6  # noqa: PLR2004 - IP versions


def query_name(subject: Address | str, zone: str) -> str:
    """The name to ask for: octets or nibbles reversed, a domain as it is (RFC 5782 §2.1, §2.4, §3).

    >>> query_name(IPv4Address("192.0.2.99"), "bl.example.org")
    '99.2.0.192.bl.example.org'
    """
    return query_names(subject, [zone])[0]


def query_names(subject: Address | str, zones: Sequence[str]) -> list[str]:
    """The names to ask for in each zone."""
    if isinstance(subject, str):
        entry = subject.lower().strip(".")
    else:
        entry = subject.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return [f"{entry}.{zone.lower().strip('.')}" for zone in zones]


def read(answers: Sequence[str], codes: ZoneCodes) -> Reading:
    """What a zone's A records say about the subject. No records: clean.

    One answer outside 127.0.0.0/8 (a parked domain, a rewritten NXDOMAIN) makes all of it nonsense,
    one refusal makes all of it refused: a zone in that state is not believed in anything. Never raises.
    """
    addresses, strangers = _addresses(answers)
    if strangers:
        return Reading(State.NONSENSE, reason=f"{quoted(strangers[0])} is no blocklist's answer")
    refusal = next((reason for a in addresses if (reason := _refusal(a, codes))), None)
    if refusal is not None:
        return Reading(State.REFUSED, reason=refusal)
    listings = {meaning for address in addresses for meaning in _listings(address, codes)}
    if listings:
        gravest = sorted(listings, key=lambda m: (_GRAVEST_FIRST.index(m.severity), m.name))
        return Reading(State.LISTED, tuple(gravest))
    unnamed = [a for a in addresses if not _in(a, codes.not_listed)]
    if unnamed:
        return Reading(State.UNNAMED, reason=f"code {unnamed[0]} has no known meaning")
    return Reading(State.CLEAN)


def _addresses(answers: Sequence[str]) -> tuple[list[IPv4Address], list[str]]:
    addresses, strangers = [], []
    for answer in answers:
        try:
            address = IPv4Address(answer)
        except ValueError:
            strangers.append(answer)
            continue
        if address in _ANSWERS:
            addresses.append(address)
        else:
            strangers.append(answer)
    return addresses, strangers


def _in(address: IPv4Address, networks: Sequence[IPv4Network]) -> bool:
    return any(address in network for network in networks)


def _refusal(address: IPv4Address, codes: ZoneCodes) -> str:
    if address in REFUSALS:
        return f"{address}: {_REFUSAL_REASONS.get(address, 'refused')}"
    by_bits = address in _ADDING_UP and int(address) & 0xFF & codes.refused_bits
    if by_bits or _in(address, codes.refused):
        return f"{address}: the zone refuses to answer this resolver"
    return ""


def _listings(address: IPv4Address, codes: ZoneCodes) -> Iterator[Meaning]:
    if _in(address, codes.not_listed):
        return
    named = next((network for network in codes.meanings if address in network), None)
    if named is not None:
        yield codes.meanings[named]
        return
    if address in _ADDING_UP:
        yield from (meaning for bit, meaning in codes.bits.items() if int(address) & bit)
