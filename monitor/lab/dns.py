"""The lab's DNS: one resolver and the authoritative servers, over UDP and TCP on one port.

All of them answer from the same zones. The resolver answers every name and offers recursion; an
authoritative server refuses what is in no zone. Behaviours of the scenario come before the zones.
"""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from monitor.lab import odd_answers
from monitor.lab.fillers import can_fill, fillers, least_octets
from monitor.lab.scenario import Behaviour, Deed, Scenario
from monitor.lab.zones import Answer, Zones

RESOLVER = "resolver"
RESOLVER_ADDRESS = IPv4Address("127.0.0.1")

_CLASSIC_UDP_SIZE = 512  # RFC 1035 §4.2.1
_EDNS_UDP_SIZE = 1232  # what DNS flag day 2020 settled on
_TCP_SIZE = 65535
_TCP_IDLE_SECONDS = 30
_RECEIVE_BUFFER_OCTETS = 4 * 1024 * 1024
_IPV4_LABELS = 4
_IPV6_LABELS = 32
_KNOWN = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
_ROOT_NS = dns.rrset.from_text(".", 3600, "IN", "NS", "a.root-servers.invalid.")
_ODD: dict[Deed, Callable[[dns.message.Message], bytes]] = {
    Deed.MANY_STRINGS: partial(odd_answers.large_text, string_octets=1),
    Deed.WRONG_CLASS: odd_answers.wrong_class,
    Deed.POINTER_LOOP: odd_answers.pointer_loop,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Messages to send, in this order, after a delay in seconds; none means silence.

    `forged` comes first, from another port (over UDP); `hangs_up`: a TCP connection ends.
    """

    messages: tuple[bytes, ...]
    delay: float = 0.0
    forged: bytes = b""
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    suffix: dns.name.Name
    behaviour: Behaviour

    def concerns(self, server: str, name: dns.name.Name, rdtype: str) -> bool:
        behaviour = self.behaviour
        return (
            name.is_subdomain(self.suffix)
            and behaviour.server in (None, server)
            and (not behaviour.types or rdtype in behaviour.types)
            and (behaviour.only is None or _is_address(name.relativize(self.suffix)))
        )


class Responder:
    """Answers wire messages from a world. Keeps only what a flapping name and the dice need."""

    def __init__(self, scenario: Scenario) -> None:
        self._dice = random.Random(scenario.seed)  # noqa: S311 - repeatable, not secret
        self._flaps: Counter[tuple[dns.name.Name, str]] = Counter()
        self.load(scenario)

    def load(self, scenario: Scenario) -> None:
        """Answer from another world from now on."""
        self._zones = Zones(scenario)
        self._ttl = scenario.ttl
        self._signed = [dns.name.from_text(name) for name in scenario.signed]
        self._rules = [
            _Rule(dns.name.from_text(behaviour.suffix), behaviour)
            for behaviour in reversed(scenario.behaviours.values())
        ]

    def reply(self, wire: bytes, *, server: str, udp: bool) -> Reply:
        """Return what `server` (a name server's name, or `resolver`) says to a message.

        What is no query in DNS's format is met with silence.
        """
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return Reply(())
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return Reply(())
        exchange = _Exchange(query, server=server, udp=udp)
        exchange.vouched = exchange.validates and self._is_signed(exchange.name)
        if query.opcode() != dns.opcode.QUERY:
            return Reply((exchange.wire(Answer(dns.rcode.NOTIMP)),))
        if query.question[0].rdclass != dns.rdataclass.IN:
            return Reply((exchange.wire(Answer(dns.rcode.REFUSED)),))
        behaviour = self._behaviour(exchange)
        if behaviour is None:
            return Reply((exchange.wire(self._truth(exchange)),))
        return self._behave(behaviour, exchange)

    def _is_signed(self, name: dns.name.Name) -> bool:
        below = any(name.is_subdomain(signed) for signed in self._signed)
        return below or (name == dns.name.root and bool(self._signed))

    def _behaviour(self, exchange: "_Exchange") -> Behaviour | None:
        rdtype = dns.rdatatype.to_text(exchange.rdtype)
        for rule in self._rules:
            if rule.concerns(exchange.server, exchange.name, rdtype):
                share = rule.behaviour.share
                if share == 1 or self._dice.random() < share:
                    return rule.behaviour
        return None

    def _truth(self, exchange: "_Exchange") -> Answer:
        name = exchange.name
        if exchange.server != RESOLVER and self._zones.zone_of(name) == dns.name.root:
            return Answer(dns.rcode.REFUSED)
        return self._zones.lookup(name, exchange.rdtype)

    def _behave(self, behaviour: Behaviour, exchange: "_Exchange") -> Reply:
        return Reply(
            self._messages(behaviour, exchange),
            delay=behaviour.delay if behaviour.do is Deed.SLOW else 0.0,
            forged=odd_answers.forged(exchange.query) if behaviour.do is Deed.WRONG_PORT else b"",
            hangs_up=behaviour.do is Deed.UDP_ONLY,
        )

    def _messages(self, behaviour: Behaviour, exchange: "_Exchange") -> tuple[bytes, ...]:
        match behaviour.do:
            case Deed.TRUNCATE | Deed.UDP_ONLY if exchange.udp:
                return (exchange.truncated(),)
            case Deed.HUGE if _fit_nowhere(behaviour.count, exchange):
                return (exchange.truncated(),)
            case Deed.DROP | Deed.UDP_ONLY:
                return ()
            case Deed.GARBAGE_FIRST if exchange.udp:
                return (*exchange.garbage(), exchange.wire(self._truth(exchange)))
            case _ if (odd := _odd(behaviour)) is not None:
                return (exchange.odd(odd),)
            case _:
                return (exchange.wire(self._twisted(behaviour, exchange)),)

    def _twisted(self, behaviour: Behaviour, exchange: "_Exchange") -> Answer:
        answer = self._truth(exchange)
        match behaviour.do:
            case Deed.SERVFAIL:
                answer = Answer(dns.rcode.SERVFAIL)
            case Deed.BOGUS if exchange.validates:
                answer = Answer(dns.rcode.SERVFAIL)
            case Deed.REFUSED:
                answer = Answer(dns.rcode.REFUSED)
            case Deed.LAME:
                # An upward referral, as a server gives that was never told about the zone.
                answer = Answer(dns.rcode.NOERROR, authority=(_ROOT_NS,))
            case Deed.ANSWER:
                answer = self._addresses(behaviour, exchange)
            case Deed.HUGE:
                answer = _many(exchange, count=behaviour.count, ttl=self._ttl)
            case Deed.FLAP if self._flapped_away(exchange):
                answer = Answer(dns.rcode.NXDOMAIN)
            case Deed.NXDOMAIN_REWRITE if answer.rcode == dns.rcode.NXDOMAIN:
                answer = self._addresses(behaviour, exchange)
        return answer

    def _flapped_away(self, exchange: "_Exchange") -> bool:
        key = (exchange.name, dns.rdatatype.to_text(exchange.rdtype))
        self._flaps[key] += 1
        return self._flaps[key] % 2 == 0

    def _addresses(self, behaviour: Behaviour, exchange: "_Exchange") -> Answer:
        if exchange.rdtype != dns.rdatatype.A or not behaviour.answers:
            return Answer(dns.rcode.NOERROR)
        values = [str(address) for address in behaviour.answers]
        rrset = dns.rrset.from_text_list(exchange.name, self._ttl, "IN", "A", values)
        return Answer(dns.rcode.NOERROR, (rrset,))


class _Exchange:
    """One query on its way to its response."""

    def __init__(self, query: dns.message.Message, *, server: str, udp: bool) -> None:
        self.query = query
        self.server = server
        self.udp = udp
        # RFC 4035 §3.2: asked with CD, a resolver leaves validation to who asks.
        self.validates = server == RESOLVER and not query.flags & dns.flags.CD
        self.vouched = False
        self.name = query.question[0].name
        self.rdtype = query.question[0].rdtype

    def wire(self, answer: Answer) -> bytes:
        response = self._response()
        response.set_rcode(answer.rcode)
        response.answer.extend(answer.answer)
        response.authority.extend(answer.authority)
        if self.server != RESOLVER and answer.rcode in _KNOWN:
            response.flags |= 0 if _ROOT_NS in answer.authority else dns.flags.AA
        if self.vouched and answer.rcode in _KNOWN and self.query.ednsflags & dns.flags.DO:
            response.flags |= dns.flags.AD
        try:
            return response.to_wire(max_size=self.limit)
        except dns.exception.TooBig:
            return self.truncated()

    def truncated(self) -> bytes:
        response = self._response()
        response.flags |= dns.flags.TC
        return response.to_wire()

    def garbage(self) -> tuple[bytes, bytes]:
        """Return a message with a wrong id, and one with the right id that ends in its header."""
        real = self._response().to_wire()
        wrong = bytes((real[0] ^ 0xFF, real[1])) + real[2:]
        return wrong, real[:7] + b"\xff" * 4

    def odd(self, answer: Callable[[dns.message.Message], bytes]) -> bytes:
        wire = answer(self.query)
        return wire if len(wire) <= self.limit else self.truncated()

    def _response(self) -> dns.message.Message:
        return dns.message.make_response(
            self.query, recursion_available=self.server == RESOLVER, our_payload=_EDNS_UDP_SIZE
        )

    @property
    def limit(self) -> int:
        """The octets that the response may have."""
        if not self.udp:
            return _TCP_SIZE
        if self.query.edns < 0:
            return _CLASSIC_UDP_SIZE
        return max(_CLASSIC_UDP_SIZE, min(self.query.payload, _EDNS_UDP_SIZE))


def _odd(behaviour: Behaviour) -> Callable[[dns.message.Message], bytes] | None:
    if behaviour.do is Deed.LARGE_TEXT:
        begins, repeats = behaviour.begins.encode(), behaviour.repeats.encode()
        return partial(odd_answers.large_text, begins=begins, repeats=repeats)
    return _ODD.get(behaviour.do)


def _is_address(name: dns.name.Name) -> bool:
    labels = [label.decode("latin-1") for label in name.labels]
    if len(labels) == _IPV4_LABELS:
        return all(label.isdigit() for label in labels)
    return len(labels) == _IPV6_LABELS and all(len(label) == 1 for label in labels)


def _fit_nowhere(count: int, exchange: _Exchange) -> bool:
    """Whether so many records are known not to fit, before they are made."""
    return can_fill(exchange.rdtype) and least_octets(count) > exchange.limit


def _many(exchange: _Exchange, *, count: int, ttl: int) -> Answer:
    if not can_fill(exchange.rdtype):
        return Answer(dns.rcode.NOERROR)
    return Answer(dns.rcode.NOERROR, (fillers(exchange.name, exchange.rdtype, count, ttl),))


class DnsServer:
    """The sockets: the resolver and every authoritative server, UDP and TCP, at one port."""

    def __init__(self, scenario: Scenario, *, port: int) -> None:
        self.port = port
        self._responder = Responder(scenario)
        self._addresses = {RESOLVER: RESOLVER_ADDRESS, **scenario.nameservers}
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    @staticmethod
    def addresses(scenario: Scenario) -> set[IPv4Address]:
        """Return the addresses at which a server for this world listens."""
        return {RESOLVER_ADDRESS, *scenario.nameservers.values()}

    def load(self, scenario: Scenario) -> None:
        """Answer from another world from now on; its servers are those of the start."""
        self._responder.load(scenario)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: when an address or the port is not to be had.
        """
        loop = asyncio.get_running_loop()
        for server, address in self._addresses.items():
            transport, _ = await loop.create_datagram_endpoint(
                lambda server=server: _Datagrams(self._responder, server),  # type: ignore[misc]
                (str(address), self.port),
            )
            # A monitor asks hundreds of questions at once; Linux's own buffer holds fewer.
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS
            )
            self._datagrams.append(transport)
            self._servers.append(
                await asyncio.start_server(self._accept(server), str(address), self.port)
            )

    async def stop(self) -> None:
        """Close every socket and end every conversation."""
        for transport in self._datagrams:
            transport.close()
        for listener in self._servers:
            listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(
        self, server: str
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Task[None]]:
        def accept(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> asyncio.Task[None]:
            task = asyncio.ensure_future(self._converse(server, reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
            return task

        return accept

    async def _converse(
        self, server: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer messages, each after its length in two octets (RFC 1035 §4.2.2)."""
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                while True:
                    async with asyncio.timeout(_TCP_IDLE_SECONDS):
                        length = int.from_bytes(await reader.readexactly(2), "big")
                        wire = await reader.readexactly(length)
                    reply = self._responder.reply(wire, server=server, udp=False)
                    await asyncio.sleep(reply.delay)
                    for message in reply.messages:
                        writer.write(len(message).to_bytes(2, "big") + message)
                    await writer.drain()
                    if reply.hangs_up:
                        return
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder, server: str) -> None:
        self._responder = responder
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own datagram transport is no subclass of the type that it promises.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._responder.reply(data, server=self._server, udp=True)
        if reply.delay:
            asyncio.get_running_loop().call_later(reply.delay, self._send, reply, addr)
        else:
            self._send(reply, addr)

    def _send(self, reply: Reply, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            if reply.forged:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
                    elsewhere.sendto(reply.forged, addr)
            for message in reply.messages:
                self._transport.sendto(message, addr)
