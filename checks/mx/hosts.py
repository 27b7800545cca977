"""What the DNS says of a mail host: its addresses, and whether they can be reached from everywhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from monitor.check import DnsAnswer
from monitor.model import Address

Networks = Sequence[IPv4Network | IPv6Network]

# Never in use (RFC 5737, RFC 3849); they stand for public addresses in examples and laboratories.
_DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
# What is announced on its own at the least: whoever loses the route of one loses all of it.
_ROUTED_TOGETHER = {4: 24, 6: 48}


class State(StrEnum):
    """What came of asking for a host's addresses."""

    RESOLVES = "resolves"
    DEAD = "dead"
    ALIAS = "alias"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Host:
    """A host.

    Attributes:
        addresses: those that were told.
        alias: where its CNAME leads, "" where it is none.
        complete: both kinds of address were told, or that there are none.
        reason: why nothing is known, where `state` is `unknown`.
    """

    name: str
    state: State
    addresses: tuple[Address, ...] = ()
    alias: str = ""
    complete: bool = True
    reason: str = ""


def read(name: str, ip4: DnsAnswer, ip6: DnsAnswer) -> Host:
    """One address is enough; that there is none takes two answers."""
    addresses = tuple(map(ip_address, (*ip4.records, *ip6.records)))
    alias = next((a.canonical_name for a in (ip4, ip6) if _is_alias(a)), "")
    complete = ip4.known and ip6.known
    if addresses:
        state = State.ALIAS if alias else State.RESOLVES
        return Host(name, state, addresses, alias, complete)
    if complete:
        return Host(name, State.DEAD, alias=alias)
    reason = (ip6 if ip4.known else ip4).blindness
    return Host(name, State.UNKNOWN, complete=False, reason=reason)


def _is_alias(answer: DnsAnswer) -> bool:
    return answer.canonical_name not in {"", answer.question.name}


def out_of_reach(host: Host, reachable: Networks) -> tuple[Address, ...]:
    """Its addresses that the Internet does not route to and that are in no network of `reachable`."""
    return tuple(a for a in host.addresses if not _is_reachable(a, reachable))


def _is_reachable(address: Address, reachable: Networks) -> bool:
    real = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    public = real.is_global and not real.is_multicast
    return public or any(real in network for network in (*_DOCUMENTATION, *reachable))


def in_one_network(hosts: Iterable[Host]) -> bool:
    """Whether all addresses are in one network of a size that is routed as a whole (of each family)."""
    networks: dict[int, set[object]] = {4: set(), 6: set()}
    for host in hosts:
        for address in host.addresses:
            length = _ROUTED_TOGETHER[address.version]
            networks[address.version].add(ip_network((address, length), strict=False))
    return all(len(found) <= 1 for found in networks.values())
