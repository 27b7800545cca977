"""Many questions at once to one server: what goes out cannot be guessed, what comes in cannot do harm."""

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns.message import Message
from hypothesis import given
from hypothesis import strategies as st

from monitor.check import DnsAnswer, DnsStatus, Question
from monitor.world.clock import SystemClock
from monitor.world.dns import udp
from monitor.world.dns.flight import Flight, Itinerary
from monitor.world.dns.nameserver import Nameserver
from monitor.world.dns.pace import Deadlines, TokenBucket
from monitor.world.dns.query import Asking
from monitor.world.dns.resolver import Resolver
from monitor.world.dns.udp import UdpChannel

TRUE, FORGED = "192.0.2.1", "192.0.2.66"
Answers = Callable[[Message, tuple[str, int]], list[bytes]]


def answer(query: Message, address: str = TRUE, *, folded: bool = False) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    if folded:
        small = query.question[0].name.canonicalize()
        response.question = [
            dns.rrset.RRset(small, query.question[0].rdclass, query.question[0].rdtype)
        ]
    owner = response.question[0].name
    response.answer = [dns.rrset.from_text(owner, 60, "IN", "A", address)]
    return response.to_wire()


@contextmanager
def server(answers: Answers) -> Iterator[SimpleNamespace]:
    """A nameserver; `seen` has (name as it was asked, port, id) of every query."""
    there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    there.bind(("127.0.0.1", 0))
    seen: list[tuple[str, int, int]] = []

    def readable() -> None:
        wire, sender = there.recvfrom(4096)
        query = dns.message.from_wire(wire)
        seen.append((query.question[0].name.to_text(omit_final_dot=True), sender[1], query.id))
        for reply in answers(query, sender):
            there.sendto(reply, sender)

    loop = asyncio.get_running_loop()
    loop.add_reader(there, readable)
    try:
        yield SimpleNamespace(seen=seen, port=there.getsockname()[1], send=there.sendto)
    finally:
        loop.remove_reader(there)
        there.close()


def client(port: int, seconds: float = 2.0) -> Resolver:
    return Resolver(clock=SystemClock(), nameservers=[f"127.0.0.1:{port}"], timeout=seconds)


def names(number: int, label: str = "long-name") -> list[Question]:
    return [Question(f"{label}-with-letters-{n}.example", "A") for n in range(number)]


async def test_ports_ids_and_letters_are_random() -> None:
    with server(lambda query, _: [answer(query)]) as there:
        resolver = client(there.port)
        answers = await resolver.ask_many(names(300))
        await resolver.aclose()
    assert {a.records for a in answers} == {(TRUE,)}
    assert len({port for _, port, _ in there.seen}) >= udp.SOCKETS
    assert len({number for *_, number in there.seen}) > 250
    assert sum(name != name.lower() for name, *_ in there.seen) > 290


async def test_a_port_is_not_used_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "QUERIES_A_SOCKET", 5)
    with server(lambda query, _: [answer(query)]) as there:
        resolver = client(there.port)
        answers = await resolver.ask_many(names(400))
        await resolver.aclose()
    assert {a.records for a in answers} == {(TRUE,)}
    assert len({port for _, port, _ in there.seen}) > 3 * udp.SOCKETS


async def test_a_port_that_brought_no_response_is_given_up() -> None:
    """A connected socket keeps our address of then: where that is gone, it would be deaf for ever."""
    with server(lambda _query, _: [answer(_query)] if len(there.seen) > 1 else []) as there:
        resolver = client(there.port, seconds=0.8)
        assert (await resolver.ask("x.example", "A")).records == (TRUE,)
        deaf = there.seen[0][1]
        await resolver.ask_many(names(200))
        await resolver.aclose()
    assert [port for _, port, _ in there.seen].count(deaf) == 1


async def test_a_server_that_does_not_know_edns_is_asked_without() -> None:
    def answers(query: Message, _sender: object) -> list[bytes]:
        if query.edns < 0:
            return [answer(query)]
        return [dns.message.make_response(query).to_wire()[:3] + b"\1" + bytes(8)]

    with server(answers) as there:
        resolver = client(there.port)
        found = await resolver.ask_many(names(3))
        await resolver.aclose()
    assert [each.records for each in found] == [(TRUE,)] * 3


