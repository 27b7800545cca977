"""All that one server is asked over UDP: many queries at once on a few sockets."""

import asyncio
import socket
from collections import deque

import structlog

from monitor.world.dns.nameserver import Nameserver
from monitor.world.dns.pace import Deadlines, TokenBucket
from monitor.world.dns.query import Query, random_id

log = structlog.get_logger()

SOCKETS = 16
"""A port is guessed among so many, and what arrives at once finds room: one socket's buffer holds a few hundred."""
QUERIES_A_SOCKET = 20_000
"""Then it makes room for one with another random port."""
_LONGEST = 8192
"""More than we say that we take (EDNS): what is cut off here is no response."""
_AT_ONCE = 4
"""Datagrams read at a time from one socket: neither a flood nor a sweep must hold up all else."""
_BURST = 200
"""Queries sent at once to one server: rbldnsd's socket drops what is much more."""
_RATE = 100_000.0
"""Queries a second to one server."""


class Sent:
    """A query on its way, or waiting for its turn; who asks inherits from it.

    `query` and `seconds` (how long a response is awaited) are set before it is sent; it may be sent again.
    Where the response came, or nothing is awaited any more, `forget` is due. Implements
    `monitor.world.dns.pace.Timed`.
    """

    __slots__ = ("home", "query", "seconds", "serial")

    query: Query
    seconds: float

    def __init__(self) -> None:
        self.serial = 0
        self.home: _Socket | None = None

    def forget(self) -> None:
        """No response is awaited any more."""
        self.serial += 1
        if self.home is not None:
            self.home.waiting.pop(self.query.wire[:2], None)
            self.home = None

    def overdue(self) -> None:
        """No response came in time."""
        if self.home is not None:
            self.home.wear_out()
        self.forget()
        self.silent()

    def replied(self, wire: bytes) -> None:
        """A datagram that has the query's id. It may be forged, and the true one follow."""
        raise NotImplementedError

    def silent(self) -> None:
        """No response came in time."""
        raise NotImplementedError

    def unreached(self, error: OSError) -> None:
        """The server cannot be reached."""
        raise NotImplementedError


class UdpChannel:
    """Connected sockets with random ports to one server: the kernel drops what comes from elsewhere.

    `keeps_case`, `folded`: what is known of how it repeats the letters of a question; see `Query.mixed`.
    """

    def __init__(self, server: Nameserver, deadlines: Deadlines, *, sockets: int = SOCKETS) -> None:
        self.server = server
        self.keeps_case = False
        self.folded = 0
        self._deadlines = deadlines
        self._most = sockets
        self._sockets: deque[_Socket] = deque()
        self._retired: set[_Socket] = set()
        self._pace = TokenBucket(_RATE, _BURST)
        self._held: deque[tuple[int, Sent]] = deque()

    def ask(self, sent: Sent, now: float, loop: asyncio.AbstractEventLoop) -> None:
        """Send the query as soon as the server's pace allows; its time begins then. `now` is the loop's.

        Raises:
            OSError: the server cannot be reached.
        """
        wait = self._pace.take(now) if not self._held else 1.0
        if wait == 0.0:
            self._send(sent, now, loop)
            return
        if not self._held:
            loop.call_later(wait, self._release, loop)
        self._held.append((sent.serial, sent))

    def close(self) -> None:
        """Close the sockets; what is on its way hears nothing any more."""
        for each in (*self._sockets, *self._retired):
            each.close()
        self._sockets.clear()
        self._retired.clear()
        self._held.clear()

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._held:
            serial, sent = self._held[0]
            if sent.serial == serial:
                now = loop.time()
                wait = self._pace.take(now)
                if wait > 0.0:
                    loop.call_later(wait, self._release, loop)
                    return
            self._held.popleft()
            if sent.serial == serial:
                try:
                    self._send(sent, now, loop)
                except OSError as error:
                    sent.unreached(error)

    def _send(self, sent: Sent, now: float, loop: asyncio.AbstractEventLoop) -> None:
        sockets = self._sockets
        if len(sockets) < self._most:
            sockets.appendleft(_Socket(self.server, loop))
        home = sockets[0]
        if home.queries >= QUERIES_A_SOCKET:
            home = sockets[0] = self._in_place_of(home, loop)
        sockets.rotate(-1)
        query, waiting = sent.query, home.waiting
        while (key := query.wire[:2]) in waiting:
            query.wire = random_id() + query.wire[2:]
        try:
            home.send(query.wire)
        except OSError as error:
            # It may be bound to an address that we have no more, or tell what came of earlier queries (ICMP).
            if isinstance(error, ConnectionRefusedError):
                loop.call_soon(home.unreached, error)
            home = sockets[-1] = self._in_place_of(home, loop)
            waiting = home.waiting
            home.send(query.wire)
        sent.home = home
        waiting[key] = sent
        self._deadlines.start(sent, sent.seconds, now, loop)

    def _in_place_of(self, old: "_Socket", loop: asyncio.AbstractEventLoop) -> "_Socket":
        new = _Socket(self.server, loop)
        self._retire(old)
        return new

    def _retire(self, old: "_Socket") -> None:
        for idle in [each for each in self._retired if not each.waiting]:
            idle.close()
            self._retired.discard(idle)
        self._retired.add(old)


class _Socket:
    """One connected socket. `waiting` holds who waits, by the query's id."""

    __slots__ = ("_loop", "_socket", "queries", "waiting")

    def __init__(self, server: Nameserver, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting: dict[bytes, Sent] = {}
        self.queries = 0
        self._loop = loop
        family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect((server.address, server.port))
        except BaseException:
            self._socket.close()
            raise
        loop.add_reader(self._socket, self._readable)

    def send(self, wire: bytes) -> None:
        self.queries += 1
        try:
            self._socket.send(wire)
        except BlockingIOError:  # a full buffer: as if it had been lost on its way
            log.debug("dns.send_buffer_full")
        except OSError:
            self.wear_out()
            raise

    def wear_out(self) -> None:
        """Use another from now on: this one keeps the address of ours that it began with, which may be gone."""
        self.queries = QUERIES_A_SOCKET

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        """Read until nothing is left: a wake-up of the loop costs more than a datagram."""
        receive, waiting = self._socket.recv, self.waiting
        for _ in range(_AT_ONCE):
            try:
                wire = receive(_LONGEST)
            except BlockingIOError:
                return
            except OSError as error:
                self.unreached(error)
                return
            sent = waiting.get(wire[:2])
            if sent is not None:
                sent.replied(wire)
            if self._socket.fileno() < 0:
                return

    def unreached(self, error: OSError) -> None:
        """Nobody listens there (ICMP): all who wait here wait in vain."""
        everyone = list(self.waiting.values())
        self.waiting.clear()
        for sent in everyone:
            sent.forget()
            sent.unreached(error)
