"""Reverse DNS of a sending address (RFC 1912 §2.1; M3AAWG sender best practices)."""

import re
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from monitor.model import Address
from monitor.protocol.names import folded
from monitor.protocol.psl import registrable_domain

# Words that access providers put into the names of customers' lines; receivers refuse these.
_ACCESS_WORDS = frozenset(
    [
        "adsl",
        "broadband",
        "cable",
        "cpe",
        "dhcp",
        "dial",
        "dialin",
        "dialup",
        "dsl",
        "dyn",
        "dynamic",
        "dynamicip",
        "fiber",
        "ftth",
        "mobile",
        "ppp",
        "pppoe",
        "pool",
        "residential",
        "unassigned",
        "vdsl",
        "wireless",
        "xdsl",
    ]
)


def reverse_name(address: Address) -> str:
    """The name whose PTR records tell the address's names.

    >>> reverse_name(IPv4Address("192.0.2.99"))
    '99.2.0.192.in-addr.arpa'
    """
    return address.reverse_pointer


def generic_reason(name: str, address: Address) -> str:
    """Why a PTR name looks made by a machine for any customer; "" where it looks like a mail host's.

    A heuristic, like those of the receivers: the address is written in the name, or a word such as
    ``dsl`` or ``dynamic`` is a part of it, below the domain that somebody registered.
    """
    host = folded(name)
    if _holds_address(host, address):
        return "the address is written in the name"
    below = host.removesuffix(registrable_domain(host) or "")
    word = next((word for word in re.findall(r"[a-z]+", below) if word in _ACCESS_WORDS), None)
    return f"the name says `{word}`" if word else ""


def _holds_address(host: str, address: Address) -> bool:
    if isinstance(address, IPv4Address):
        octets = [int(octet) for octet in address.packed]
        # Any order and any separators: 10-2-0-192.x, ip10.ip-192-0-2.x, 192.000.002.010.x.
        numbers = Counter(
            int(number) for number in re.findall(r"(?<![0-9])[0-9]{1,3}(?![0-9])", host)
        )
        padded = "".join(f"{octet:03}" for octet in octets)
        return Counter(octets) <= numbers or padded in host or address.packed.hex() in host
    return _holds_ipv6(host, address)


def _holds_ipv6(host: str, address: IPv6Address) -> bool:
    digits = address.packed.hex()
    bare = re.sub(r"[^0-9a-f]", "", host)
    written = (address.compressed, address.exploded)
    return (
        digits in bare
        or digits[::-1] in bare
        or any(re.sub(":+", "-", text).strip("-") in host for text in written)
    )


def forward_confirmed(address: Address, forward: Iterable[str]) -> bool:
    """Whether the addresses of a PTR name contain the address (FCrDNS, RFC 8601 §2.7.3)."""
    return any(_same(text, address) for text in forward)


def _same(text: str, address: Address) -> bool:
    try:
        return ip_address(text) == address
    except ValueError:
        return False
