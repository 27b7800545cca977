"""What our own looks know to be listed: before, and in the same range."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from monitor.check import World
from monitor.model import Address, Status

RENEWED_SECONDS = 10.0
SHOWN = 10

_Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class _Known:
    """The open listings of a domain's targets: the targets' statuses by zone, by target; and addresses by zone and range."""

    statuses: Mapping[str, Mapping[str, Status]]
    by_range: Mapping[tuple[str, _Network], tuple[str, ...]]


def range_of(address: Address) -> _Network:
    """The network that is judged as one: a /24, for IPv6 a /64."""
    return ip_network((address, 24 if address.version == 4 else 64), strict=False)  # noqa: PLR2004 - IP versions


def zones_that_list(target: str, domain: str, world: World) -> Mapping[str, Status]:
    """The zones in which a listing of the target is open, with the target's status."""
    return _known(domain, world).statuses.get(target, {})


def in_range(address: Address, domain: str, zone: str, world: World) -> str:
    """The other watched addresses of the range that the zone lists, in words; "" where there is none."""
    network = range_of(address)
    listed = _known(domain, world).by_range.get((zone, network), ())
    others = [name for name in listed if name != str(address)]
    if not others:
        return ""
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    return f"also listed there in {network}: {', '.join(others[:SHOWN])}{more}"


def _known(domain: str, world: World) -> _Known:
    """All that is kept of the domain is read for it, so not by each look."""
    key = f"known listings {domain}"
    known = world.memory.get(key)
    if not isinstance(known, _Known):
        known = _read(domain, world)
        world.memory.put(key, known, RENEWED_SECONDS)
    return known


def _read(domain: str, world: World) -> _Known:
    statuses: defaultdict[str, dict[str, Status]] = defaultdict(dict)
    by_range: defaultdict[tuple[str, _Network], list[str]] = defaultdict(list)
    for result in world.results.of_domain(domain):
        if result.check != "blocklist":
            continue
        for zone, codes in result.by_subject.items():
            statuses[result.target][zone] = result.status
            if "blocklist.address_listed" in codes:
                by_range[zone, range_of(ip_address(result.target))].append(result.target)
    return _Known(dict(statuses), {place: tuple(names) for place, names in by_range.items()})
