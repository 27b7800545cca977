"""Queries as bytes, written and recognized without dnspython: there are very many of them. Pure but for chance."""

import os
import struct
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache

import dns.exception
import dns.flags
import dns.rcode
import dns.rdatatype

from monitor.check import Question
from monitor.world.dns.frame import LONGEST_LABEL

PAYLOAD = 1232
"""EDNS buffer size in bytes: no fragments on any usual path (dnsflagday.net/2020)."""

HEADER = 12
ONE = b"\0\1"
IN = 1
_QR, _QR_AND_OPCODE = 0x80, 0xF8
_LONGEST_NAME = 253
_WITHOUT_QUESTION = {dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED}
WITHOUT_EDNS = {dns.rcode.FORMERR, dns.rcode.NOTIMP}
"""What a server may answer that does not know EDNS (RFC 6891 §7)."""
# A bit set in a letter is the difference between its cases; the lengths of labels are no letters (< 64).
_CASE_BITS = bytes(0x20 if bytes((octet,)).isalpha() else 0 for octet in range(256))


class Asking(Enum):
    """What kind of answer a query asks for, as header flags."""

    RESOLVED = dns.flags.RD
    """The resolver's own, validated where it validates."""
    UNCHECKED = dns.flags.RD | dns.flags.CD
    """The resolver's without validation (RFC 4035 §3.2.2)."""
    AUTHORITATIVE = dns.flags.Flag(0)
    """An authoritative server's own: no recursion wanted."""

    __hash__ = (
        object.__hash__
    )  # a template is looked up for each query; that of Enum is written in Python


class Chance:
    """Random bytes of the system, drawn many at a time: a system call each would cost more than the query."""

    def __init__(self, drawn: int = 4096) -> None:
        self._size = drawn
        self._drawn = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes (less than are drawn at a time), each used once."""
        end = self._at + size
        if end > len(self._drawn):
            self._drawn = os.urandom(self._size)
            self._at, end = 0, size
        taken = self._drawn[self._at : end]
        self._at = end
        return taken


_chance = Chance()
_number = int.from_bytes


@dataclass(slots=True)
class Query:
    """A query as it goes out.

    `mixed`: its letters are in random case, which a true response repeats: as good as some more bits of the
    id (draft-vixie-dnsext-dns0x20). The id is the first two bytes and may be changed by who sends it.
    """

    wire: bytes
    question_end: int
    mixed: bool = False

    @property
    def has_options(self) -> bool:
        """Whether it has an OPT record (EDNS)."""
        return len(self.wire) > self.question_end

    def without_options(self) -> "Query":
        """The same question, for a server that does not know EDNS (RFC 6891 §7); under another id."""
        head, question = self.wire[2:10], self.wire[HEADER : self.question_end]
        return Query(random_id() + head + b"\0\0" + question, self.question_end, self.mixed)

    def is_answered_by(self, wire: bytes) -> bool:
        """Whether this is a response, to this query (RFC 5452 §9.1): its id and its question."""
        return _is_response(wire) and self.is_repeated_by(wire)

    def is_repeated_by(self, wire: bytes) -> bool:
        """Whether this response with one question has this query's id and question."""
        asked, end = self.wire, self.question_end
        if wire[:2] != asked[:2]:
            return False
        return wire[HEADER:end] == asked[HEADER:end] or (
            not self.mixed and self._has_our_name(wire)
        )

    def is_refused_by(self, wire: bytes) -> bool:
        """Whether this is a response without a question, as servers send that refuse to read one."""
        header = len(wire) >= HEADER and wire[:2] == self.wire[:2] and wire[4:6] == b"\0\0"
        return header and wire[2] & _QR_AND_OPCODE == _QR and wire[3] & 0xF in _WITHOUT_QUESTION

    def is_not_understood_by(self, wire: bytes) -> bool:
        """Whether this response may mean no more than that its server does not know EDNS."""
        return self.has_options and wire[3] & 0xF in WITHOUT_EDNS

    def is_folded_by(self, wire: bytes) -> bool:
        """Whether this were a response, had its server kept the case of the letters."""
        same_id = self.mixed and wire[:2] == self.wire[:2]
        return same_id and _is_response(wire) and self._has_our_name(wire)

    def _has_our_name(self, wire: bytes) -> bool:
        """The whole question, in whatever case."""
        asked, end = self.wire, self.question_end
        return wire[HEADER:end].lower() == asked[HEADER:end].lower()


def _is_response(wire: bytes) -> bool:
    """Whether it is a response with one question."""
    return len(wire) > HEADER and wire[4:6] == ONE and wire[2] & _QR_AND_OPCODE == _QR


def query_for(
    question: Question, asking: Asking = Asking.RESOLVED, *, mixed: bool = False
) -> Query:
    """The query, with a random id, and DO so that AD is set (RFC 6840 §5.8).

    Raises:
        ValueError: the name or the type cannot be asked for.
    """
    name = b"".join(_length_first(question.name))
    head, tail, asked = _template(question.rtype, asking)
    size = len(name)
    chance = _chance.take(size + 2)
    if mixed:
        flips = _number(name.translate(_CASE_BITS)) & _number(chance[2:])
        name = (_number(name) ^ flips).to_bytes(size)
        # Small letters only, or none: a server that folds case repeats them too.
        mixed = flips != 0
    return Query(chance[:2] + head + name + tail, HEADER + size + asked, mixed)


def random_id() -> bytes:
    """A random id for a query."""
    return _chance.take(2)


def labels(text: str) -> list[bytes]:
    """The labels of an absolute name; none for the root.

    Raises:
        ValueError: it is none.
    """
    return [label[1:] for label in _length_first(text)]


def _length_first(text: str) -> list[bytes]:
    """The labels of an absolute name, each after its length."""
    if text == ".":
        return []
    if len(text) > _LONGEST_NAME:
        raise ValueError(f"{text[:80]!a} is not a DNS name: too long (RFC 1035 §2.3.4)")
    try:
        return list(map(_label, text.removesuffix(".").split(".")))
    except ValueError as error:
        raise ValueError(f"{text[:80]!a} is not a DNS name: {error}") from None


@lru_cache(4096)  # octets of addresses, and the labels of zones
def _label(text: str) -> bytes:
    if not text.isascii() or not text.isprintable():
        raise ValueError("only printable ASCII")
    if not text:
        raise ValueError("an empty label")
    if len(text) > LONGEST_LABEL:
        raise ValueError("too long (RFC 1035 §2.3.4)")
    return len(text).to_bytes() + text.encode("ascii")


@lru_cache(256)
def _template(rtype: str, asking: Asking) -> tuple[bytes, bytes, int]:
    """What stands between id and name, what follows the name, and how much of that belongs to the question."""
    head = struct.pack("!5H", asking.value, 1, 0, 0, 1)
    asked = struct.pack("!B2H", 0, rdata_type(rtype), IN)  # after the root label
    wants_dnssec = 0 if asking is Asking.AUTHORITATIVE else int(dns.flags.DO)
    # The OPT record (RFC 6891 §6.1.2): root name, type, payload size, extended flags, no options.
    options = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, PAYLOAD, wants_dnssec, 0)
    return head, asked + options, len(asked)


@cache
def rdata_type(text: str) -> dns.rdatatype.RdataType:
    """The type of records.

    Raises:
        ValueError: there is none of that name, or it is no type of records.
    """
    try:
        rdtype = dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"{text[:20]!a} is not a DNS record type") from None
    if dns.rdatatype.is_metatype(rdtype):
        raise ValueError(f"{text[:20]!a} is not a type of records")
    return rdtype