@pytest.mark.parametrize("response", ["without EDNS", "folded"])
async def test_a_question_asked_in_another_way_takes_no_longer(response: str) -> None:
    """Its last attempt is answered late, in a way that has it asked once more; then nobody answers."""

    def answers(query: Message, sender: tuple[str, int]) -> list[bytes]:
        refusal = dns.message.make_response(query).to_wire()[:3] + b"\1" + bytes(8)
        wire = refusal if response == "without EDNS" else answer(query, folded=True)
        if len(there.seen) == 6:
            asyncio.get_running_loop().call_later(0.3, there.send, wire, sender)
        return []

    with server(answers) as there:
        resolver = client(there.port, seconds=1.0)
        started = time.monotonic()
        said = await resolver.ask("x.example", "A")
        taken = time.monotonic() - started
        await resolver.aclose()
    assert (said.status, len(there.seen)) == (DnsStatus.TIMEOUT, 7)
    assert taken < 1.15


async def test_who_waits_hears_that_nobody_listens() -> None:
    """What came of one question is told when the next one is sent from its socket (ICMP)."""
    with server(lambda _query, _: []) as there:
        port = there.port
    resolver = client(port)
    started = time.monotonic()
    found = await resolver.ask_many(names(500))
    await resolver.aclose()
    assert {each.status for each in found} == {DnsStatus.ERROR}
    assert time.monotonic() - started < 1.0


async def test_what_another_sends_is_not_heard() -> None:
    """Not even with the right id, port and question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:

        def answers(query: Message, sender: tuple[str, int]) -> list[bytes]:
            other.sendto(answer(query, FORGED), sender)
            return [answer(query)]

        with server(answers) as there:
            resolver = client(there.port)
            said = await resolver.ask_many(names(20))
            await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}


async def test_letters_in_another_case_are_a_forgery_where_the_server_keeps_it() -> None:
    def answers(query: Message, _: object) -> list[bytes]:
        first = not there.seen[1:]
        return [answer(query)] if first else [answer(query, FORGED, folded=True), answer(query)]

    with server(answers) as there:
        resolver = client(there.port)
        said = [await resolver.ask(question.name, "A") for question in names(10)]
        await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}


async def test_a_server_that_folds_case_is_understood_and_soon_asked_plainly() -> None:
    with server(lambda query, _: [answer(query, folded=True)]) as there:
        resolver = client(there.port)
        said = [await resolver.ask(question.name, "A") for question in names(10)]
        await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}
    asked = [name for name, *_ in there.seen]
    assert len(asked) == 13, "the first three questions are repeated in small letters"
    assert all(name == name.lower() for name in asked[6:])


@pytest.mark.parametrize("first", ["1.2.3.4.", "."], ids=["no letter", "root"])
async def test_a_question_without_letters_tells_nothing_of_how_a_server_treats_them(
    first: str,
) -> None:
    with server(lambda query, _: [answer(query, folded=True)]) as there:
        resolver = client(there.port)
        await resolver.ask(first, "A")
        said = await resolver.ask_many(names(10))
        await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}


async def test_a_server_that_folds_case_now_and_then_is_understood_after_all() -> None:
    """A forwarder may repeat what its cache has as it was asked, and the rest as the server behind it does."""
    with server(lambda query, _: [answer(query, folded=bool(there.seen[1:]))]) as there:
        resolver = client(there.port)
        said = [await resolver.ask(question.name, "A") for question in names(10)]
        await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}


async def test_a_failure_without_a_question_tells_nothing_of_letters_either() -> None:
    def answers(query: Message, _: object) -> list[bytes]:
        if there.seen[1:]:
            return [answer(query, folded=True)]
        failure = dns.message.make_response(query)
        failure.set_rcode(dns.rcode.SERVFAIL)
        failure.question = []
        return [failure.to_wire()]

    with server(answers) as there:
        resolver = client(there.port)
        said = await resolver.ask_many(names(10))
        await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}


async def test_a_socket_that_can_send_no_more_is_replaced() -> None:
    """A connected socket keeps our address, which the machine may have lost since."""
    with server(lambda query, _: [answer(query)]) as there:
        resolver = client(there.port)
        await resolver.ask_many(names(50))
        for broken in resolver._channels[0]._sockets:
            broken._socket.shutdown(socket.SHUT_WR)
        said = await resolver.ask_many(names(50, "other"))
        await resolver.aclose()
    assert {a.records for a in said} == {(TRUE,)}


async def test_no_more_than_a_few_hundred_are_on_their_way() -> None:
    """A server's socket holds no more: what is too much is lost without a word."""
    waiting: list[tuple[bytes, tuple[str, int]]] = []
    most = 0

    def answers(query: Message, sender: tuple[str, int]) -> list[bytes]:
        nonlocal most
        waiting.append((answer(query), sender))
        most = max(most, len(waiting))
        return []

    with server(answers) as there, socket.socket(socket.AF_INET, socket.SOCK_DGRAM):
        resolver = client(there.port, seconds=30)
        asking = asyncio.create_task(resolver.ask_many(names(1000)))
        async with asyncio.timeout(5):
            while most < 200:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        await resolver.aclose()
        said = await asking
    assert most == 200
    assert {a.status for a in said} == {DnsStatus.ERROR}


