"""100,000 targets at an interval of an hour: one process, everything seen before, spread in force.

`ours` and `ours_published` run the real Schedule, Runner and Store (the latter with the exposition
of every target too), opened on a state file that has every target, as after a restart. `peer` is
APScheduler as one would use it at first: an interval job a target.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from measure import Figures, peak_mib, resident_mib, tell, used

from monitor.app.results import StoredResults
from monitor.check import About, Confirm, Settings, World
from monitor.config.load import for_domain
from monitor.config.sections import CheckConfig
from monitor.config.valid import ValidConfig
from monitor.model import DomainTarget, Look, Outcome, Status
from monitor.publish.exposition import Exposition
from monitor.publish.meters import Meters
from monitor.runner import Job, Runner
from monitor.schedule import Assignment, Schedule, slice_of
from monitor.store.kept import Kept
from monitor.store.store import Store
from monitor.world.budgets import PacedBudgets
from monitor.world.build import build_world
from monitor.world.clock import SystemClock

TARGETS = 100_000
INTERVAL = 3600.0
SETTLE_SECONDS = 5.0
CHECK = "trivial"


class TrivialCheck:
    about: ClassVar[About] = About(
        CHECK, "Trivial", DomainTarget, INTERVAL, codes=(), confirm=Confirm.AGAIN
    )

    def __init__(self, settings: Settings) -> None:
        pass

    async def run(self, _target: DomainTarget, _world: World) -> Outcome:
        return Outcome((Look.known("record"),))


class RecordingMeters(Meters):
    """Keeps every lateness, where a histogram knows its buckets only."""

    def __init__(self) -> None:
        super().__init__("bench")
        self.lateness: list[float] = []

    def started(self, check: str, *, lateness: float) -> None:
        super().started(check, lateness=lateness)
        self.lateness.append(lateness)


def names() -> list[str]:
    return [f"customer-{number}.example.com" for number in range(TARGETS)]


def seconds() -> float:
    return float(sys.argv[2]) if len(sys.argv) > 2 else 60.0


def figures(cpu: float, wall: float, lateness: list[float]) -> Figures:
    lateness.sort()
    return {
        "resident_mib": resident_mib(),
        "peak_mib": peak_mib(),
        "cpu_percent": 100 * cpu / wall,
        "lateness_p99": lateness[int(0.99 * len(lateness))],
        "runs_a_second": len(lateness) / wall,
        "cpu_us_a_run": 1e6 * cpu / len(lateness),
    }


def _config(directory: Path) -> ValidConfig:
    url = f"sqlite:///{directory / 'state.db'}"
    return for_domain("example.com", MappingProxyType({}), store_url=url)


async def fill(directory: Path) -> Figures:
    """What an hour of looks leaves behind."""
    clock = SystemClock()
    now = clock.now()
    store = await Store.open(_config(directory).config.store.url, clock=clock)
    for name in names():
        # Its slice came last between now and an hour ago.
        ago = (now - slice_of(CHECK, name, 3600)) % INTERVAL
        at = now - ago
        store.keep(Kept(CHECK, name, name, Status.OK, now - 86400, at, at, clean=1, clean_weight=1))
    await store.flush()
    await store.close()
    return {}


async def watch(directory: Path, *, published: bool) -> Figures:
    clock = SystemClock()
    config = _config(directory)
    store = await Store.open(config.config.store.url, clock=clock)
    meters, exposition = RecordingMeters(), Exposition()
    exposition.configure([TrivialCheck.about])

    def changed(check: str, target: str) -> None:
        kept = store.kept(check, target)
        if kept is not None:
            exposition.update(kept, ())

    if published:
        store.subscribe(changed)
        for kept in store.all_kept():
            changed(kept.check, kept.target)
    worlds = build_world(
        config,
        windows=store,
        results=StoredResults(store),
        budgets=PacedBudgets(clock=clock),
        clock=clock,
    )
    settings = Settings()
    job = Job(
        TrivialCheck(settings),
        CheckConfig(CHECK, TrivialCheck, True, INTERVAL, 30.0, 2, 60.0, {}, (), settings),
    )
    async with asyncio.TaskGroup() as tasks:
        runner = Runner(
            store=store,
            worlds=worlds,
            clock=clock,
            meters=meters,
            count=exposition.count,
            news=lambda _domain: None,
            tasks=tasks,
        )
        schedule = Schedule(
            submit=lambda job, target, due: runner.submit(job, target, due=due),
            clock=clock,
            tasks=tasks,
        )
        schedule.start()
        targets = tuple(DomainTarget(name, selectors_declared=False) for name in names())

        def last_run(check: str, target: str) -> float | None:
            kept = store.kept(check, target)
            return kept.looked_at if kept else None

        schedule.arm([Assignment(job, targets)], last_run=last_run)
        await asyncio.sleep(SETTLE_SECONDS)
        meters.lateness.clear()
        with used() as usage:
            await asyncio.sleep(seconds())
        found = figures(usage.cpu, usage.wall, meters.lateness)
        schedule.stop()
        await runner.drain(5)
    await worlds.aclose()
    await store.close()
    return found


async def jobs_a_target() -> Figures:
    lateness: list[float] = []

    async def run(due: float) -> None:
        lateness.append(time.time() - due)

    scheduler = AsyncIOScheduler(timezone="UTC")
    start = time.time() + 30  # adding the jobs takes a while
    for number, name in enumerate(names()):
        due = start + number * INTERVAL / TARGETS
        _add(scheduler, run, name, due)
    scheduler.start()
    await asyncio.sleep(max(0.0, start - time.time()) + SETTLE_SECONDS)
    lateness.clear()
    with used() as usage:
        await asyncio.sleep(seconds())
    found = figures(usage.cpu, usage.wall, lateness)
    scheduler.shutdown(wait=False)
    return found


def _add(scheduler: AsyncIOScheduler, run: Any, name: str, due: float) -> None:
    first = datetime.fromtimestamp(due, UTC)
    scheduler.add_job(
        run,
        IntervalTrigger(seconds=INTERVAL, start_date=first),
        args=[due],
        id=name,
        misfire_grace_time=None,
        coalesce=True,
    )


def _watched(arguments: Sequence[str], *, published: bool) -> Figures:
    return asyncio.run(watch(Path(arguments[3]), published=published))


def _filled() -> Figures:
    return asyncio.run(fill(Path(sys.argv[3])))


if __name__ == "__main__":
    tell(
        {
            "fill": _filled,
            "ours": lambda: _watched(sys.argv, published=False),
            "ours_published": lambda: _watched(sys.argv, published=True),
            "peer": lambda: asyncio.run(jobs_a_target()),
        }
    )
