"""Budgets: a party's limits hold whatever is asked, and what they allow is shared out fairly."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import Asks, Limits, Urgency
from monitor.world.allowance import DAY, PATIENCE, STEADY, Pace, allows
from monitor.world.budgets import PacedBudgets
from monitor.world.fake import FakeClock

MIDNIGHT = 20_000 * DAY
HOUR = 3600.0
ZONE = "zone.example"


class Remembering:
    """A ledger in memory, which outlives its process."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, str], int] = {}
        self.writes = 0

    def asked(self, day: int) -> Mapping[str, int]:
        return {party: n for (of_day, party), n in self.numbers.items() if of_day == day}

    async def cover(self, day: int, asked: Mapping[str, int]) -> None:
        self.writes += 1
        self.numbers.update({(day, party): n for party, n in asked.items()})


def made(clock: FakeClock, ledger: Remembering | None = None) -> PacedBudgets:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    return PacedBudgets(clock=clock, ledger=ledger, sleep=sleep)


def asks(a_day: int | None, a_second: float | None = None, questions: int = 1) -> list[Asks]:
    return [Asks(ZONE, questions, Limits(a_day, a_second))]


# --- what always holds --------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "restart", "stop"]),
        st.floats(0, 30_000),
        st.integers(1, 4),
        st.integers(1, 40),
        st.sampled_from(Urgency),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), STEPS)
def test_no_day_exceeds_its_limit_however_often_the_daemon_is_killed_or_stopped(
    limit: int, steps: list[tuple[str, float, int, int, Urgency]]
) -> None:
    async def run() -> None:
        clock, ledger = FakeClock(MIDNIGHT), Remembering()
        budgets = made(clock, ledger)
        spent: Counter[int] = Counter()
        for step, seconds, questions, times, urgency in steps:
            clock.advance(seconds)
            day = int(clock.now() // DAY)
            if step == "stop":
                await budgets.settle()
                assert ledger.asked(day).get(ZONE, 0) >= spent[day]
            if step != "take":
                budgets = made(clock, ledger)
                continue
            for number in range(times):
                if await budgets.take(f"t{number}", asks(limit, None, questions), urgency):
                    spent[day] += questions
            assert spent[day] <= ledger.asked(day).get(ZONE, 0) <= limit

    asyncio.run(run())


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.05, 12),
    st.lists(st.tuples(st.sampled_from(["take", "take", "take", "restart"]), st.floats(0, 1.5))),
)
def test_no_window_of_a_second_has_more_than_the_limit(
    a_second: float, steps: list[tuple[str, float]]
) -> None:
    async def run() -> list[float]:
        clock, ledger, at = FakeClock(MIDNIGHT), Remembering(), []
        budgets = made(clock, ledger)
        for step, seconds in steps:
            clock.advance(seconds)
            if step == "restart":
                budgets = made(clock, ledger)
            elif await budgets.take("t", asks(None, a_second), Urgency.CERTAINTY):
                at.append(clock.monotonic())
        return at

    at = asyncio.run(run())
    allowed = max(1, int(a_second))
    window = allowed / a_second
    for first, after in zip(at, at[allowed:], strict=False):
        assert after - first >= window - 1e-6


