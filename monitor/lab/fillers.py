"""Record sets of hundreds of records, each its own, that nobody wrote down."""

import base64
from collections.abc import Callable
from functools import lru_cache

import dns.name
import dns.rdatatype
import dns.rrset

# RFC 1035 §4.1.3, with a compressed owner's name and an octet of data.
_LEAST_RECORD_OCTETS = 13
_KEY_WORDS = range(90)
_WORDS_SUM = 10_000
# Flags, protocol and algorithm, and the words of the key (RFC 4034 appendix B).
KEY_TAG = 257 + (3 << 8 | 8) + _WORDS_SUM + sum(_KEY_WORDS)
"""The tag of every DNSKEY record here, and what every DS record names (as in CVE-2023-50387)."""


def _key(number: int) -> str:
    words = (number, _WORDS_SUM - number, *_KEY_WORDS)
    return base64.b64encode(b"".join(word.to_bytes(2, "big") for word in words)).decode()


_FILLERS: dict[dns.rdatatype.RdataType, Callable[[int], str]] = {
    dns.rdatatype.A: lambda n: f"10.0.{n // 256}.{n % 256}",
    dns.rdatatype.AAAA: lambda n: f"2001:db8::{n:x}",
    dns.rdatatype.DNSKEY: lambda n: f"257 3 8 {_key(n)}",
    dns.rdatatype.DS: lambda n: f"{KEY_TAG} 8 2 {n:064x}",
    dns.rdatatype.MX: lambda n: f"{n} mx{n}.filler.invalid.",
    dns.rdatatype.NS: lambda n: f"ns{n}.filler.invalid.",
    dns.rdatatype.PTR: lambda n: f"host{n}.filler.invalid.",
    dns.rdatatype.TLSA: lambda n: f"3 1 1 {n:064x}",
    dns.rdatatype.TXT: lambda n: f'"filler {n}"',
}


def can_fill(rdtype: dns.rdatatype.RdataType) -> bool:
    """Whether there are fillers of this type."""
    return rdtype in _FILLERS


def least_octets(count: int) -> int:
    """What so many records have at least in a message, known before they are made."""
    return count * _LEAST_RECORD_OCTETS


@lru_cache(maxsize=32)
def fillers(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, count: int, ttl: int
) -> dns.rrset.RRset:
    """Kept: to make a thousand records takes as long as to answer hundreds of questions."""
    values = [_FILLERS[rdtype](number) for number in range(count)]
    return dns.rrset.from_text_list(name, ttl, "IN", rdtype, values)
