"""Keeps to what parties allow: so much a day, so much a second."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final, Protocol

from monitor.check import Asks, Clock, Urgency
from monitor.world.allowance import (
    DAY,
    NEW_WAITED,
    PATIENCE,
    Pace,
    allows,
    daily,
    eagerness,
    usual_after,
    weighed,
)

BLOCK: Final = 0.01
"""The share of a day's limit that is written down ahead at a time, so that not every question is a write."""

_MINUTE: Final = 60.0
_NEW_WAITED: Final = int(NEW_WAITED // _MINUTE)
_FORGOTTEN_AFTER: Final = int(30 * DAY // _MINUTE)
_DAYS_REMEMBERED: Final = 7


class Ledger(Protocol):
    """Where it is written down how often parties were asked. Days count from the epoch, in UTC."""

    def asked(self, day: int) -> Mapping[str, int]:
        """What is written for the day, by party."""
        ...

    async def cover(self, day: int, asked: Mapping[str, int]) -> None:
        """Returns when these numbers stand in place of those before, or cannot be written now."""
        ...


class NoLedger:
    """Implements `Ledger` for what ends with the process: one look, a plan, a test."""

    def asked(self, day: int) -> Mapping[str, int]:  # noqa: ARG002
        """Nothing."""
        return {}

    async def cover(self, day: int, asked: Mapping[str, int]) -> None:
        """Forgets it."""


@dataclass(slots=True)
class _Count:
    """Questions to a party on one day, and how many are written down as asked: never fewer."""

    asked: int
    covered: int


@dataclass(slots=True)
class _Party:
    """What is remembered of a party from day to day.

    `turns`: when each target was last asked about, in minutes; `usual`: how long those wait who are asked about.
    """

    turns: dict[str, int] = field(default_factory=dict)
    usual: float = NEW_WAITED
    pace: Pace | None = None


@dataclass(slots=True)
class _Day:
    number: int
    counts: dict[str, _Count]


class PacedBudgets:
    """Implements `monitor.check.Budgets`: counts in memory, and ahead of what is asked in a ledger.

    Use from one event loop. `settle` before the end, so that what was written ahead and not asked is
    not lost.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ledger: Ledger | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._ledger = ledger or NoLedger()
        # Of a process before us we know how often it asked today, not when it did so last.
        self._asked_until = -inf if ledger is None else clock.monotonic()
        self._last_minute = 0
        self._days: dict[int, _Day] = {}
        self._parties: dict[str, _Party] = {}

    async def take(self, who: str, wanted: Sequence[Asks], urgency: Urgency) -> frozenset[str]:
        """See `monitor.check.Budgets`."""
        days = [(asks, daily(asks.limits)) for asks in wanted]
        limited = [(asks, a_day) for asks, a_day in days if a_day is not None]
        free = frozenset(asks.party for asks, a_day in days if a_day is None)
        if not limited:
            return free
        steady = self._clock.monotonic()
        day = self._today()
        granted = [
            (asks, a_day)
            for asks, a_day in limited
            if self._allows(day, asks, a_day, self._eagerness(who, asks, urgency))
        ]
        # What is asked in one look is asked at once, so it waits together.
        at = max((self._free_at(asks, steady) for asks, _ in granted), default=steady)
        for asks, _ in granted:
            self._count(day, who, asks, at, urgency)
        await self._cover(day, granted)
        if (left := at - self._clock.monotonic()) > 0:
            await self._sleep(left)
        return free | {asks.party for asks, _ in granted}

    async def settle(self) -> None:
        """Writes down exactly what was asked. Afterwards nothing may be asked any more."""
        for day in self._days.values():
            exact = {p: n.asked for p, n in day.counts.items() if n.asked != n.covered}
            if exact:
                await self._ledger.cover(day.number, exact)

    def _today(self) -> _Day:
        number = int(self._clock.now() // DAY)
        if number not in self._days:
            # A clock that is set back comes to a day of which we still know what was asked.
            oldest = number - _DAYS_REMEMBERED
            self._days = {n: day for n, day in self._days.items() if n >= oldest}
            written = {p: _Count(n, n) for p, n in self._ledger.asked(number).items()}
            self._days[number] = _Day(number, written)
            self._forget_turns()
        return self._days[number]

    def _forget_turns(self) -> None:
        """Those of targets that are probably gone."""
        oldest = self._minute() - _FORGOTTEN_AFTER
        for party in self._parties.values():
            party.turns = {who: at for who, at in party.turns.items() if at > oldest}

    def _eagerness(self, who: str, asks: Asks, urgency: Urgency) -> float | None:
        if urgency is Urgency.CERTAINTY:
            return None
        party = self._party(asks)
        return eagerness(self._wait(party, who, urgency), party.usual)

    def _allows(self, day: _Day, asks: Asks, a_day: int, eager: float | None) -> bool:
        count = day.counts.get(asks.party)
        if count is None:
            count = day.counts[asks.party] = _Count(0, 0)
        passed = self._clock.now() / DAY - day.number
        # Where a second's turn is long in coming, those get it who were put off before.
        patience = PATIENCE * (1.0 if eager is None else eager)
        steady = self._clock.monotonic()
        return self._free_at(asks, steady) <= steady + patience and allows(
            a_day, count.asked, asks.questions, passed=passed, eager=eager
        )

    def _count(self, day: _Day, who: str, asks: Asks, at: float, urgency: Urgency) -> None:
        day.counts[asks.party].asked += asks.questions
        party = self._party(asks)
        if party.pace is not None:
            party.pace.book(at, asks.questions)
        if urgency is not Urgency.CERTAINTY:
            wait = self._wait(party, who, urgency)
            party.usual = usual_after(party.usual, urgency, wait)
            party.turns[who] = self._minute()

    async def _cover(self, day: _Day, granted: Sequence[tuple[Asks, int]]) -> None:
        """Returns when what was just counted is written down."""
        ahead = {}
        for asks, a_day in granted:
            count = day.counts[asks.party]
            if count.asked > count.covered:
                ahead[asks.party] = min(count.asked + ceil(a_day * BLOCK), max(a_day, count.asked))
        if ahead:
            await self._ledger.cover(day.number, ahead)
            for name, number in ahead.items():
                day.counts[name].covered = max(day.counts[name].covered, number)

    def _free_at(self, asks: Asks, now: float) -> float:
        pace = self._party(asks).pace
        return now if pace is None else pace.free_at(now, asks.questions)

    def _party(self, asks: Asks) -> _Party:
        party = self._parties.get(asks.party)
        if party is None:
            party = self._parties[asks.party] = _Party()
        a_second = asks.limits.a_second
        if a_second is None:
            party.pace = None
        elif party.pace is None or party.pace.a_second != a_second:
            known = party.pace is not None
            until = self._clock.monotonic() if known else self._asked_until
            party.pace = Pace(a_second, asked_until=until)
        return party

    def _wait(self, party: _Party, who: str, urgency: Urgency) -> float:
        """The weighed seconds since it was asked about, longer with every time that it is put off."""
        minute = self._minute()
        last = party.turns.setdefault(who, minute - _NEW_WAITED)
        return weighed(urgency, (minute - last) * _MINUTE)

    def _minute(self) -> int:
        minute = int(self._clock.monotonic() // _MINUTE)
        if minute != self._last_minute:
            # One object for all that is remembered of a minute: there may be a million turns.
            self._last_minute = minute
        return self._last_minute
