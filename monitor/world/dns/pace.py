"""How fast one server is asked, and timers for very many questions. Seconds are those of the event loop."""

import asyncio
from collections import deque
from typing import Protocol


class TokenBucket:
    """At most `burst` at once, and `rate` a second on average."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = 0.0

    def take(self, now: float) -> float:
        """Take one: 0.0; where there is none, the seconds until there is."""
        if self._tokens < 1.0:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1.0:
                return (1.0 - self._tokens) / self._rate
        elif self._tokens == self._burst:
            self._at = now
        self._tokens -= 1.0
        return 0.0


class Timed(Protocol):
    """What may take its time, and no more."""

    @property
    def serial(self) -> int:
        """What it waits for now: another number once that has come about and its time does not matter any more."""
        ...

    def overdue(self) -> None:
        """Its time has ended."""
        ...


class Deadlines:
    """One timer of the loop for any number of deadlines, which come in a few lengths only.

    Those of one length end in the order in which they began, so that a queue for each length is enough.
    """

    def __init__(self) -> None:
        self._queues: dict[float, deque[tuple[float, int, Timed]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(
        self, timed: Timed, seconds: float, now: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Call `timed.overdue` after `seconds` from `now`, unless its serial is another by then."""
        due = now + seconds
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        else:
            # Nearly all have ended long before their time: they are let go at once.
            while queue and queue[0][2].serial != queue[0][1]:
                queue.popleft()
        queue.append((due, timed.serial, timed))
        timer = self._timer
        if timer is None or timer.when() > due:
            if timer is not None:
                timer.cancel()
            self._timer = loop.call_at(due, self._ring, loop)

    def close(self) -> None:
        """Forget all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queues.clear()

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for queue in list(self._queues.values()):
            while queue:
                due, serial, timed = queue[0]
                waits = timed.serial == serial
                if waits and due > now:
                    break
                queue.popleft()
                if waits:
                    timed.overdue()
        firsts = [queue[0][0] for queue in self._queues.values() if queue]
        if firsts and self._timer is None:
            self._timer = loop.call_at(min(firsts), self._ring, loop)
