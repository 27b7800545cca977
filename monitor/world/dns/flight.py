"""One question on its way to its answer: from server to server, over UDP, and over TCP where that is needed."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from monitor.check import DnsAnswer, DnsStatus, Question
from monitor.world.dns.message import NotOursError, TruncatedError, failed, read_answer
from monitor.world.dns.query import Asking, Query, query_for
from monitor.world.dns.tcp import over_tcp
from monitor.world.dns.udp import Sent, UdpChannel

_WAITS = (1, 1, 1, 1, 2, 4)
"""Shares of a question's time that its attempts get: lost packets are repeated soon, slow answers awaited.

Where one of twenty packets is lost, four attempts would leave six questions of a million without an answer.
"""
_COST = {DnsStatus.TIMEOUT: 1, DnsStatus.SERVFAIL: len(_WAITS) // 2}
"""What a failure takes from a server's tries: silence one, a passing failure half, a refusal all."""
_PROOFS_OF_FOLDING = 3
"""Responses in another case, and no true one after them, before a server is taken for one that does not keep it."""


@dataclass(frozen=True, slots=True)
class Itinerary:
    """How a question is asked: whom, in which order and for how long each; `seconds` are those of it all."""

    attempts: tuple[tuple[UdpChannel, float], ...]
    seconds: float
    tcp: bool
    asking: Asking

    @classmethod
    def through(
        cls, channels: tuple[UdpChannel, ...], seconds: float, *, tcp: bool, asking: Asking
    ) -> "Itinerary":
        """Each server in turn, in rounds; over TCP only where `tcp`."""
        whole = sum(_WAITS) * max(1, len(channels))
        attempts = [(each, seconds * share / whole) for share in _WAITS for each in channels]
        return cls(tuple(attempts), seconds, tcp, asking)

    @property
    def silence(self) -> str:
        """What is said where nobody answers."""
        servers = dict.fromkeys(str(channel.server) for channel, _ in self.attempts)
        return f"no answer from {', '.join(servers)} within {self.seconds:g} s"


class Waiting(Protocol):
    """Who waits for answers, each of which has a number for it."""

    def take(self, number: int, answer: DnsAnswer) -> None:
        """The answer that was asked for under this number."""
        ...


