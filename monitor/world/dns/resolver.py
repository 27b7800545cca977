"""The resolver: asks the configured nameservers, bounded in time and number, past forged and broken answers."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from monitor.check import Clock, DnsAnswer, DnsStatus, Question
from monitor.world.dns.cache import AnswerCache
from monitor.world.dns.flight import Flight, Itinerary, Waiting
from monitor.world.dns.message import failed
from monitor.world.dns.nameserver import RESOLV_CONF, Nameserver, system_nameservers
from monitor.world.dns.pace import Deadlines
from monitor.world.dns.query import Asking
from monitor.world.dns.udp import UdpChannel

IN_FLIGHT = 200
"""Questions on their way at once.

A server that answers in 20 ms is asked 10,000 times a second; what is much more overflows its socket's buffer.
"""
CACHE_SIZE = 10_000

_WAITING = 3
"""How many times a question's own time it waits for a slot."""
WAITED_IN_VAIN = "waited in vain for a free slot: too many questions at once"
_CLOSED = "the resolver was closed meanwhile"
_NO_NAMESERVER = f"no nameserver: none is configured and {RESOLV_CONF} names none"


class Route:
    """One way to ask: an itinerary, and what is on it now."""

    def __init__(
        self, itinerary: Itinerary, landed: "Callable[[Route, Flight, DnsAnswer], None]"
    ) -> None:
        self.itinerary = itinerary
        self.landed = partial(landed, self)
        self.flights: dict[Question, Flight] = {}


class Resolver:
    """Implements `monitor.check.DnsClient` and hands out others that see past its cache.

    `ask` answers within `timeout` seconds, retries included, from when a slot is free; for that it waits
    three times as long at most. Identical questions in flight share one query. `queries` counts finished
    questions by status.

    Raises:
        ValueError: a nameserver is not an address with an optional port.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        nameservers: Sequence[str] = (),
        timeout: float = 5.0,
        in_flight: int = IN_FLIGHT,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.queries: Counter[DnsStatus] = Counter()
        self.nameservers = tuple(map(Nameserver.parse, nameservers)) or system_nameservers()
        self._timeout = timeout
        self.cache = AnswerCache(size=cache_size, clock=clock)
        self._free = in_flight
        self._queue: deque[_Queued] = deque()
        self._batches: deque[_Batch] = deque()
        self._serving = False
        self._closed = False
        self._deadlines = Deadlines()
        self._channels = tuple(UdpChannel(each, self._deadlines) for each in self.nameservers)
        self._route = self._way(self._channels)
        # The next nameserver first, or TCP where there is only one.
        others = (*self._channels[1:], *self._channels[:1])
        self._other = self._way(others, tcp=len(others) == 1)
        self._unchecked = {
            route: self._way(channels, tcp=route.itinerary.tcp, asking=Asking.UNCHECKED)
            for route, channels in ((self._route, self._channels), (self._other, others))
        }
        self._passing = {
            route: Route(route.itinerary, self._landed)
            for route in (self._route, self._other, *self._unchecked.values())
        }
        self._main = DnsView(self, self._route)

    def _way(
        self,
        channels: tuple[UdpChannel, ...],
        *,
        tcp: bool = False,
        asking: Asking = Asking.RESOLVED,
    ) -> Route:
        itinerary = Itinerary.through(channels, self._timeout, tcp=tcp, asking=asking)
        return Route(itinerary, self._landed)

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The answer, from the cache where it is there."""
        return await self._main.ask(name, rtype)

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        """The answers in the order of the questions."""
        return await self._main.ask_many(questions)

    def per_look(self) -> "DnsView":
        """A client that asks each question once, failures included; for one look."""
        return DnsView(self, self._route, memo={})

    def fresh(self) -> "DnsView":
        """A client that asks anew, past the cache (each question once)."""
        return DnsView(self, self._route, memo={}, cached=False)

    def other_path(self) -> "DnsView":
        """As `fresh`, by the next nameserver first, or over TCP where there is only one."""
        return DnsView(self, self._other, memo={}, cached=False)

    def unchecked(self, route: Route) -> Route:
        """The same way, with validation disabled."""
        return self._unchecked[route]

    def keeping_nothing(self, route: Route) -> Route:
        """The same way, whose answers nobody keeps."""
        return self._passing[route]

    async def aclose(self) -> None:
        """Give up on what is in flight, and on what comes later: the answers are errors."""
        self._closed = True
        self._queue.clear()
        for route in (*self._passing, *self._passing.values()):
            for flight in list(route.flights.values()):
                flight.land(failed(flight.question, DnsStatus.ERROR, _CLOSED))
        for channel in self._channels:
            channel.close()
        self._deadlines.close()
        # Connections over TCP that were cancelled see it now.
        await asyncio.sleep(0)

    def flight(self, question: Question, route: Route, loop: asyncio.AbstractEventLoop) -> Flight:
        """The question on its way, which others may wait for too."""
        flight = route.flights.get(question)
        if flight is None:
            flight = Flight(question, route.itinerary, route.landed)
            route.flights[question] = flight
            self._begin(flight, loop)
        return flight

    def _begin(self, flight: Flight, loop: asyncio.AbstractEventLoop) -> None:
        if self._closed:
            flight.land(failed(flight.question, DnsStatus.ERROR, _CLOSED))
        elif not self._channels:
            flight.land(failed(flight.question, DnsStatus.ERROR, _NO_NAMESERVER))
        elif self._free > 0:
            self._free -= 1
            flight.start(loop)
        else:
            queued = _Queued(flight, loop)
            self._queue.append(queued)
            self._deadlines.start(queued, _WAITING * self._timeout, loop.time(), loop)

    def _landed(self, route: Route, flight: Flight, answer: DnsAnswer) -> None:
        route.flights.pop(flight.question, None)
        self.queries[answer.status] += 1
        if route is self._route:
            self.cache.put(answer)
        if flight.started:
            self._free += 1
            self._serve()

    def wait(self, batch: "_Batch") -> None:
        """Have the batch begin a question whenever a slot is free and its turn has come."""
        self._batches.append(batch)
        self._serve()

    def _serve(self) -> None:
        """Give what slots are free to those who wait: single questions first, then each batch in turn."""
        if self._serving:
            return
        self._serving = True
        try:
            while self._free > 0:
                if self._queue:
                    self._start_queued(self._queue.popleft())
                elif self._batches:
                    batch = self._batches.popleft()
                    if batch.begin_one():
                        self._batches.append(batch)
                else:
                    return
        finally:
            self._serving = False

    def _start_queued(self, queued: "_Queued") -> None:
        if not queued.serial:
            self._free -= 1
            queued.flight.start(queued.loop)


