"""Sweeps: even, complete, the same after a restart, and calm when the clock steps."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from monitor.model import DomainTarget
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


def test_a_step_back_of_the_clock_repeats_nothing_and_goes_on() -> None:
    sweep = Sweep.over(assignment(50), now=NOW)
    list(sweep.due(NOW + 30))
    assert list(sweep.due(NOW - 3600)) == []
    assert len(list(sweep.due(NOW - 3600 + 60))) == 50


@pytest.mark.parametrize("interval", [1.0, 1.5, 7.0, 3600.0, 86_400.0])
def test_any_interval_is_kept(interval: float) -> None:
    sweep = Sweep.over(assignment(20, interval), now=NOW)
    assert sweep.tick * sweep.slices == pytest.approx(interval)
    assert sweep.tick >= 1.0


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
