"""Names and addresses of the configuration, checked and put into one form. All raise ValueError only."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import idna

MAX_ADDRESSES = 256
"""A range of sender addresses is looked at whole up to this many."""

WIDEST_IP6 = 32
"""The prefix length of the largest IPv6 range: what a provider has for all its customers (RFC 6177)."""

SMTP_PORT = 25

_LONGEST_NAME = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 §2.1
# Selectors are sub-domain names (RFC 6376 §3.1); underscores are seen in the wild and resolve.
_SELECTOR_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_PORTS = range(1, 65536)


def domain_name(text: str) -> str:
    """A domain of the public DNS in lower case, A-labels, without the trailing dot (RFC 5891, RFC 1123 §2.1)."""
    name = host_name(text)
    if is_address(name):
        raise ValueError(f"`{text}` is an address, not a domain name")
    if "." not in name:
        raise ValueError(f"`{text[:80]}` is no domain name: it needs at least two labels")
    return name


def host_name(text: str) -> str:
    """A host's name in the form of `domain_name`, one label being enough; or its address."""
    _refuse_more_than_a_name(text)
    if is_address(text):
        return str(ip_address(text))
    name = text.strip().removesuffix(".").lower()
    if not name.isascii() and len(name) <= _LONGEST_NAME:
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise ValueError(f"`{text}` is no domain name: {error}") from None
    if not name or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"`{text[:80]}` is no domain name: it must have 1 to {_LONGEST_NAME} characters"
        )
    for label in name.split("."):
        if not _LABEL.fullmatch(label):
            raise ValueError(
                f"`{text[:80]}` is no domain name: `{label[:80]}` is no label (RFC 1123)"
            )
    if name.rpartition(".")[2].isdigit():
        raise ValueError(f"`{text[:80]}` is no domain name: its last label is a number")
    return name


def selector(text: str) -> str:
    """A DKIM selector in lower case."""
    name = text.strip().lower()
    if len(name) > _LONGEST_NAME or not all(_SELECTOR_LABEL.fullmatch(p) for p in name.split(".")):
        raise ValueError(f"`{text[:80]}` is no DKIM selector")
    return name


def host_port(text: str, *, default: int | None = None) -> tuple[str, int]:
    """The host and port of `host:port`, `address:port`, `[IPv6]:port`; the port may be missing where one is the default."""
    _refuse_more_than_a_name(text)
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]+))?", text)
    host, port = bracketed.groups() if bracketed else _split_port(text)
    if port is None and default is None:
        raise ValueError(f"`{text[:80]}` has no port: write host:port")
    number = default if port is None else int(port) if _PORT.fullmatch(port) else 0
    if number not in _PORTS:
        raise ValueError(f"`{text[:80]}` has no port between 1 and 65535")
    return host_name(host), number or 0


def joined(host: str, port: int) -> str:
    """`host:port`, the host in brackets where it is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address without a zone index."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def address_or_range(text: str) -> str:
    """An address, or a range in CIDR form of at most `MAX_ADDRESSES` (IPv4) or a `WIDEST_IP6` (IPv6), canonical."""
    net = network(text)
    if net.num_addresses == 1:
        return str(net.network_address)
    if isinstance(net, IPv4Network) and net.num_addresses > MAX_ADDRESSES:
        raise ValueError(
            f"`{text}` has {net.num_addresses} addresses: a range may have at most {MAX_ADDRESSES};"
            " declare the ranges that really send"
        )
    if net.prefixlen < WIDEST_IP6 and isinstance(net, IPv6Network):
        raise ValueError(
            f"`{text}` is wider than a /{WIDEST_IP6}; declare the ranges that really send"
        )
    return str(net)


def network(text: str) -> IPv4Network | IPv6Network:
    """An address or a range in CIDR form; a range must start at its first address."""
    try:
        net = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"`{text[:80]}` is no IPv4 or IPv6 address or range") from None
    base = text.partition("/")[0]
    if "%" in base:
        raise ValueError(
            f"`{text[:80]}` has a zone index: an address of the public network has none"
        )
    if ip_address(base) != net.network_address:
        raise ValueError(f"`{text}` does not start at its first address: write `{net}`")
    return net


def _refuse_more_than_a_name(text: str) -> None:
    if "://" in text:
        raise ValueError(f"`{text[:80]}` is a URL: write its host name alone")
    if "@" in text:
        raise ValueError(f"`{text[:80]}` is a mail address: write its domain, what follows the @")


def _split_port(text: str) -> tuple[str, str | None]:
    if text.count(":") > 1 and is_address(text):
        return text, None
    host, colon, port = text.rpartition(":")
    return (host, port) if colon else (text, None)