class _Queued:
    """A question that waits for a slot. Implements `monitor.world.dns.pace.Timed`."""

    __slots__ = ("flight", "loop")

    def __init__(self, flight: Flight, loop: asyncio.AbstractEventLoop) -> None:
        self.flight = flight
        self.loop = loop

    @property
    def serial(self) -> int:
        """0 while it waits; it may have landed without ever being on its way."""
        return int(self.flight.started or self.flight.answer is not None)

    def overdue(self) -> None:
        self.flight.land(failed(self.flight.question, DnsStatus.ERROR, WAITED_IN_VAIN))


class DnsView:
    """Implements `monitor.check.DnsClient`: the resolver by one route, past its cache or not."""

    def __init__(
        self,
        resolver: Resolver,
        route: Route,
        *,
        memo: dict[Question, Flight | DnsAnswer] | None = None,
        cached: bool = True,
    ) -> None:
        self._resolver = resolver
        self._route = route
        self._memo = memo
        self._cached = cached

    def unchecked(self) -> "DnsView":
        """A client that asks by the same route, anew and without validation (RFC 4035 §3.2.2)."""
        route = self._resolver.unchecked(self._route)
        return DnsView(self._resolver, route, memo={}, cached=False)

    def keeping_nothing(self) -> "DnsView":
        """A client that asks by the same route, anew each time; what it hears is kept for nobody."""
        return DnsView(self._resolver, self._resolver.keeping_nothing(self._route), cached=False)

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The answer, within the resolver's time limit."""
        question = Question(name, rtype)
        loop = asyncio.get_running_loop()
        one = _One(loop.create_future())
        self.begin(question, one, 0, loop)
        answer = await one.landed
        return answer if answer.question == question else replace(answer, question=question)

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        """The answers in the order of the questions; a question's time starts when its turn comes."""
        return await _Batch(self._resolver, self, questions).answers()

    def begin(
        self,
        question: Question,
        waiting: Waiting,
        number: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Have it take the answer: now where it is known, else once it has landed."""
        question = _normal(question)
        memo = self._memo
        known: Flight | DnsAnswer | None = memo.get(question) if memo is not None else None
        if known is None:
            known = self._resolver.cache.get(question) if self._cached else None
            if known is None:
                known = self._resolver.flight(question, self._route, loop)
            if memo is not None:
                memo[question] = known
        if isinstance(known, DnsAnswer):
            waiting.take(number, known)
        else:
            known.then(waiting, number)


class _Batch:
    """Many questions, and one future for all of them."""

    def __init__(self, resolver: Resolver, view: DnsView, questions: Sequence[Question]) -> None:
        self._resolver = resolver
        self._view = view
        self._questions = questions
        self._answers: list[DnsAnswer | None] = [None] * len(questions)
        self._begun = 0
        self._left = len(questions)
        # Handed on from here: to ask for the running loop is a system call, in Python 3.11 at least.
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def answers(self) -> list[DnsAnswer]:
        """All of them, in order."""
        self._resolver.wait(self)
        if self._left:
            await self._done
        return [answer for answer in self._answers if answer is not None]

    def begin_one(self) -> bool:
        """Begin the next question; whether there are more. None are where nobody waits any more."""
        if self._done.done() or self._begun == len(self._questions):
            return False
        number = self._begun
        self._begun = number + 1
        self._view.begin(self._questions[number], self, number, self._loop)
        return self._begun < len(self._questions)

    def take(self, number: int, answer: DnsAnswer) -> None:
        question = self._questions[number]
        same = answer.question == question
        self._answers[number] = answer if same else replace(answer, question=question)
        self._left -= 1
        if self._left == 0 and not self._done.done():
            self._done.set_result(None)


class _One:
    """A question alone, and its future."""

    def __init__(self, landed: asyncio.Future[DnsAnswer]) -> None:
        self.landed = landed

    def take(self, _number: int, answer: DnsAnswer) -> None:
        if not self.landed.done():
            self.landed.set_result(answer)


def _normal(question: Question) -> Question:
    name, rtype = question.name.lower(), question.rtype.upper()
    if name != ".":
        name = name.removesuffix(".")
    if name == question.name and rtype == question.rtype:
        return question
    return Question(name, rtype)
