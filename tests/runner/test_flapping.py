"""What comes and goes: a delisting is confirmed, a flapping zone brings a page and no more, a finding has a past.

The real runner and store on a clock of their own; only the check is scripted.
"""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from monitor.check import About, Code, Confirm, Gauge, Settings, World
from monitor.config.sections import CheckConfig
from monitor.model import (
    DomainTarget,
    Finding,
    Look,
    MonitorTarget,
    Outcome,
    Sample,
    Severity,
    Target,
)
from monitor.publish.meters import Meters
from monitor.runner import Job, Runner
from monitor.store.kept import (
    HOLD_SECONDS,
    REMEMBERED,
    REMEMBERED_SECONDS,
    STEADY_SECONDS,
    Course,
)
from monitor.store.store import Store
from monitor.world.fake import FakeClock, FakeWorld
from tests.runner.tasks import Tasks

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
START = 1_800_000_000.0
TARGET = DomainTarget("example.com")
LISTED = (Finding("listed", "zen lists it"),)
NUMBERS = (Sample("zones_listed", 1.0),)
Swing = Callable[[float, int], bool | None]
"""Whether the zone lists at a time since the start, at the nth look; None: it does not answer."""


class ZoneCheck:
    """One zone that swings, one that is always clean."""

    about: ClassVar[About] = About(
        name="zones",
        title="Zones",
        targets=(DomainTarget, MonitorTarget),
        interval=HOUR,
        codes=(Code("listed", Severity.CRITICAL, "Listed"),),
        gauges=(Gauge("zones_listed", "Listed."),),
        confirm=Confirm.OTHER_RESOLVER,
        confirms_clearing=True,
    )

    def __init__(self, swing: Swing, clock: FakeClock) -> None:
        self.swing = swing
        self._clock = clock
        self.looks = 0
        self.last_listed = 0.0

    async def run(self, target: Target, world: World) -> Outcome:
        if world.confirming:
            self._clock.advance(MINUTE)
        self.looks += 1
        at = self._clock.now() - START
        listed = self.swing(at, self.looks)
        self.last_listed = at if listed else self.last_listed
        if listed is None:
            zen = Look.unknown("zen", "timeout")
        else:
            zen = Look.known("zen", LISTED, samples=NUMBERS) if listed else Look.known("zen")
        return Outcome((zen, Look.known("dbl")))


class Worlds:
    """Notes how each look was confirmed."""

    def __init__(self) -> None:
        self.world = FakeWorld().world()
        self.ways: list[Confirm | None] = []

    def normal(self, check: str) -> World:
        self.ways.append(None)
        return self.world

    def confirming(self, check: str, how: Confirm) -> World:
        self.ways.append(how)
        return replace(self.world, confirming=True)


class Daemon:
    """Runner and store; `opened` and `closed` are the times (since the start) of every transition."""

    def __init__(self, path: Path, swing: Swing, *, target: Target = TARGET) -> None:
        self._path = path
        self.clock = FakeClock(START)
        self.check = ZoneCheck(swing, self.clock)
        self.target = target
        self.worlds = Worlds()
        self.opened: list[float] = []
        self.closed: list[float] = []
        config = CheckConfig(
            name="zones",
            check=ZoneCheck,
            enabled=True,
            interval=HOUR,
            timeout=5,
            confirmations=2,
            confirm_after=0,
            severities={},
            targets=(),
            settings=Settings(),
        )
        self.job = Job(self.check, config)

    async def start(self) -> None:
        self.store = await Store.open(f"sqlite:///{self._path}", clock=self.clock)
        self.store.subscribe(self._changed)
        self._tasks = Tasks()
        self._runner = Runner(
            store=self.store,
            worlds=self.worlds,
            clock=self.clock,
            meters=Meters("test"),
            count=lambda _check, _samples: None,
            news=lambda _domain: None,
            tasks=self._tasks,  # type: ignore[arg-type]
        )

    async def look(self) -> None:
        """A sweep comes by; returns when all that it wants confirmed was looked at."""
        self._runner.submit(self.job, self.target, due=0.0)
        await self._tasks.idle()

    async def watch(self, seconds: float, *, every: float = HOUR, restarts: bool = False) -> None:
        """Sweeps until `seconds` after the start."""
        while (now := self.clock.now() - START) < seconds:
            await self.look()
            self.clock.advance(max(1.0, every - (self.clock.now() - START - now)))
            if restarts and self.check.looks % 7 == 0:
                await self.store.close()
                await self.start()

    @property
    def open(self) -> bool:
        kept = self.store.kept("zones", self.target.name)
        return kept is not None and any(s.findings for s in kept.subjects.values())

    def course(self) -> Course:
        kept = self.store.kept("zones", self.target.name)
        assert kept is not None
        course = kept.course("zen", "zones.listed")
        assert course is not None
        return course

    def _changed(self, _check: str, _target: str) -> None:
        if self.open and len(self.opened) == len(self.closed):
            self.opened.append(self.clock.now() - START)
        elif not self.open and len(self.opened) > len(self.closed):
            self.closed.append(self.clock.now() - START)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Callable[..., Daemon]]:
    made: list[Daemon] = []

    def make(swing: Swing, *, target: Target = TARGET) -> Daemon:
        made.append(Daemon(tmp_path / f"{len(made)}.db", swing, target=target))
        return made[-1]

    yield make
    for one in made:
        await one.store.close()


