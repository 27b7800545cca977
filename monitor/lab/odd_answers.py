"""DNS messages that no honest server sends, octet by octet: no library would write them."""

import struct

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype

_TTL = 60
_TO_QUESTION = b"\xc0\x0c"  # RFC 1035 §4.1.4: where the question's name begins
_LONGEST_STRING = 255
_LARGEST_DATA = 65_000
_BEGINNING = b"v=spf1 "


def wrong_class(query: dns.message.Message) -> bytes:
    """An answer of the class CH to a question of the class IN."""
    return _response(
        query, _record(_TO_QUESTION, _strings(_BEGINNING, _LONGEST_STRING), dns.rdataclass.CH)
    )


def pointer_loop(query: dns.message.Message) -> bytes:
    """A record whose owner's name is a pointer to itself."""
    itself = (0xC000 | len(_response(query, b""))).to_bytes(2, "big")
    return _response(
        query, _record(itself, _strings(_BEGINNING, _LONGEST_STRING), dns.rdataclass.IN)
    )


def forged(query: dns.message.Message) -> bytes:
    """What an attacker wants believed: everyone may send."""
    text = _strings(_BEGINNING + b"+all", _LONGEST_STRING)
    return _response(query, _record(_TO_QUESTION, text, dns.rdataclass.IN))


def large_text(
    query: dns.message.Message,
    *,
    string_octets: int = _LONGEST_STRING,
    begins: bytes = _BEGINNING,
    repeats: bytes = b"a",
) -> bytes:
    """One TXT record as large as a message can be, in strings of so many octets."""
    size = _LARGEST_DATA // (string_octets + 1) * string_octets
    text = (begins + repeats * (size // len(repeats) + 1))[:size]
    return _response(query, _record(_TO_QUESTION, _strings(text, string_octets), dns.rdataclass.IN))


def _response(query: dns.message.Message, record: bytes) -> bytes:
    question = query.question[0]
    name = question.name.to_wire() or b""
    asked = name + struct.pack("!2H", question.rdtype, question.rdclass)
    flags = dns.flags.QR | dns.flags.AA | dns.flags.RA | (query.flags & dns.flags.RD)
    return struct.pack("!6H", query.id, flags, 1, 1, 0, 0) + asked + record


def _record(owner: bytes, data: bytes, rdclass: int) -> bytes:
    return owner + struct.pack("!HHIH", dns.rdatatype.TXT, rdclass, _TTL, len(data)) + data


def _strings(text: bytes, octets: int) -> bytes:
    parts = (text[start : start + octets] for start in range(0, len(text), octets))
    return b"".join(len(part).to_bytes() + part for part in parts)
