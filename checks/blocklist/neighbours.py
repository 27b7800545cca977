"""What else a zone lists in the same range, as far as our own looks know."""

from collections import defaultdict
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from monitor.check import World
from monitor.model import Address

RENEWED_SECONDS = 60.0
SHOWN = 10

_Network = IPv4Network | IPv6Network
_Listed = Mapping[tuple[str, _Network], tuple[str, ...]]


def range_of(address: Address) -> _Network:
    """The network that is judged as one: a /24, for IPv6 a /64."""
    return ip_network((address, 24 if address.version == 4 else 64), strict=False)  # noqa: PLR2004 - IP versions


def told(address: Address, domain: str, zone: str, world: World) -> str:
    """The other watched addresses of the range that the zone lists, in words; "" where there is none."""
    network = range_of(address)
    others = [
        name for name in _listed(domain, world).get((zone, network), ()) if name != str(address)
    ]
    if not others:
        return ""
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    return f"also listed there in {network}: {', '.join(others[:SHOWN])}{more}"


def _listed(domain: str, world: World) -> _Listed:
    """The listed addresses of a domain by zone and range. All that is kept of it is read, so not at each listing."""
    key = f"neighbours {domain}"
    known = world.memory.get(key)
    if isinstance(known, dict):
        return known
    found: defaultdict[tuple[str, _Network], list[str]] = defaultdict(list)
    for result in world.results.of_domain(domain):
        if result.check != "blocklist":
            continue
        for zone, codes in result.by_subject.items():
            if "blocklist.address_listed" in codes:
                found[zone, range_of(ip_address(result.target))].append(result.target)
    listed = {place: tuple(names) for place, names in found.items()}
    world.memory.put(key, listed, RENEWED_SECONDS)
    return listed
