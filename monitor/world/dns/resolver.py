"""The resolver: asks the configured nameservers, bounded in time and number, past forged and broken answers."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from monitor.check import Clock, DnsAnswer, DnsStatus, Question
from monitor.world.dns.cache import AnswerCache
from monitor.world.dns.exchange import over_tcp, over_udp
from monitor.world.dns.message import Asking, Query, failed, query_for, read_answer
from monitor.world.dns.wire import Nameserver

IN_FLIGHT = 200
"""Questions on their way at once, in the whole resolver and within one `ask_many`."""
CACHE_SIZE = 10_000
RESOLV_CONF = Path("/etc/resolv.conf")

_WAITS = (1, 1, 2, 4)
"""Shares of a question's time that its attempts get: lost packets are repeated soon, slow answers awaited."""
_COST = {DnsStatus.TIMEOUT: 1, DnsStatus.SERVFAIL: 2}
"""What a failure takes from a server's tries: silence one, a passing failure half, a refusal all."""
_WAITING = 3
"""How many times a question's own time it waits for a slot."""
WAITED_IN_VAIN = "waited in vain for a free slot: too many questions at once"
_NO_NAMESERVER = f"no nameserver: none is configured and {RESOLV_CONF} names none"


def system_nameservers(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """Those that resolv.conf(5) names, in its order; none where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    found = []
    for value in (w[1] for w in words if len(w) > 1 and w[0] == "nameserver"):
        try:
            found.append(Nameserver(str(ip_address(value))))
        except ValueError:
            continue
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Route:
    """Which nameservers are asked, in order, for which kind of answer, and whether over TCP only."""

    servers: tuple[Nameserver, ...]
    tcp: bool = False
    asking: Asking = Asking.RESOLVED

    def other(self) -> "_Route":
        """The next nameserver first, or TCP where there is only one."""
        if len(self.servers) > 1:
            return replace(self, servers=(*self.servers[1:], self.servers[0]))
        return replace(self, tcp=True)

    def unchecked(self) -> "_Route":
        """The same, with validation disabled."""
        return replace(self, asking=Asking.UNCHECKED)

    def attempts(self, seconds: float) -> Iterator[tuple[Nameserver, float]]:
        """Each nameserver in turn, in rounds, with the seconds that it may take; `seconds` in all."""
        whole = sum(_WAITS) * max(1, len(self.servers))
        for share, server in itertools.product(_WAITS, self.servers):
            yield server, seconds * share / whole


class Resolver:
    """Implements `monitor.check.DnsClient` and hands out others that see past its cache.

    `ask` answers within `timeout` seconds, retries included, from when a slot is free; for that it waits
    three times as long at most. Identical
    questions in flight share one query. `queries` counts finished questions by status.

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
        self._cache = AnswerCache(size=cache_size, clock=clock)
        self._slots = asyncio.Semaphore(in_flight)
        self._flights: dict[tuple[Question, _Route], asyncio.Task[DnsAnswer]] = {}
        self._route = _Route(self.nameservers)
        self._main = DnsView(self, self._route)

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
        return DnsView(self, self._route.other(), memo={}, cached=False)

    async def aclose(self) -> None:
        """Give up on what is in flight: its answers are errors."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def start(
        self, question: Question, route: _Route, *, cached: bool
    ) -> asyncio.Future[DnsAnswer]:
        """The answer to come. Not to be cancelled: others may wait for it too."""
        kept = self._cache.get(question) if cached else None
        if kept is not None:
            done = asyncio.get_running_loop().create_future()
            done.set_result(kept)
            return done
        key = (question, route)
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._answer(question, route))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return flight

    async def _answer(self, question: Question, route: _Route) -> DnsAnswer:
        if not route.servers:
            answer = failed(question, DnsStatus.ERROR, _NO_NAMESERVER)
        else:
            try:
                answer = await self._within_limit(question, route)
            except ValueError as error:  # it cannot be asked
                return failed(question, DnsStatus.ERROR, str(error))
        self.queries[answer.status] += 1
        if route == self._route:
            self._cache.put(answer)
        return answer

    async def _within_limit(self, question: Question, route: _Route) -> DnsAnswer:
        try:
            async with asyncio.timeout(_WAITING * self._timeout):
                await self._slots.acquire()
        except TimeoutError:
            return failed(question, DnsStatus.ERROR, WAITED_IN_VAIN)
        names = ", ".join(map(str, route.servers))
        reason = f"no answer from {names} within {self._timeout:g} s"
        try:
            # From here on: a question that waited long for its slot is answered no slower than others.
            async with asyncio.timeout(self._timeout):
                answer = await self._exchange(question, route)
        except TimeoutError:
            return failed(question, DnsStatus.TIMEOUT, reason)
        finally:
            self._slots.release()
        return replace(answer, reason=reason) if answer.status is DnsStatus.TIMEOUT else answer

    async def _exchange(self, question: Question, route: _Route) -> DnsAnswer:
        failure = failed(question, DnsStatus.TIMEOUT, "")
        tries = Counter(dict.fromkeys(route.servers, len(_WAITS)))
        for server, seconds in route.attempts(self._timeout):
            if tries[server] <= 0:
                continue
            query = query_for(question, route.asking)
            answer = await self._attempt(question, query, server, seconds, tcp=route.tcp)
            if answer.known:
                return answer
            tries[server] -= _COST.get(answer.status, len(_WAITS))
            if answer.status is not DnsStatus.TIMEOUT and not failure.reason:
                failure = answer
            if max(tries.values()) <= 0:
                break
        return failure

    async def _attempt(
        self, question: Question, query: Query, server: Nameserver, seconds: float, *, tcp: bool
    ) -> DnsAnswer:
        try:
            read = partial(read_answer, question, query)
            if tcp:
                answer = await over_tcp(query, server, seconds, read)
            else:
                tcp_seconds = max(seconds, self._timeout / 4)
                answer = await over_udp(query, server, seconds, read, tcp_seconds=tcp_seconds)
        except TimeoutError:
            return failed(question, DnsStatus.TIMEOUT, "")
        except Exception as error:  # noqa: BLE001 - whatever a server sends, the look goes on
            text = str(error) or type(error).__name__
            return failed(question, DnsStatus.ERROR, f"{server}: {text[:200]}")
        return answer if answer.known else replace(answer, reason=f"{server} {answer.reason}")


class DnsView:
    """Implements `monitor.check.DnsClient`: the resolver through one route, past its cache or not."""

    def __init__(
        self,
        resolver: Resolver,
        route: _Route,
        *,
        memo: dict[Question, asyncio.Future[DnsAnswer]] | None = None,
        cached: bool = True,
    ) -> None:
        self._resolver = resolver
        self._route = route
        self._memo = memo
        self._cached = cached

    def unchecked(self) -> "DnsView":
        """A client that asks by the same route, anew and without validation (RFC 4035 §3.2.2)."""
        return DnsView(self._resolver, self._route.unchecked(), memo={}, cached=False)

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The answer, within the resolver's time limit."""
        question = Question(name, rtype)
        flight = self._start(_normal(question))
        try:
            # Shielded: who else waits for the same query must not lose it with us.
            answer = await asyncio.shield(flight)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not flight.cancelled() or (task is not None and task.cancelling()):
                raise
            return failed(question, DnsStatus.ERROR, "the resolver was closed meanwhile")
        return answer if answer.question == question else replace(answer, question=question)

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        """The answers in the order of the questions; a question's time starts when its turn comes."""
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one(question: Question) -> DnsAnswer:
            async with slots:
                return await self.ask(question.name, question.rtype)

        return list(await asyncio.gather(*map(one, questions)))

    def _start(self, question: Question) -> asyncio.Future[DnsAnswer]:
        if self._memo is None:
            return self._resolver.start(question, self._route, cached=self._cached)
        answer = self._memo.get(question)
        if answer is None:
            answer = self._resolver.start(question, self._route, cached=self._cached)
            self._memo[question] = answer
        return answer


def _normal(question: Question) -> Question:
    name = question.name.lower()
    return Question(name if name == "." else name.removesuffix("."), question.rtype.upper())
