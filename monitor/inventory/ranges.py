"""Ranges of addresses: which are small enough to be looked at whole, and what receivers see of them."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from monitor.config.names import MAX_ADDRESSES
from monitor.model import Address

Network = IPv4Network | IPv6Network

# Never in use (RFC 5737, RFC 3849): whoever declares one is trying things out, as the lab does.
_DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def is_expanded(network: Network) -> bool:
    """Whether each of its addresses is looked at: at most a /24 (IPv4) or /120 (IPv6)."""
    return network.num_addresses <= MAX_ADDRESSES


@lru_cache(maxsize=4096)
def network_of(text: str) -> Network:
    """An address or a range in CIDR form, as the configuration and `Discovery` have them."""
    return ip_network(text)


def is_public(address: Address) -> bool:
    """Whether the address is one of the public Internet, and of one host."""
    return address.is_global and not address.is_multicast


def is_documentation(address: Address) -> bool:
    """Whether the address is kept for examples."""
    return any(address in network for network in _DOCUMENTATION)


def is_looked_at_whole(text: str) -> bool:
    """Whether a declared range is small enough, and public."""
    return is_expanded(network_of(text)) and seen_by_receivers(text)


def seen_by_receivers(text: str) -> bool:
    """Whether a declared address or range is public: behind a translation receivers see another."""
    first = network_of(text).network_address
    return is_public(first) or is_documentation(first)
