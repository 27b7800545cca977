"""Sweeps: even, complete, the same after a restart, and calm when the clock steps."""

import asyncio
import random
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pytest

from monitor import schedule as schedule_module
from monitor.model import DomainTarget, Target
from monitor.schedule import Assignment, Schedule, Sweep
from monitor.world.fake import FakeClock

NOW = 1_800_000_000.0


def job(name: str = "dmarc", interval: float = 60.0) -> SimpleNamespace:
    return SimpleNamespace(name=name, config=SimpleNamespace(interval=interval))


def assignment(targets: int, interval: float = 60.0) -> Assignment:
    return Assignment(
        job(interval=interval), tuple(DomainTarget(f"d{n}.example") for n in range(targets))
    )


def test_each_target_comes_once_an_interval() -> None:
    sweep = Sweep.over(assignment(500), now=NOW)
    seen = Counter(
        target.name for second in range(1, 181) for _due, target in sweep.due(NOW + second)
    )
    assert len(seen) == 500
    assert set(seen.values()) == {3}


def test_the_load_is_even() -> None:
    sweep = Sweep.over(assignment(6000), now=NOW)
    sizes = [len(list(sweep.due(NOW + second))) for second in range(1, 61)]
    assert min(sizes) > 50
    assert max(sizes) < 160


def test_due_times_survive_a_restart() -> None:
    def dues(start: float) -> dict[str, float]:
        sweep = Sweep.over(assignment(50), now=start)
        return {t.name: due for due, t in sweep.due(NOW + 100) if due > NOW + 40}

    assert dues(NOW) == dues(NOW + 30)


def test_after_a_pause_every_target_comes_once_not_once_for_each_missed_sweep() -> None:
    sweep = Sweep.over(assignment(50), now=NOW)
    assert len(list(sweep.due(NOW + 86_400))) == 50


def test_a_sweep_never_goes_back() -> None:
    sweep = Sweep.over(assignment(50), now=NOW)
    first = list(sweep.due(NOW + 30))
    assert list(sweep.due(NOW)) == []
    assert len(first) + len(list(sweep.due(NOW + 60))) == 50


@pytest.mark.parametrize("interval", [1.0, 1.5, 7.0, 3600.0, 86_400.0])
def test_any_interval_is_kept(interval: float) -> None:
    sweep = Sweep.over(assignment(20, interval), now=NOW)
    assert sweep.tick * sweep.slices == pytest.approx(interval)
    assert sweep.tick >= 1.0


class Steps:
    """A schedule that lives through simulated seconds; notes when each target was looked at, in true time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tasks: asyncio.TaskGroup) -> None:
        # The clock is watched on every turn of the event loop.
        monkeypatch.setattr(schedule_module, "CLOCK_WATCH_SECONDS", 0)
        self.wall, self.steady = NOW, 0.0
        self.seen: dict[str, list[float]] = {}
        self.last_run: dict[str, float] = {}
        self._tasks = tasks
        self.targets = tuple(DomainTarget(f"d{n}.example") for n in range(20))
        self.start()

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def start(self) -> None:
        self.schedule = Schedule(submit=self._look, clock=self, tasks=self._tasks)
        self.schedule.start()
        self.arm()

    def arm(self) -> None:
        def last_run(_check: str, target: str) -> float | None:
            return self.last_run.get(target)

        self.schedule.arm([Assignment(job(), self.targets)], last_run=last_run)

    def _look(self, _job: object, target: Target, _due: float) -> None:
        self.seen.setdefault(target.name, []).append(self.steady)
        self.last_run[target.name] = self.wall

    async def pass_seconds(self, seconds: int, *, step: float = 0.0) -> None:
        self.wall += step
        for _ in range(seconds):
            self.wall += 1
            self.steady += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await self.schedule._fire("dmarc")


STEPS = (-7200.0, -3600.0, -61.0, -30.0, -3.0, 3.0, 30.0, 61.0, 3600.0)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_clock_does_each_target_is_looked_at_every_interval(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Reloads at random moments, with steps of the wall clock, or with restarts.

    Not with both: of a step just before a restart nobody tells the new process.
    """
    dice = random.Random(seed)
    happens = ("arm", "restart" if seed % 2 else "step")
    async with asyncio.TaskGroup() as tasks:
        world = Steps(monkeypatch, tasks)
        for _ in range(30):
            match dice.choice(happens):
                case "step":
                    await world.pass_seconds(dice.randint(1, 200), step=dice.choice(STEPS))
                case "arm":
                    world.arm()
                    await world.pass_seconds(dice.randint(1, 50))
                case "restart":
                    world.schedule.stop()
                    await asyncio.sleep(0)
                    down = dice.randint(0, 5)
                    world.wall += down
                    world.steady += down
                    world.start()
                    await world.pass_seconds(dice.randint(1, 50))
        world.schedule.stop()
    for looks in world.seen.values():
        gaps = [later - earlier for earlier, later in pairwise([0.0, *looks, world.steady])]
        assert max(gaps) <= 60 + 5
    assert len(world.seen) == 20


async def test_what_was_never_seen_runs_at_once_and_what_is_fresh_waits() -> None:
    """One of each check in turn, so that every check shows something soon."""
    clock = FakeClock(NOW)
    ran: list[tuple[str, str]] = []
    fresh, never = DomainTarget("fresh.example"), DomainTarget("never.example")
    async with asyncio.TaskGroup() as tasks:
        schedule = Schedule(
            submit=lambda job, target, _due: ran.append((job.name, target.name)),
            clock=clock,
            tasks=tasks,
        )
        schedule.start()
        schedule.arm(
            [Assignment(job(name, 3600.0), (fresh, never)) for name in ("dmarc", "mx")],
            last_run=lambda _check, target: NOW - 10 if target == "fresh.example" else None,
        )
        async with asyncio.timeout(5):
            while len(ran) < 2:
                await asyncio.sleep(0.01)
        schedule.stop()
    assert ran == [("dmarc", "never.example"), ("mx", "never.example")]
