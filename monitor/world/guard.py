"""The guard before every outgoing connection: public addresses only, unless the configuration allows more.

What DNS says is hostile input: an MX that points to 127.0.0.1 or to a cloud's metadata service must
never make this daemon a proxy into its own network.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# `is_global` follows the IANA registries of the Python that runs us; these hold for every version.
_NEVER_PUBLIC: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this network"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.88.99.0/24", "6to4 relays"),
        ("198.18.0.0/15", "benchmarking"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("64:ff9b::/96", "an IPv4 address behind NAT64"),
        ("64:ff9b:1::/48", "an IPv4 address behind NAT64"),
        ("::ffff:0:0/96", "an IPv4-mapped address"),
        ("::/96", "an IPv4-compatible address"),
        ("2001::/32", "Teredo"),
        ("2001:20::/27", "ORCHID identifiers"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = ip_network("2000::/3")


class AddressGuard:
    """Says which addresses may be connected to, and where a well-known port really is.

    Args:
        allow: networks (CIDR) that are permitted although they are not public.
        ports: the lab's mapping of well-known ports to high ones.

    Raises:
        ValueError: an entry of `allow` is no network.
    """

    def __init__(
        self, *, allow: Sequence[str] = (), ports: Mapping[int, int] | None = None
    ) -> None:
        self._allow = tuple(ip_network(network) for network in allow)
        self._ports = dict(ports or {})

    def permit(self, address: str) -> str | None:
        """None where the address (text without a zone) may be connected to, else why not."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return f"{address[:60]!a} is not an IP address"
        if any(parsed in network for network in self._allow):
            return None
        for network, reason in _NEVER_PUBLIC:
            if parsed in network:
                return f"{parsed} is not a public address: {reason}"
        # A zone (`%eth0`) names a link of this machine.
        zoned = not isinstance(parsed, IPv4Address) and parsed.scope_id is not None
        public = isinstance(parsed, IPv4Address) or parsed in _GLOBAL_UNICAST
        if zoned or not public or not parsed.is_global:
            return f"{parsed} is not a public address"
        return None

    def port(self, port: int) -> int:
        """Where to connect for this port."""
        return self._ports.get(port, port)
