"""Servers that answer what no honest one does: the question ends in its time, and nothing false is believed."""

import socket
import struct
import time
import tracemalloc
from collections.abc import Callable

import dns.flags
import dns.message
import pytest
from dns.message import Message

from monitor.check import DnsStatus, Question
from monitor.world.clock import SystemClock
from monitor.world.dns.message import read_answer
from monitor.world.dns.query import query_for
from monitor.world.dns.resolver import Resolver
from tests.world.loopback import DnsServer, Script, StartDns, _Datagrams

SECONDS = 0.4
MOST_MEMORY = 10 * 2**20
TXT, SPF, IN, CH = 16, 99, 1, 3
TC = 0x02
POINTER_TO_QUESTION = b"\xc0\x0c"


def resolver(server: DnsServer) -> Resolver:
    return Resolver(clock=SystemClock(), nameservers=[server.address], timeout=SECONDS)


def head(query: Message, *, answers: int) -> bytes:
    """A response up to the end of its question."""
    asked = dns.message.make_query(query.question[0].name, query.question[0].rdtype).to_wire()[12:]
    flags = dns.flags.QR | dns.flags.RA
    return struct.pack("!6H", query.id, flags, 1, answers, 0, 0) + asked


def truncated(query: Message) -> bytes:
    message = head(query, answers=0)
    return message[:2] + bytes((message[2] | TC,)) + message[3:]


def record(
    data: bytes, *, owner: bytes = POINTER_TO_QUESTION, rdclass: int = IN, rdtype: int = TXT
) -> bytes:
    return owner + struct.pack("!HHIH", rdtype, rdclass, 60, len(data)) + data


def strings(text: bytes, *, octets: int) -> bytes:
    parts = [text[n : n + octets] for n in range(0, len(text), octets)]
    return b"".join(len(part).to_bytes() + part for part in parts)


def over_tcp(*records: bytes) -> Script:
    """An answer that is to be had over TCP only."""

    def script(query: Message, transport: str) -> list[bytes]:
        if transport == "udp":
            return [truncated(query)]
        message = head(query, answers=len(records)) + b"".join(records)
        return [len(message).to_bytes(2, "big") + message]

    return script


async def test_a_text_as_long_as_a_message_is_read_whole(dns_server: StartDns) -> None:
    text = b"x" * 64_000
    answer = await resolver(await dns_server(over_tcp(record(strings(text, octets=255))))).ask(
        "x", "TXT"
    )
    assert answer.records == (text.decode(),)


@pytest.mark.parametrize("octets", [255, 11], ids=["64 KiB", "5,400 strings"])
def test_the_largest_records_take_little_time_and_memory(octets: int) -> None:
    question = Question("x", "TXT")
    query = query_for(question)
    content = strings(b"x" * (65_000 // (octets + 1) * octets), octets=octets)
    message = head(dns.message.from_wire(query.wire), answers=1) + record(content)
    started = time.thread_time()
    answer = read_answer(question, query, message)
    assert time.thread_time() - started < 0.05
    assert answer.known or "strings" in answer.reason
    tracemalloc.start()
    try:
        read_answer(question, query, message)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def sends(make: Callable[[Message], bytes]) -> Script:
    return lambda query, _transport: [make(query)]


NAMES = {
    "a name that points at itself": record(b"\x01x", owner=b"\xc0\x1d"),
    "a name that points ahead": record(b"\x01x", owner=b"\xc0\xff"),
    "two names that point at each other": record(b"\x01x", owner=b"\x01a\xc0\x1d"),
    "records of another class": record(b"\x01x", rdclass=CH),
    "records of another name": record(b"\x01x", owner=b"\x01y\x00"),
    "records of another type": record(b"\x01x", rdtype=SPF),
    "a length beyond the end": record(b"\x01x")[:-3] + b"\xff\xff\x01x",
    "a string beyond the end": record(b"\xffx"),
}


@pytest.mark.parametrize("answer", NAMES.values(), ids=NAMES)
async def test_what_is_no_answer_tells_nothing(dns_server: StartDns, answer: bytes) -> None:
    server = await dns_server(sends(lambda query: head(query, answers=1) + answer))
    started = time.monotonic()
    told = await resolver(server).ask("x", "TXT")
    assert time.monotonic() - started < 2 * SECONDS
    assert not told.known
    assert told.status in {DnsStatus.TIMEOUT, DnsStatus.ERROR}


async def test_an_answer_from_another_port_is_not_heard(
    dns_server: StartDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right in its id and its question, and sent before the true one."""
    forged = 0

    def answering(self: _Datagrams, data: bytes, addr: tuple[str, int]) -> None:
        nonlocal forged
        query = dns.message.from_wire(data)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            forged += elsewhere.sendto(head(query, answers=1) + record(b"\x06forged"), addr)
        self.transport.sendto(head(query, answers=1) + record(b"\x04true"), addr)

    monkeypatch.setattr(_Datagrams, "datagram_received", answering)
    answer = await resolver(await dns_server(lambda *_: [])).ask("x", "TXT")
    assert forged
    assert answer.records == ("true",)


async def test_a_truncated_answer_whose_tcp_port_is_closed_is_an_error_at_once() -> None:
    server = DnsServer(sends(truncated))
    await server.start()
    server.closers[0]()
    answer = await resolver(server).ask("x", "TXT")
    server.close()
    assert answer.status is DnsStatus.ERROR
    assert "Connect call failed" in answer.reason
