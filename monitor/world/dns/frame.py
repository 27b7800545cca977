"""What a DNS message holds, record by record, before dnspython takes it apart: what would cost too much is left out.

A message of 64 KiB can be made to cost a quarter of a second of parsing, by types that nobody here asks
for, or by ten thousands of empty strings; and dnspython looks for a module of each type and class that
it meets, and remembers each. Pure.
"""

import struct

from dns import rdatatype

MOST_IN_MESSAGE = 300
"""Records in the answer, and in the rest of a message."""
MOST_STRINGS = 8000
"""Strings of all TXT records in a message, which take 30 ms; 64 KiB of text have 257 (RFC 1035 §3.3.14)."""
MOST_OPTION_BYTES = 1024
"""Of EDNS options: an extended error, a cookie, and room to spare."""

_READ = frozenset(
    {
        *(rdatatype.A, rdatatype.AAAA, rdatatype.CNAME, rdatatype.DNSKEY, rdatatype.DS),
        *(rdatatype.MX, rdatatype.NS, rdatatype.OPT, rdatatype.PTR, rdatatype.RRSIG),
        *(rdatatype.SOA, rdatatype.TLSA, rdatatype.TXT),
    }
)
_IN = 1
_OPAQUE = 65280
"""A type for private use (RFC 6895 §3.1): its data is taken as it is."""
_HEADER = 12
_RECORD = struct.Struct("!HHIH")
_POINTER, _POINTED = 0xC0, 0x3FFF
LONGEST_LABEL = 63


class UnfitError(Exception):
    """The response is one to our query, and not one that we read: it is too much, or makes no sense."""


def readable(wire: bytes, asked: int) -> bytes:
    """The same message, with the records that nobody reads made opaque: all but the common types, and `asked`.

    A record that is cut off is left for the parser to refuse.

    Raises:
        UnfitError: it has more records, strings or options than we read, or answers of another class.
        ValueError: a name in it is none.
    """
    questions, answers, authority, additional = struct.unpack_from("!4H", wire, 4)
    if answers > MOST_IN_MESSAGE or authority + additional > MOST_IN_MESSAGE:
        raise UnfitError(f"sent more than {MOST_IN_MESSAGE} records")
    offset = _HEADER
    for _ in range(questions):
        offset = name_end(wire, offset) + 4
    tamed, strings = bytearray(wire), 0
    for number in range(answers + authority + additional):
        offset = name_end(wire, offset)
        if offset + _RECORD.size > len(wire):
            break
        rtype, rclass, _, size = _RECORD.unpack_from(wire, offset)
        data, end = offset + _RECORD.size, offset + _RECORD.size + size
        if rtype == rdatatype.OPT:
            if size > MOST_OPTION_BYTES:
                raise UnfitError(f"sent more than {MOST_OPTION_BYTES} bytes of options")
        elif rclass != _IN and number < answers:
            raise UnfitError(f"answered with records of another class ({rclass})")
        elif rclass != _IN or (rtype not in _READ and rtype != asked):
            struct.pack_into("!2H", tamed, offset, _OPAQUE, _IN)
        elif rtype == rdatatype.TXT:
            strings += _strings(wire, data, end, MOST_STRINGS - strings)
        offset = end
    return bytes(tamed)


def name_end(wire: bytes, offset: int) -> int:
    """Where what follows a name begins: after its root label, or after a pointer (RFC 1035 §4.1.4).

    Raises:
        ValueError: the name is not whole, or of another kind than labels and a pointer back.
    """
    while offset < len(wire):
        length = wire[offset]
        if length == 0:
            return offset + 1
        if length >= _POINTER:
            target = int.from_bytes(wire[offset : offset + 2], "big") & _POINTED
            if offset + 1 < len(wire) and _HEADER <= target < offset:
                return offset + 2
            raise ValueError("a name that points nowhere")
        if length > LONGEST_LABEL:
            raise ValueError("a label of a kind that there is not")
        offset += 1 + length
    raise ValueError("a name that is cut off")


def _strings(wire: bytes, start: int, end: int, most: int) -> int:
    count = 0
    while start < end and start < len(wire):
        start += 1 + wire[start]
        count += 1
        if count > most:
            raise UnfitError(f"sent more than {MOST_STRINGS} strings")
    return count
