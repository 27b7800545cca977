"""A zone is believed only after its own test entries behave (RFC 5782 §5)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from checks.blocklist.catalogue import Zone
from monitor.check import DnsAnswer, DnsStatus, Question, ZoneState
from monitor.model import Address
from monitor.protocol.dnsbl import LOOPBACK, PROOF_ENTRIES, Kind, Reading, State, query_name, read

GOOD_SECONDS = 4 * 3600.0
"""How long a good proof holds for clean answers; a listing counts by a fresh one only."""
FIRST_RETRY_SECONDS = 10.0
LAST_RETRY_SECONDS = 300.0

_LISTED = 2
"""The place of the entry that the zone must list among its `test_entries`."""
_TEST_NET_2 = int(IPv4Address("198.51.100.0"))  # RFC 5737: never in use
_DOCUMENTATION_6 = int(IPv6Address("2001:db8::"))  # RFC 3849


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a zone cannot be believed.

    `ours`: the fault may as well be that of the resolver through which we ask. Where most zones have such
    trouble at once, it is.
    """

    state: ZoneState
    reason: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """What a zone's test entries of one kind showed.

    `trouble` is None where the zone can be believed. `at` is when it was asked, `until` when it is to be asked
    again, both in monotonic seconds; `failures` is how often in a row it could not be believed.
    """

    trouble: Trouble | None
    at: float
    until: float
    failures: int = 0

    @property
    def good(self) -> bool:
        """Whether the zone can be believed."""
        return self.trouble is None

    def holds(self, now: float, since: float) -> bool:
        """Whether the zone need not be asked: its time has not come, and it was asked after `since`."""
        return since <= self.at and now < self.until


def next_proof(previous: Proof | None, trouble: Trouble | None, *, at: float, now: float) -> Proof:
    """A good proof holds for hours; after a bad one the zone is asked again soon, then less and less."""
    if trouble is None:
        return Proof(None, at, now + GOOD_SECONDS)
    failures = (previous.failures if previous else 0) + 1
    seconds = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16))
    return Proof(trouble, at, now + seconds, failures)


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


def trouble(
    zone: Zone, entries: Sequence[Address | str], answers: Sequence[DnsAnswer]
) -> Trouble | None:
    """Why the zone cannot be believed, after the answers about `test_entries`; None where it can."""
    found = [
        found
        for number, (entry, answer) in enumerate(zip(entries, answers, strict=True))
        if (found := _trouble(zone, entry, answer, must_list=number == _LISTED))
    ]
    # What it says tells more than that one answer is missing.
    return min(found, key=lambda one: one.state is ZoneState.SILENT, default=None)


def _trouble(
    zone: Zone, entry: Address | str, answer: DnsAnswer, *, must_list: bool
) -> Trouble | None:
    if not answer.known:
        return no_answer(zone, answer, f" about its test entry {entry}")
    said = read(answer.records, zone.codes)
    match said.state:
        case State.REFUSED:
            return refusal(zone, said)
        case State.UNNAMED if must_list and str(LOOPBACK) not in answer.records:
            pass  # it lists its entry; what its code means is no matter here
        case State.NONSENSE | State.UNNAMED:
            what = f"the zone's answer about its test entry {entry} cannot be read"
            return Trouble(ZoneState.DEAD, f"{what}: {said.reason}")
        case State.LISTED if not must_list:
            reason = f"the zone lists {entry}, which no working zone does: it lists everyone"
            return Trouble(ZoneState.LISTS_EVERYONE, reason)
        case State.CLEAN if must_list:
            return _hidden(zone, entry)
    return None


def _hidden(zone: Zone, entry: Address | str) -> Trouble:
    reason = f"the zone does not list its own test entry {entry}"
    if "NXDOMAIN" in zone.refused_rcodes:
        reason += f", which is how it refuses resolvers; {mend(zone)}"
        return Trouble(ZoneState.REFUSED, reason, ours=not zone.needs_key)
    reason += f": it is dead, or hides its entries from this resolver; {mend(zone)}"
    return Trouble(ZoneState.DEAD, reason, ours=not zone.needs_key)


def refusal(zone: Zone, said: Reading) -> Trouble:
    """The zone says that it does not answer us."""
    reason = f"the zone refuses this resolver ({said.reason}); {mend(zone)}"
    return Trouble(ZoneState.REFUSED, reason, ours=not zone.needs_key)


def no_answer(zone: Zone, answer: DnsAnswer, about: str = "") -> Trouble:
    """No answer came, or a failure; the reason is without the zone's key."""
    refused = _refuses_by(zone, answer.status)
    how = f"; {mend(zone)}" if refused else ""
    reason = f"{answer.status} ({answer.reason or 'no reason given'}){how}"
    return Trouble(
        ZoneState.REFUSED if refused else ZoneState.SILENT,
        zone.redacted(f"the zone does not answer{about}: {reason}"),
        ours=True,
    )


def _refuses_by(zone: Zone, status: DnsStatus) -> bool:
    return status is DnsStatus.REFUSED or status.name in zone.refused_rcodes


def mend(zone: Zone) -> str:
    """What makes a zone answer that refuses: who asks is what it looks at."""
    if zone.needs_key:
        return f"the key {zone.needs_key} may be wrong or expired"
    keyed = f"a free key (checks.blocklist.keys.{zone.keyed_variant})" if zone.keyed_variant else ""
    registered = f" registered at {zone.registration}" if zone.registration else ""
    ways = [keyed, f"an own recursive resolver{registered}"]
    return f"{' or '.join(filter(None, ways))} mends that"