async def test_a_closed_resolver_asks_nothing_more() -> None:
    with server(lambda _query, _: []) as there:
        resolver = Resolver(
            clock=SystemClock(), nameservers=[f"127.0.0.1:{there.port}"], timeout=9, in_flight=1
        )
        asking = [asyncio.create_task(resolver.ask(each.name, "A")) for each in names(3)]
        async with asyncio.timeout(5):
            while not there.seen:
                await asyncio.sleep(0.01)
        await resolver.aclose()
        said = await asyncio.gather(*asking)
        await asyncio.sleep(0.05)
    assert {a.status for a in said} == {DnsStatus.ERROR}
    assert len(there.seen) == 1


@given(st.lists(st.floats(0, 0.02), min_size=1, max_size=300))
def test_a_bucket_lets_no_more_through_than_it_says(pauses: list[float]) -> None:
    bucket, now, went = TokenBucket(rate=500, burst=20), 100.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now) == 0.0:
            went.append(now)
    for first in range(len(went)):
        for last in range(first, len(went)):
            assert last - first + 1 <= 20 + 500 * (went[last] - went[first]) + 1e-6


def test_a_bucket_says_how_long_to_wait() -> None:
    bucket = TokenBucket(rate=10, burst=2)
    assert [bucket.take(1.0), bucket.take(1.0)] == [0.0, 0.0]
    wait = bucket.take(1.0)
    assert bucket.take(1.0 + wait * 0.9) > 0
    assert bucket.take(1.0 + wait * 1.01) == 0.0


async def test_a_deadline_rings_unless_something_else_is_waited_for() -> None:
    rung = []
    timed = [SimpleNamespace(serial=0, overdue=lambda n=n: rung.append(n)) for n in range(4)]
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    for number, seconds in enumerate([0.05, 0.01, 0.01, 0.05]):
        deadlines.start(timed[number], seconds, loop.time(), loop)
    timed[2].serial = 1
    async with asyncio.timeout(2):
        while len(rung) < 3:
            await asyncio.sleep(0.01)
    assert rung == [1, 0, 3]


# --- whatever arrives ---


class _Loop:
    """Takes connections that are not made."""

    def time(self) -> float:
        return 0.0

    def create_task(self, coroutine: Any) -> Any:
        coroutine.close()
        return SimpleNamespace(cancel=lambda: None)


class _Channel:
    server = Nameserver("192.0.2.53")
    keeps_case = True
    folded = 0

    def ask(self, *_: object) -> None: ...


def response(query: bytes, rcode: int) -> bytearray:
    made = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    made.set_rcode(rcode)
    return bytearray(made.to_wire() + b"\0\0\6\0\1\0\0\0\5")


def passed_over(wire_of: Callable[[bytes], bytes]) -> list[DnsAnswer]:
    """What a question lands with when this datagram comes in, made of the query; nothing while it waits on."""
    landed: list[DnsAnswer] = []
    channel = cast("UdpChannel", _Channel())
    itinerary = Itinerary.through((channel,), 5.0, tcp=False, asking=Asking.RESOLVED)
    flight = Flight(Question("x.example", "A"), itinerary, lambda _, said: landed.append(said))
    flight.start(cast("asyncio.AbstractEventLoop", _Loop()))
    flight.replied(wire_of(flight.query.wire))
    return landed


@given(st.binary(max_size=300), st.booleans())
def test_no_datagram_does_harm(body: bytes, fits: bool) -> None:
    """Raw bytes, alone or behind the right header and question."""

    def wire_of(query: bytes) -> bytes:
        return query[:2] + (b"\x81\x80" + query[4:27] if fits else b"") + body

    for said in passed_over(wire_of):
        assert said.status in DnsStatus


def test_no_broken_response_does_harm() -> None:
    """Very many responses of which some bytes are others, or missing: an answer with a status, or none yet."""
    chance = random.Random(20261125)
    for number in range(int(os.environ.get("FUZZ_DATAGRAMS", "20000"))):

        def wire_of(query: bytes, rcode: int = number % 6) -> bytes:
            wire = response(query, rcode)
            for _ in range(chance.randrange(1, 6)):
                wire[chance.randrange(2, len(wire))] = chance.randrange(256)
            return bytes(wire[: chance.choice((len(wire), chance.randrange(len(wire))))])

        for said in passed_over(wire_of):
            assert said.status in DnsStatus
            assert said.records == ()