def until(end: float, swing: Swing) -> Swing:
    """The swing, and clean from `end` on."""
    return lambda at, look: swing(at, look) if at < end else False


def at_random(seed: int) -> Swing:
    dice = random.Random(seed)
    return lambda _at, _look: dice.random() < 0.7


def blind_now_and_then(swing: Swing) -> Swing:
    return lambda at, look: None if look % 3 == 0 else swing(at, look)


SWINGS: dict[str, Swing] = {
    "each look": lambda _at, look: look % 2 == 0,
    "each half hour": lambda at, _look: at % HOUR < HOUR / 2,
    "each hour": lambda at, _look: at // HOUR % 2 == 0,
    "each three hours": lambda at, _look: at // (3 * HOUR) % 2 == 0,
    "each hour, often silent": blind_now_and_then(lambda at, _look: at // HOUR % 2 == 0),
    "at random": at_random(1),
}


@pytest.mark.parametrize("every", [10 * MINUTE, HOUR], ids=["ten minutes", "hour"])
@pytest.mark.parametrize("swing", SWINGS.values(), ids=SWINGS)
async def test_what_flaps_opens_twice_at_most_and_closes_once_it_is_steady(
    daemon: Callable[..., Daemon], swing: Swing, every: float
) -> None:
    """Two days of swinging, through restarts: the first return is news, those that follow are none."""
    watched = daemon(until(2 * DAY, swing))
    await watched.start()
    await watched.watch(2 * DAY, every=every, restarts=True)
    assert len(watched.opened) <= 2
    assert len(watched.closed) <= 1
    if every == HOUR:
        assert all(after - before >= HOUR for before, after in pairwise(watched.opened))
    await watched.watch(2 * DAY + STEADY_SECONDS + 2 * HOUR, every=every, restarts=True)
    assert not watched.open
    if watched.opened and watched.course().flaps(watched.clock.now()):
        assert watched.closed[-1] - watched.check.last_listed >= STEADY_SECONDS


async def test_a_listing_opens_once_and_closes_soon_after_it_is_gone(
    daemon: Callable[..., Daemon],
) -> None:
    """The twin: what does not flap is not held."""
    watched = daemon(until(10.5 * HOUR, lambda _at, _look: True))
    await watched.start()
    await watched.watch(DAY)
    assert watched.opened == [2 * MINUTE]
    assert watched.closed == [11 * HOUR + 2 * MINUTE]
    course = watched.course()
    assert (course.first_seen, course.last_seen) == (START + 2 * MINUTE, START + 10 * HOUR)
    assert (course.returns, course.flaps(watched.clock.now())) == (0, False)


@pytest.mark.parametrize("answer", [True, None], ids=["listed again", "silent"])
async def test_a_delisting_seen_once_counts_for_nothing(
    daemon: Callable[..., Daemon], answer: bool | None
) -> None:
    watched = daemon(lambda _at, look: {4: False}.get(look, True if look < 4 else answer))
    await watched.start()
    await watched.watch(3 * HOUR)
    assert watched.open
    assert not watched.closed


async def test_a_look_that_found_nothing_is_no_sighting_of_what_was_lost_from_sight(
    daemon: Callable[..., Daemon],
) -> None:
    """It was to be cleared when the zone fell silent; what it says a week later is confirmed from the start."""
    late = HOLD_SECONDS + 2 * DAY
    script = iter((True, True, False))
    watched = daemon(
        lambda at, look: look < 4 if look <= 4 else None if at < late else next(script, False)
    )
    await watched.start()
    await watched.watch(late, every=DAY)
    assert len(watched.closed) == 1
    await watched.watch(late + 2 * DAY, every=DAY)
    assert len(watched.opened) == 1


async def test_what_comes_back_after_days_does_not_flap_and_has_a_past(
    daemon: Callable[..., Daemon],
) -> None:
    watched = daemon(lambda at, _look: at < HOUR or 9.9 * DAY < at < 10.9 * DAY)
    await watched.start()
    await watched.watch(10 * DAY + HOUR, restarts=True)
    assert watched.open
    course = watched.course()
    assert (course.returns, course.first_seen) == (1, START + 2 * MINUTE)
    assert not course.flaps(watched.clock.now())
    await watched.watch(11 * DAY)
    assert not watched.open
    assert watched.course().returns == 1


async def test_a_past_is_forgotten_after_a_month(daemon: Callable[..., Daemon]) -> None:
    watched = daemon(until(HOUR, lambda _at, _look: True))
    await watched.start()
    await watched.watch(REMEMBERED_SECONDS, every=DAY)
    assert watched.course().returns == 0
    await watched.watch(REMEMBERED_SECONDS + 3 * DAY, every=DAY)
    kept = watched.store.kept("zones", TARGET.name)
    assert kept is not None
    assert not kept.courses


async def test_the_past_of_a_target_is_bounded(daemon: Callable[..., Daemon]) -> None:
    """Subjects may have another name at every look; what is kept of them may not grow with that."""
    watched = daemon(lambda _at, _look: False)

    async def run(_target: Target, world: World) -> Outcome:
        if not world.confirming:
            watched.clock.advance(MINUTE)
            watched.check.looks += 1
        return Outcome((Look.known(f"host {watched.check.looks}", LISTED),))

    watched.check.run = run  # type: ignore[method-assign, assignment]
    await watched.start()
    for _ in range(REMEMBERED + 10):
        await watched.look()
    kept = watched.store.kept("zones", TARGET.name)
    assert kept is not None
    assert [course.subject for course in kept.courses][-1] == f"host {REMEMBERED + 9}"
    assert len(kept.courses) == REMEMBERED


async def test_every_second_look_through_another_resolver_is_through_ours(
    daemon: Callable[..., Daemon],
) -> None:
    """A zone may refuse the other resolver: its listing counts although every second look is blind."""
    watched = daemon(lambda _at, look: None if look in {2, 4} else True)
    await watched.start()
    await watched.look()
    other, ours = Confirm.OTHER_RESOLVER, Confirm.AGAIN
    assert watched.worlds.ways == [None, other, ours, other, ours]
    assert watched.open


async def test_what_is_told_of_the_monitor_is_confirmed_through_our_resolver(
    daemon: Callable[..., Daemon],
) -> None:
    watched = daemon(lambda _at, _look: True, target=MonitorTarget())
    await watched.start()
    await watched.look()
    assert watched.worlds.ways == [None, Confirm.AGAIN, Confirm.AGAIN]
    assert watched.open


async def test_what_stays_open_stays_with_its_numbers(daemon: Callable[..., Daemon]) -> None:
    """An alert names what is listed from the samples; while the finding is held they are there."""
    watched = daemon(lambda at, _look: at // HOUR % 2 == 0)
    await watched.start()
    await watched.watch(4 * HOUR)
    assert watched.course().gone_at is not None
    kept = watched.store.kept("zones", TARGET.name)
    assert kept is not None
    assert kept.subjects["zen"].samples == NUMBERS
    assert kept.subjects["zen"].known


async def test_what_is_held_is_not_confirmed_at_each_sweep(daemon: Callable[..., Daemon]) -> None:
    watched = daemon(until(3 * HOUR, lambda at, _look: at // HOUR % 2 == 0))
    await watched.start()
    await watched.watch(4 * HOUR)
    looks = watched.check.looks
    await watched.watch(7 * HOUR)
    assert watched.open
    assert watched.check.looks == looks + 3