class Flight(Sent):
    """One question on its way; `answer` once it has landed.

    Whatever a server sends, it lands, within the seconds of its itinerary. `landed` hears of it first.
    """

    __slots__ = (
        *("_attempt", "_channel", "_failure", "_itinerary", "_landed", "_loop", "_more", "_number"),
        *("_folded", "_task", "_tries", "_until", "_waiting", "answer", "question", "started"),
    )

    def __init__(
        self,
        question: Question,
        itinerary: Itinerary,
        landed: "Callable[[Flight, DnsAnswer], None]",
    ) -> None:
        # What `Sent.__init__` does; a call more for each question is to be felt.
        self.serial = 0
        self.home = None
        self.question = question
        self.answer: DnsAnswer | None = None
        self.started = False
        self._itinerary = itinerary
        self._landed = landed
        self._attempt = 0
        # Nearly always one waits: no list for it.
        self._waiting: Waiting | None = None
        self._number = 0
        self._more: list[tuple[Waiting, int]] | None = None
        self._failure: DnsAnswer | None = None
        self._tries: Counter[UdpChannel] | None = None
        self._task: asyncio.Task[None] | None = None
        self._folded = False

    def then(self, waiting: Waiting, number: int) -> None:
        """Have it take the answer; at once where it has landed."""
        if self.answer is not None:
            waiting.take(number, self.answer)
        elif self._waiting is None:
            self._waiting, self._number = waiting, number
        else:
            self._more = [*(self._more or ()), (waiting, number)]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the first server."""
        self.started = True
        self._loop = loop
        now = loop.time()
        self._until = now + self._itinerary.seconds
        self._ask_next(now)

    def land(self, answer: DnsAnswer) -> None:
        """This is the answer: nothing more is asked."""
        if self.answer is not None:
            return
        self.answer = answer
        self.forget()
        if self._task is not None:
            self._task.cancel()
        self._landed(self, answer)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.take(self._number, answer)
        for other, number in self._more or ():
            other.take(number, answer)
        self._more = None

    # --- an attempt ---

    def replied(self, wire: bytes) -> None:
        """A datagram with our id came from the server."""
        query, channel = self.query, self._channel
        try:
            answer = read_answer(self.question, query, wire)
        except NotOursError:
            if query.is_folded_by(wire):
                self._heard_folded()
            return  # forged or broken: the true one may follow (CVE-2023-29483)
        except TruncatedError:
            self.forget()
            self._ask_over_tcp()
            return
        if answer.known:
            if query.mixed:
                channel.keeps_case = True
            self.land(answer)
        elif query.is_not_understood_by(wire):
            self._send_instead(query.without_options())
        else:
            self.forget()
            self._failed(replace(answer, reason=f"{channel.server} {answer.reason}"))

    def silent(self) -> None:
        """The server did not answer in time."""
        if self._folded:
            # No true one followed: not all that it says keeps the case.
            self._folded = False
            self._channel.folded += 1
        self._failed(failed(self.question, DnsStatus.TIMEOUT, ""))

    def unreached(self, error: OSError) -> None:
        """The server cannot be reached."""
        self._failed(self._broken(error))

    def _heard_folded(self) -> None:
        """It would be the response, were the letters as we asked."""
        if self._channel.keeps_case:
            self._folded = True
            return
        self._channel.folded += 1
        self._send_instead(query_for(self.question, self._itinerary.asking))

    def _ask_next(self, now: float) -> None:
        attempts = self._itinerary.attempts
        while self._attempt < len(attempts) and now < self._until:
            self._channel, _ = attempts[self._attempt]
            if self._tries is not None and self._tries[self._channel] <= 0:
                self._attempt += 1
                continue
            if self._itinerary.tcp:
                self._ask_over_tcp()
            else:
                self._ask(now, mixed=self._channel.folded < _PROOFS_OF_FOLDING)
            return
        silence = failed(self.question, DnsStatus.TIMEOUT, self._itinerary.silence)
        self.land(self._failure or silence)

    def _ask(self, now: float, *, mixed: bool) -> None:
        try:
            self.query = query_for(self.question, self._itinerary.asking, mixed=mixed)
        except ValueError as error:  # it cannot be asked
            self.land(failed(self.question, DnsStatus.ERROR, str(error)))
            return
        self.seconds = self._itinerary.attempts[self._attempt][1]
        self._send(now)

    def _send_instead(self, query: Query) -> None:
        """Ask the same server in another way, in what is left of the question's time."""
        self.forget()
        self.query = query
        now = self._loop.time()
        # Deadlines come in a few lengths only: those of the attempts, and none at all.
        fitting = (
            seconds for _, seconds in self._itinerary.attempts if now + seconds <= self._until
        )
        self.seconds = min(self.seconds, max(fitting, default=0.0))
        self._send(now)

    def _send(self, now: float) -> None:
        try:
            self._channel.ask(self, now, self._loop)
        except OSError as error:
            self.forget()
            self.unreached(error)

    def _failed(self, failure: DnsAnswer) -> None:
        if self._tries is None:
            self._tries = Counter({c: len(_WAITS) for c, _ in self._itinerary.attempts})
        self._tries[self._channel] -= _COST.get(failure.status, len(_WAITS))
        if failure.status is not DnsStatus.TIMEOUT and self._failure is None:
            self._failure = failure
        self._attempt += 1
        self._ask_next(self._loop.time())

    def _ask_over_tcp(self) -> None:
        self._task = self._loop.create_task(self._over_tcp())

    async def _over_tcp(self) -> None:
        _, seconds = self._itinerary.attempts[self._attempt]
        if not self._itinerary.tcp:
            seconds = max(seconds, self._itinerary.seconds / 4)
        answer = await self._answer_over_tcp(min(seconds, self._until - self._loop.time()))
        self._task = None
        if answer.known:
            self.land(answer)
        elif answer.status is DnsStatus.TIMEOUT:
            self.silent()
        else:
            self._failed(answer)

    async def _answer_over_tcp(self, seconds: float) -> DnsAnswer:
        server = self._channel.server
        try:
            query = query_for(self.question, self._itinerary.asking)
            async with asyncio.timeout(seconds):
                answer = await over_tcp(query, server, seconds, partial(self._read, query))
                if answer is None:
                    plain = query.without_options()
                    read = partial(read_answer, self.question, plain)
                    answer = await over_tcp(plain, server, seconds, read)
        except TimeoutError:
            return failed(self.question, DnsStatus.TIMEOUT, "")
        except Exception as error:  # noqa: BLE001 - whatever a server sends, the look goes on
            return self._broken(error)
        return answer if answer.known else replace(answer, reason=f"{server} {answer.reason}")

    def _read(self, query: Query, wire: bytes) -> DnsAnswer | None:
        """What the response says; None where it may be understood only without EDNS."""
        answer = read_answer(self.question, query, wire)
        return None if not answer.known and query.is_not_understood_by(wire) else answer

    def _broken(self, error: Exception) -> DnsAnswer:
        text = str(error) or type(error).__name__
        return failed(self.question, DnsStatus.ERROR, f"{self._channel.server}: {text[:200]}")
