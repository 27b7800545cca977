"""Queries and responses as bytes: what dnspython says of them too, and nothing that costs much."""

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import DnsStatus, Question
from monitor.world.dns.frame import MOST_IN_MESSAGE, MOST_STRINGS
from monitor.world.dns.message import (
    MOST_RECORDS,
    NotOursError,
    TruncatedError,
    read_answer,
)
from monitor.world.dns.query import Asking, query_for
from tests.protocol.limits import MEMORY, SECONDS, in_time, memory, seconds

LABELS = st.text("aBz09-_ *@é\x00\\.", min_size=1, max_size=64)
NAMES = st.lists(LABELS, max_size=6).map(".".join) | st.text(max_size=260) | st.just(".")
QUESTION = Question("Some.example", "TXT")
QUERY = query_for(QUESTION)
POINTER = b"\xc0\x0c"


@given(NAMES, st.sampled_from(["A", "TXT", "TLSA", "TYPE99", "AXFR", "OPT", "X", ""]))
def test_any_question_is_a_query_that_dnspython_reads_or_refused(name: str, rtype: str) -> None:
    for asking in Asking:
        try:
            query = query_for(Question(name, rtype), asking)
        except ValueError:
            continue
        message = dns.message.from_wire(query.wire)
        (asked,) = message.question
        wanted = () if name == "." else name.removesuffix(".").encode().split(b".")
        assert asked.name == dns.name.Name([*wanted, b""])
        assert asked.rdtype == dns.rdatatype.from_text(rtype)
        assert asked.rdclass == dns.rdataclass.IN
        assert message.flags == asking.value
        assert bool(message.ednsflags & dns.flags.DO) == (asking is not Asking.AUTHORITATIVE)


def response(rcode: int, *, question: bool) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(QUERY.wire))
    made.set_rcode(rcode)
    if not question:
        made.question = []
    return made.to_wire()


CHANGES = st.lists(
    st.tuples(st.integers(0, QUERY.question_end - 1), st.integers(0, 255)), max_size=2
)


@given(
    rcode=st.sampled_from([0, 1, 2, 3, 4, 5, 9]),
    question=st.booleans(),
    changes=CHANGES,
    upper=st.booleans(),
)
def test_a_response_is_recognized_as_dnspython_recognizes_it(
    rcode: int, question: bool, changes: list[tuple[int, int]], upper: bool
) -> None:
    wire = bytearray(response(rcode, question=question))
    end = QUERY.question_end if question else 12
    for place, value in changes:
        wire[place % end] = value
    if upper:
        wire[12 : QUERY.question_end] = wire[12 : QUERY.question_end].upper()
    try:
        message = dns.message.from_wire(bytes(wire))
    except Exception:  # noqa: BLE001 - what dnspython cannot read is refused later
        return
    expected = dns.message.from_wire(QUERY.wire).is_response(message)
    assert (QUERY.is_answered_by(wire) or QUERY.is_refused_by(wire)) == expected


def read(wire: bytes, rtype: str = "TXT") -> DnsStatus | None:
    """What the response says; None where it is none."""
    question = Question(QUESTION.name, rtype)
    query = query_for(question)
    with suppress(NotOursError, TruncatedError):
        return read_answer(question, query, query.wire[:2] + wire[2:]).status
    return None


def message(
    *records: bytes,
    rtype: str = "TXT",
    authority: tuple[bytes, ...] = (),
    additional: tuple[bytes, ...] = (),
) -> bytes:
    query = query_for(Question(QUESTION.name, rtype))
    counts = (1, len(records), len(authority), len(additional))
    head = query.wire[:2] + b"\x81\x80" + struct.pack("!4H", *counts)
    asked = query.wire[12 : query.question_end]
    return b"".join((head, asked, *records, *authority, *additional))[:65535]


