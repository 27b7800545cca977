"""A zone is believed only after its own test entries behave (RFC 5782 §5)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from checks.blocklist.catalogue import Zone
from monitor.check import DnsAnswer, DnsStatus, Question
from monitor.model import Address
from monitor.protocol.dnsbl import PROOF_ENTRIES, Kind, State, query_name, read

GOOD_SECONDS = 3600.0
FIRST_RETRY_SECONDS = 10.0
LAST_RETRY_SECONDS = 300.0

_TEST_NET_2 = int(IPv4Address("198.51.100.0"))  # RFC 5737: never in use
_DOCUMENTATION_6 = int(IPv6Address("2001:db8::"))  # RFC 3849


@dataclass(frozen=True, slots=True)
class Proof:
    """What a zone's test entries of one kind showed.

    `trouble` is why the zone cannot be believed, "" where it can. `at` and `until` are monotonic
    seconds; `failures` is how often in a row it could not be believed.
    """

    trouble: str
    at: float
    until: float
    failures: int = 0

    @property
    def good(self) -> bool:
        """Whether the zone can be believed."""
        return not self.trouble


def next_proof(previous: Proof | None, trouble: str, now: float) -> Proof:
    """A good proof holds for an hour; after a bad one the zone is asked again soon, then less and less."""
    if not trouble:
        return Proof("", now, now + GOOD_SECONDS)
    failures = (previous.failures if previous else 0) + 1
    seconds = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16))
    return Proof(trouble, now, now + seconds, failures)


def stranger(kind: Kind) -> Address | str:
    """A random one that nobody has: only a zone that lists the world lists it too."""
    match kind:
        case Kind.IPV4:
            return IPv4Address(_TEST_NET_2 + secrets.randbelow(256))
        case Kind.IPV6:
            return IPv6Address(_DOCUMENTATION_6 + secrets.randbits(96))
        case Kind.DOMAIN:
            return f"{secrets.token_hex(8)}.example"  # RFC 2606


def test_entries(zone: Zone, kind: Kind) -> tuple[Address | str, ...]:
    """What the zone is asked for: two that it must not list, then one that it must, where it has one."""
    entries = zone.proofs[kind]
    if entries is None:
        return PROOF_ENTRIES[kind].clean, stranger(kind)
    return entries.clean, stranger(kind), entries.listed


def questions(zone: Zone, entries: Sequence[Address | str]) -> list[Question]:
    """The questions about these entries."""
    return [Question(query_name(entry, zone.origin), "A") for entry in entries]


def trouble(zone: Zone, entries: Sequence[Address | str], answers: Sequence[DnsAnswer]) -> str:
    """Why the zone cannot be believed, after the answers about `test_entries`; "" where it can."""
    for entry, answer in zip(entries, answers, strict=True):
        found = _trouble(zone, entry, answer, must_list=entry in entries[2:])
        if found:
            return found
    return ""


def _trouble(zone: Zone, entry: Address | str, answer: DnsAnswer, *, must_list: bool) -> str:
    if not answer.known:
        return f"the zone does not answer about its test entry {entry}: {blindness(zone, answer)}"
    said = read(answer.records, zone.codes)
    if said.state is State.REFUSED:
        return f"the zone refuses this resolver ({said.reason}); {mend(zone)}"
    if said.state is State.NONSENSE:
        return f"the zone's answer about its test entry {entry} is no blocklist's: {said.reason}"
    if said.state is State.LISTED and not must_list:
        return f"the zone lists {entry}, which no working zone does: it lists everyone"
    if said.state is State.CLEAN and must_list:
        return (
            f"the zone does not list its own test entry {entry}: it is dead, "
            f"or hides its entries from this resolver; {mend(zone)}"
        )
    return ""


def mend(zone: Zone) -> str:
    """What makes a zone answer that refuses: who asks is what it looks at."""
    if zone.needs_key:
        return f"the key {zone.needs_key} may be wrong or expired"
    keyed = f" or a free key (checks.blocklist.keys.{zone.keyed_variant})"
    return f"an own recursive resolver{keyed if zone.keyed_variant else ''} mends that"


def blindness(zone: Zone, answer: DnsAnswer) -> str:
    """What came of a question that told nothing, without the zone's key."""
    refused = f"; {mend(zone)}" if answer.status is DnsStatus.REFUSED else ""
    return zone.redacted(f"{answer.status} ({answer.reason or 'no reason given'}){refused}")
