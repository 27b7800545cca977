"""A clock that tests set, and the type of the fixture that opens stores."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from monitor.store.store import Store

NOON = 1_790_000_000.0

OpenStore = Callable[[], Awaitable[Store]]


@dataclass
class SetClock:
    """A clock that stands where it was set."""

    time: float = NOON

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time