def record(rtype: int, data: bytes, *, owner: bytes = POINTER, rclass: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", rtype, rclass, 60, len(data)) + data


@given(
    counts=st.binary(min_size=6, max_size=6) | st.just(b"\0\1\0\1\0\1"),
    rest=st.binary(max_size=300)
    | st.lists(
        st.builds(
            record,
            st.integers(0, 65535) | st.sampled_from([1, 2, 5, 6, 15, 16, 28, 41, 43, 46, 48, 52]),
            st.binary(max_size=40),
            owner=st.binary(max_size=4) | st.just(POINTER),
            rclass=st.sampled_from([1, 1, 1, 3, 255, 4096]),
        ),
        max_size=4,
    ).map(b"".join),
    rtype=st.sampled_from(["A", "TXT", "MX", "NS", "SOA", "TLSA", "DNSKEY", "DS", "PTR"]),
    flags=st.binary(min_size=2, max_size=2) | st.just(b"\x81\x80"),
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_after_the_question_are_an_answer_or_none(
    counts: bytes, rest: bytes, rtype: str, flags: bytes
) -> None:
    head = message(rtype=rtype)
    with in_time():
        assert read(head[:2] + flags + head[4:6] + counts + head[12:] + rest, rtype) in {
            None,
            *DnsStatus,
        }


@given(st.binary(max_size=100))
def test_any_bytes_at_all_are_none(wire: bytes) -> None:
    assert read(wire) is None or QUERY.is_answered_by(QUERY.wire[:2] + wire[2:])


def chain_of_pointers() -> bytes:
    """A record full of pointers, each to the one before it, and a name that begins at the last."""
    start = QUERY.question_end + 12
    places = range(start, 16_000, 2)
    data = POINTER + b"".join(struct.pack("!H", 0xC000 | place) for place in places)
    last = struct.pack("!H", 0xC000 | places[-1])
    names = [record(1, bytes((0, 0, n // 256, n % 256)), owner=last) for n in range(299)]
    return message(record(65400, data), *names)


SERVICE_PARAMETERS = b"".join(struct.pack("!HH", number, 0) for number in range(7, 57))
TYPE_BITS = b"".join(bytes((window, 32)) + b"\xff" * 32 for window in range(256))
SIGNATURE = struct.pack("!HBBIII", 48, 13, 2, 60, 2**31, 1)
BOMBS: dict[str, tuple[bytes, DnsStatus | None]] = {
    "64 KiB of text": (message(record(16, (b"\xff" + b"a" * 255) * 255)), DnsStatus.OK),
    "as many strings as are read": (message(record(16, b"\1a" * MOST_STRINGS)), DnsStatus.OK),
    "tens of thousands of strings": (message(record(16, b"\1a" * 32_600)), DnsStatus.ERROR),
    "nothing but empty strings": (message(record(16, bytes(65_000))), DnsStatus.ERROR),
    "strings of many records": (
        message(*(record(16, b"\1a" * 40 + bytes((1, n))) for n in range(256))),
        DnsStatus.ERROR,
    ),
    "many TXT records": (
        message(*(record(16, b"\xc8" + bytes((n,)) * 200) for n in range(256))),
        DnsStatus.OK,
    ),
    "one record more than are read": (
        message(*[record(16, b"\1a")] * (MOST_IN_MESSAGE + 1)),
        DnsStatus.ERROR,
    ),
    "many options": (
        message(additional=(record(41, b"\xfd\xe9\0\0" * 16_000, owner=b"\0", rclass=1232),)),
        DnsStatus.ERROR,
    ),
    "types that nobody asks for": (
        message(
            authority=tuple(
                record(65, struct.pack("!H", 1) + b"\0" + SERVICE_PARAMETERS) for _ in range(250)
            )
        ),
        DnsStatus.NODATA,
    ),
    "types in all windows": (
        message(authority=tuple(record(47, b"\0" + TYPE_BITS) for _ in range(7))),
        DnsStatus.NODATA,
    ),
    "types and classes that nobody knows": (
        message(authority=tuple(record(256 + n, b"", rclass=n) for n in range(300))),
        DnsStatus.NODATA,
    ),
    "signatures": (
        message(
            *(record(46, SIGNATURE + struct.pack("!H", n) + b"\0" + bytes(64)) for n in range(300))
        ),
        DnsStatus.ERROR,
    ),
    "pointers to pointers": (chain_of_pointers(), None),
    "a name that points at itself": (
        message(record(16, b"\1a", owner=struct.pack("!H", 0xC000 | QUERY.question_end))),
        None,
    ),
    "aliases of one name": (
        message(*(record(5, bytes((3,)) + b"%03d" % n + b"\0") for n in range(300))),
        DnsStatus.NODATA,
    ),
    "another class": (message(record(16, b"\1a", rclass=3)), DnsStatus.ERROR),
}


@pytest.mark.parametrize(("wire", "status"), BOMBS.values(), ids=BOMBS)
def test_bombs_cost_little(wire: bytes, status: DnsStatus | None) -> None:
    assert read(wire) == status
    assert seconds(partial(read, wire)) < SECONDS
    assert memory(partial(read, wire)) < MEMORY


SETS: dict[str, Callable[[bytes], bytes]] = {
    "DNSKEY": lambda number: struct.pack("!HBB", 257, 3, 8) + number * 100,
    "DS": lambda number: number + b"\x08\x02" + bytes(32),
    "TLSA": lambda number: b"\3\1\1" + number * 16,
    "MX": lambda number: number + POINTER,
    "NS": lambda number: b"\4" + number.hex().encode() + POINTER,
    "PTR": lambda number: b"\4" + number.hex().encode() + POINTER,
    "A": lambda number: b"\x0a\0" + number,
    "AAAA": lambda number: bytes(14) + number,
}


@pytest.mark.parametrize("rtype", SETS)
@pytest.mark.parametrize(
    ("count", "status"), [(MOST_RECORDS, DnsStatus.OK), (MOST_RECORDS + 1, DnsStatus.ERROR)]
)
def test_large_sets_cost_little(rtype: str, count: int, status: DnsStatus) -> None:
    made = SETS[rtype]
    number = dns.rdatatype.from_text(rtype)
    records = (record(number, made(struct.pack("!H", n))) for n in range(count))
    wire = message(*records, rtype=rtype)
    assert read(wire, rtype) == status
    assert seconds(partial(read, wire, rtype)) < SECONDS
    assert memory(partial(read, wire, rtype)) < MEMORY