@given(
    st.integers(1, 10**7),
    st.integers(0, 10**7),
    st.integers(1, 9),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_more_time_and_more_eagerness_never_close_what_was_open(
    a_day: int, asked: int, questions: int, passed: float, eager: float
) -> None:
    def open_to(passed: float, eager: float | None) -> bool:
        return allows(a_day, asked, questions, passed=passed, eager=eager)

    if open_to(passed, eager):
        assert asked + questions <= a_day
        assert open_to(1.0, eager)
        assert open_to(passed, 1.0)
        assert open_to(passed, None)


def test_of_the_smallest_limit_there_is_a_question_for_somebody() -> None:
    assert allows(1, 0, 1, passed=0.9, eager=0.0)
    assert not allows(1, 1, 1, passed=1.0, eager=None)


def test_more_questions_at_once_than_a_second_allows_hold_up_the_next() -> None:
    pace = Pace(1.0)
    pace.book(pace.free_at(0.0, 3), 3)
    assert pace.free_at(0.0, 1) == 3.0


# --- what is granted ----------------------------------------------------------------------------------


async def test_without_limits_everything_is_granted_and_nothing_written() -> None:
    ledger = Remembering()
    budgets = made(FakeClock(MIDNIGHT), ledger)
    for _ in range(1000):
        assert await budgets.take("t", asks(None), Urgency.QUIET) == {ZONE}
    assert ledger.writes == 0


async def test_a_write_covers_a_hundredth_of_the_day() -> None:
    ledger = Remembering()
    budgets = made(FakeClock(MIDNIGHT), ledger)
    for number in range(1000):
        await budgets.take(f"t{number}", asks(100_000), Urgency.TROUBLED)
    assert ledger.writes == 1
    assert ledger.asked(20_000) == {ZONE: 1001}
    await budgets.settle()
    assert ledger.asked(20_000) == {ZONE: 1000}


async def test_the_morning_does_not_eat_the_day() -> None:
    clock = FakeClock(MIDNIGHT)
    budgets = made(clock)
    granted = [bool(await budgets.take(f"t{n}", asks(1000), Urgency.TROUBLED)) for n in range(2000)]
    assert 40 <= sum(granted) <= 50
    clock.advance(12 * HOUR)
    granted = [bool(await budgets.take(f"u{n}", asks(1000), Urgency.TROUBLED)) for n in range(2000)]
    assert 400 <= sum(granted) <= 500


async def test_what_makes_certain_has_a_reserve() -> None:
    clock = FakeClock(MIDNIGHT + DAY - 1)
    budgets = made(clock)
    for number in range(2000):
        await budgets.take(f"t{number}", asks(1000), Urgency.TROUBLED)
    assert not await budgets.take("t", asks(1000), Urgency.TROUBLED)
    sure = [bool(await budgets.take("t", asks(1000), Urgency.CERTAINTY)) for _ in range(100)]
    assert sum(sure) >= 50
    assert not all(sure)


async def test_looks_wait_for_their_second_and_give_up_after_some() -> None:
    """Five a second: of a hundred at once those go on that have a turn soon; whoever was put off has more patience."""
    clock = FakeClock(MIDNIGHT)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    budgets = PacedBudgets(clock=clock, sleep=sleep)
    everybody = [f"t{n}" for n in range(100)]
    granted: list[set[str]] = []
    for _ in range(3):
        taken = await asyncio.gather(
            *(budgets.take(who, asks(None, 5.0), Urgency.QUIET) for who in everybody)
        )
        granted.append({who for who, parties in zip(everybody, taken, strict=True) if parties})
        clock.advance(DAY)
    assert len(granted[0]) == 5 * (PATIENCE / 2 + 1)
    assert max(waits) <= PATIENCE
    assert len(granted[1] - granted[0]) >= 10
    assert len(granted[2] - granted[1] - granted[0]) >= 10


async def test_a_zone_that_is_in_no_hurry_does_not_hold_up_the_others_for_ever() -> None:
    clock = FakeClock(MIDNIGHT)
    budgets = made(clock)
    slow = Asks("slow.example", 1, Limits(None, 1 / 60))
    both = [slow, *asks(None, 100.0)]
    assert await budgets.take("t", both, Urgency.QUIET) == {"slow.example", ZONE}
    assert await budgets.take("u", both, Urgency.QUIET) == {ZONE}
    assert clock.monotonic() < 1.0


async def test_a_clock_that_is_set_back_finds_the_day_as_it_was() -> None:
    clock = FakeClock(MIDNIGHT + DAY - 1)
    budgets = made(clock)
    while await budgets.take("t", asks(50), Urgency.CERTAINTY):
        pass
    clock.advance(2)
    assert await budgets.take("t", asks(50), Urgency.CERTAINTY)
    clock.advance(-2)
    assert not await budgets.take("t", asks(50), Urgency.CERTAINTY)


# --- a day ---------------------------------------------------------------------------------------------


class Sweeps:
    """Targets that are looked at every hour, each at its own second."""

    def __init__(self, urgencies: Mapping[str, Urgency], a_day: int) -> None:
        self.clock, self.ledger = FakeClock(MIDNIGHT), Remembering()
        self.budgets = made(self.clock, self.ledger)
        self._urgencies, self._a_day = urgencies, a_day
        order = list(urgencies)
        Random(1).shuffle(order)
        self._order = order
        self.granted: defaultdict[str, list[float]] = defaultdict(list)
        self.spent: Counter[int] = Counter()

    async def hours(self, number: int) -> None:
        step = HOUR / len(self._order)
        for _ in range(number):
            for who in self._order:
                self.clock.advance(step)
                if await self.budgets.take(who, asks(self._a_day), self._urgencies[who]):
                    self.granted[who].append(self.clock.now())
                    self.spent[int(self.clock.now() // DAY)] += 1

    def gaps(self, names: Iterator[str]) -> list[float]:
        """Hours between a target's looks, and from the start to the first, and from the last to the end."""
        ends = (MIDNIGHT, self.clock.now())
        return [
            (later - before) / HOUR
            for who in names
            for before, later in pairwise([ends[0], *self.granted[who], ends[1]])
        ]


@pytest.fixture(scope="module")
def two_days() -> Sweeps:
    """5,000 addresses, of which 100 were listed lately and 200 send much, and a zone that allows 20,000 a day.

    In the afternoon of the first day the daemon is killed and starts again.
    """
    urgencies = {f"192.0.2.{n}": Urgency.QUIET for n in range(5000)}
    names = list(urgencies)
    urgencies |= dict.fromkeys(names[:100], Urgency.TROUBLED)
    urgencies |= dict.fromkeys(names[100:300], Urgency.BUSY)
    sweeps = Sweeps(urgencies, 20_000)

    async def run() -> None:
        await sweeps.hours(15)
        sweeps.budgets = made(sweeps.clock, sweeps.ledger)
        await sweeps.hours(33)

    asyncio.run(run())
    return sweeps


def test_scarce_the_limit_of_each_day_is_kept_and_used(two_days: Sweeps) -> None:
    assert all(0.85 * 20_000 <= n <= 20_000 for day, n in two_days.spent.items() if day < 20_002)


def test_scarce_the_listed_are_looked_at_in_each_interval(two_days: Sweeps) -> None:
    listed = [two_days.granted[f"192.0.2.{n}"] for n in range(100)]
    assert min(len(times) for times in listed) >= 47


def test_scarce_a_quiet_one_waits_no_longer_than_the_limit_makes_it(two_days: Sweeps) -> None:
    """4,900 others share 16,000 questions: a look every eight hours. The new start forgets who waits how long."""
    gaps = sorted(two_days.gaps(f"192.0.2.{n}" for n in range(300, 5000)))
    assert gaps[len(gaps) * 9 // 10] <= 12
    assert gaps[-1] <= 3 * 8


def test_scarce_who_sends_much_is_looked_at_more_often(two_days: Sweeps) -> None:
    busy = sum(len(two_days.granted[f"192.0.2.{n}"]) for n in range(100, 300)) / 200
    quiet = sum(len(two_days.granted[f"192.0.2.{n}"]) for n in range(300, 5000)) / 4700
    assert busy > 2.5 * quiet


async def test_where_the_limit_is_not_scarce_nobody_is_put_off() -> None:
    sweeps = Sweeps({f"t{n}": Urgency.QUIET for n in range(200)}, int(200 * 24 / STEADY) + 1)
    await sweeps.hours(30)
    assert {len(times) for times in sweeps.granted.values()} == {30}


async def test_where_it_is_very_scarce_still_everybody_has_a_turn() -> None:
    """A question for each in ten days: those never asked about are not overtaken by those who were."""
    sweeps = Sweeps({f"t{n}": Urgency.QUIET for n in range(100)}, 10)
    await sweeps.hours(24 * 16)
    assert len(sweeps.granted) == 100
    assert max(map(len, sweeps.granted.values())) <= 3
