"""Records from their text: what a scenario writes, as dnspython's rdata."""

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

_STRING_LIMIT = 255


def parse_rdata(rdtype: str, value: str | bytes) -> dns.rdata.Rdata:
    """Return the rdata of a record; names in it are absolute, with or without a final dot.

    A TXT record's value is its text, of any length and with any octets: it is cut into strings of 255
    octets (RFC 7208 §3.3). Every other type is in master file format (RFC 1035 §5.1).

    Raises:
        ValueError: for an unknown type or a value that is not of that type.
    """
    try:
        kind = dns.rdatatype.from_text(rdtype)
        if kind == dns.rdatatype.TXT:
            return TXT(dns.rdataclass.IN, kind, _strings(value))
        text = value.decode() if isinstance(value, bytes) else value
        return dns.rdata.from_text(
            dns.rdataclass.IN, kind, text, origin=dns.name.root, relativize=False
        )
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(f"{rdtype} {value!r}: {error}") from error


def _strings(value: str | bytes) -> list[bytes]:
    octets = value.encode() if isinstance(value, str) else value
    starts = range(0, max(len(octets), 1), _STRING_LIMIT)
    return [octets[start : start + _STRING_LIMIT] for start in starts]
