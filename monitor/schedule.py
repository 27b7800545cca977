"""Sweeps cut into slices: one APScheduler job a check, however many targets there are.

A target's slice follows from a hash of its name, so load is even over the interval and a restart
makes no herd. The only importer of apscheduler.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.check import Clock
from monitor.model import Target
from monitor.runner import Job

log = structlog.get_logger()

MAX_SLICES = 3600
MIN_TICK = 1.0
FIRST_RUNS_A_SECOND = 100
"""The pace of targets that were never looked at, or whose last turn was missed."""

AFTER_SLICE = 0.02
"""Seconds from a slice's due time to its tick: a timer that is a little early must not miss the slice."""

CLOCK_WATCH_SECONDS = 5.0
CLOCK_STEP_SECONDS = 2.0

Submit = Callable[[Job, Target, float], None]
"""Called with the job, the target and its due time in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job and the targets that it has now."""

    job: Job
    targets: tuple[Target, ...]


def slice_of(check: str, target: str, slices: int) -> int:
    """The slice of a target, the same in every process and after every restart."""
    digest = blake2b(f"{check}\0{target}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % slices


def slices_in(interval: float) -> int:
    """The slices of a sweep; all targets of one are looked at together."""
    return max(1, min(MAX_SLICES, int(interval / MIN_TICK)))


@dataclass(slots=True)
class Sweep:
    """One check's sweep: `slices` of `tick` seconds make an interval."""

    job: Job
    tick: float
    slices: int
    targets: Mapping[int, Sequence[Target]]
    position: int = field(default=0)

    @classmethod
    def over(cls, assignment: Assignment, *, now: float) -> "Sweep":
        """A sweep that goes on at the slice which is due at `now` (epoch seconds)."""
        interval = assignment.job.config.interval
        slices = slices_in(interval)
        targets: dict[int, list[Target]] = {}
        for target in assignment.targets:
            targets.setdefault(slice_of(assignment.job.name, target.name, slices), []).append(
                target
            )
        tick = interval / slices
        return cls(assignment.job, tick, slices, targets, int(now / tick))

    def due(self, now: float) -> Iterable[tuple[float, Target]]:
        """Every target whose slice came since the last call, with its due time; a whole sweep at most."""
        reached = int(now / self.tick)
        first = max(self.position + 1, reached - self.slices + 1)
        self.position = max(self.position, reached)
        for position in range(first, reached + 1):
            for target in self.targets.get(position % self.slices, ()):
                yield position * self.tick, target

    def last_due(self, now: float) -> Iterable[tuple[float, Target]]:
        """Every target with the last time at which its slice came."""
        reached = int(now / self.tick)
        for number, targets in self.targets.items():
            position = reached - (reached - number) % self.slices
            for target in targets:
                yield position * self.tick, target


class Schedule:
    """Fires slices; runs what was never seen at once, paced; survives steps of the wall clock."""

    def __init__(self, *, submit: Submit, clock: Clock, tasks: asyncio.TaskGroup) -> None:
        self._submit = submit
        self._clock = clock
        self._tasks = tasks
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._sweeps: dict[str, Sweep] = {}
        self._first_runs: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ahead = 0.0
        """How far the sweeps' time is ahead of a wall clock that stepped back: sweeps never go back."""

    def start(self) -> None:
        """Start firing."""
        self._scheduler.start()
        self._watch = self._tasks.create_task(
            self._watch_clock(self._clock.now(), self._clock.monotonic()), name="watch clock"
        )

    def arm(
        self, assignments: Sequence[Assignment], *, last_run: Callable[[str, str], float | None]
    ) -> None:
        """Replace all sweeps. Targets not run, by `last_run(check, target)`, since they were due run at once, paced."""
        now = self._clock.now()
        self._sweeps = {a.job.name: Sweep.over(a, now=now + self._ahead) for a in assignments}
        for job in self._scheduler.get_jobs():
            if job.id not in self._sweeps:
                job.remove()
        for name, sweep in self._sweeps.items():
            self._add(name, sweep)
        first = [
            (sweep.job, target)
            for sweep in self._sweeps.values()
            for due, target in sweep.last_due(now + self._ahead)
            if _missed(last_run(sweep.job.name, target.name), due - self._ahead, now)
        ]
        self._restart_first_runs(first)
        log.info(
            "schedule.armed",
            checks=len(assignments),
            targets=sum(len(a.targets) for a in assignments),
            at_once=len(first),
        )

    def stop(self) -> None:
        """Fire nothing more; what runs is the runner's to drain."""
        for task in (self._watch, self._first_runs):
            if task is not None:
                task.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(self, name: str, sweep: Sweep) -> None:
        # APScheduler drops a run that is a second late unless misfire_grace_time is None.
        self._scheduler.add_job(
            self._fire,
            IntervalTrigger(seconds=sweep.tick, start_date=self._just_after_a_slice(sweep)),
            args=[name],
            id=name,
            replace_existing=True,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    def _just_after_a_slice(self, sweep: Sweep) -> datetime:
        """So that a slice does not wait for a tick that comes at some other time of the second."""
        start = (int(self._clock.now() / sweep.tick) + 1) * sweep.tick + AFTER_SLICE
        return datetime.fromtimestamp(start, tz=UTC)

    async def _fire(self, name: str) -> None:
        sweep = self._sweeps.get(name)
        if sweep is not None:
            for due, target in sweep.due(self._clock.now() + self._ahead):
                self._submit(sweep.job, target, due - self._ahead)

    def _restart_first_runs(self, first: Sequence[tuple[Job, Target]]) -> None:
        if self._first_runs is not None:
            self._first_runs.cancel()
        self._first_runs = self._tasks.create_task(self._run_first(first), name="first runs")

    async def _run_first(self, first: Sequence[tuple[Job, Target]]) -> None:
        for number, (job, target) in enumerate(_interleaved(first)):
            self._submit(job, target, self._clock.now())
            if number % FIRST_RUNS_A_SECOND == FIRST_RUNS_A_SECOND - 1:
                await asyncio.sleep(1)

    async def _watch_clock(self, wall: float, steady: float) -> None:
        """APScheduler waits for a wall-clock time: after a step back it would sleep through the step."""
        while True:
            await asyncio.sleep(CLOCK_WATCH_SECONDS)
            step = (self._clock.now() - wall) - (self._clock.monotonic() - steady)
            wall, steady = self._clock.now(), self._clock.monotonic()
            if abs(step) > CLOCK_STEP_SECONDS:
                log.warning("schedule.clock_stepped", seconds=round(step, 1))
                # After a step forward (or a sleep of the machine) what was missed is due at once.
                self._ahead += max(0.0, -step)
                for name, sweep in self._sweeps.items():
                    self._add(name, sweep)


def _missed(last_run: float | None, due: float, now: float) -> bool:
    """Whether a target was not looked at since it was due; a look in the future says nothing."""
    return last_run is None or not due <= last_run <= now


def _interleaved(first: Sequence[tuple[Job, Target]]) -> Iterable[tuple[Job, Target]]:
    """One of each check in turn, so that every check shows something soon."""
    by_check: dict[str, deque[tuple[Job, Target]]] = {}
    for job, target in first:
        by_check.setdefault(job.name, deque()).append((job, target))
    while by_check:
        for name in list(by_check):
            yield by_check[name].popleft()
            if not by_check[name]:
                del by_check[name]
