"""What a TLS session is worth: its version (RFC 8996) and whether the certificate names the host."""

from collections.abc import Iterable
from ipaddress import ip_address

from monitor.model import Address
from monitor.protocol.names import folded

# RFC 8996: TLS 1.0 and 1.1 MUST NOT be used; RFC 7568 says the same of SSLv3, RFC 6176 of SSLv2.
_OUTDATED = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})


def is_outdated(protocol: str) -> bool:
    """Whether a version, in OpenSSL's words (``TLSv1.2``), is below TLS 1.2."""
    return protocol in _OUTDATED


def names_match(host: str, names: Iterable[str]) -> bool:
    """Whether a certificate's subjectAltName entries name a host or an address.

    RFC 9525 §6.3: a ``*`` stands for exactly one label and only as the whole left-most one; an
    address matches only an address entry (§6.4); the subject's common name counts for nothing (§2).
    """
    address = _address(host)
    if address is not None:
        return any(_address(name) == address for name in names)
    return any(_matches(folded(host), folded(name)) for name in names)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _matches(host: str, name: str) -> bool:
    if not name.startswith("*."):
        return host == name and bool(host)
    label, dot, rest = host.partition(".")
    return bool(label and dot) and rest == name[2:]
