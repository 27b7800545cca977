"""Runs checks on targets. Whatever happens in a check ends here as an outcome, in bounded time."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from monitor.check import Clock, Confirm
from monitor.model import LookState, MonitorTarget, Outcome, Sample, Severity, Status, Target
from monitor.publish.meters import Meters
from monitor.runner.execute import believed, execute
from monitor.runner.job import Job
from monitor.runner.judge import UndeclaredError, baseline_after, judge, newly_drifted
from monitor.runner.merge import JudgedLook, Run, cleared, merge, worse
from monitor.runner.worlds import Worlds
from monitor.store.kept import Kept, past_result
from monitor.store.store import Store

log = structlog.get_logger()

AT_ONCE = 128
AT_ONCE_A_CHECK = 32
EXTRA_ATTEMPTS = 3
"""Confirming looks that could not tell are repeated this often before the next sweep takes over."""

_News = tuple[str, ...]
"""(code, severity) of what got worse, ("cleared", code, severity), ("record", classification)."""


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """What waits for confirmation: each piece of news with how many known looks in a row told it.

    Those are the look that told it first, and those that confirm. `asked` counts the looks since the sweep last came by.
    """

    seen: Mapping[_News, int]
    asked: int = 1


class Runner:
    """Owns time limits, number at once, confirmation per subject, and turns outcomes into what is kept.

    `news` hears of each domain about which something else is kept than before, for those who read it.
    """

    def __init__(
        self,
        *,
        store: Store,
        worlds: Worlds,
        clock: Clock,
        meters: Meters,
        count: Callable[[str, Sequence[Sample]], None],
        news: Callable[[str], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.worlds = worlds
        self._store = store
        self._clock = clock
        self._meters = meters
        self._count = count
        self._news = news
        self._tasks = tasks
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._at_once_a_check: dict[str, asyncio.Semaphore] = {}
        self._suspicions: dict[tuple[str, str], dict[str, _Suspicion]] = {}
        self._busy: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._waiting: set[tuple[str, str]] = set()
        self._confirming: set[asyncio.Task[None]] = set()
        self._current: Callable[[str, str], bool] = lambda _check, _target: True
        store.subscribe(self._kept_changed)

    def only(self, current: Callable[[str, str], bool]) -> None:
        """Results count only while `current(check, target)` is true: what left the configuration is dropped."""
        self._current = current

    def submit(self, job: Job, target: Target, *, due: float) -> None:
        """Run soon; `due` (epoch seconds) is when it should have started. Skipped where it still runs."""
        key = (job.name, target.name)
        if key in self._busy:
            log.debug("check.still_running", check=job.name, target=target.name)
            return
        task = self._tasks.create_task(self._look(job, target, due=due), name=f"{key[0]} {key[1]}")
        self._busy[key] = task
        task.add_done_callback(lambda _task: self._busy.pop(key, None))

    async def settle(self) -> None:
        """Returns when all that runs or waits for its confirmation now has finished."""
        if running := {*self._busy.values(), *self._confirming}:
            await asyncio.wait(running)

    async def drain(self, seconds: float) -> None:
        """Let what runs finish, `seconds` at most; then cancel it. Waiting confirmations are dropped."""
        running = set(self._busy.values())
        if running:
            await asyncio.wait(running, timeout=seconds)
        for task in (*self._busy.values(), *self._confirming):
            task.cancel()

    async def _look(
        self, job: Job, target: Target, *, due: float | None = None, confirming: bool = False
    ) -> None:
        mine = self._at_once_a_check.setdefault(job.name, asyncio.Semaphore(AT_ONCE_A_CHECK))
        async with mine, self._at_once:
            if due is not None:
                self._meters.started(job.name, lateness=max(0.0, self._clock.now() - due))
            worlds = self.worlds
            world = (
                worlds.confirming(job.name, self._path(job, target))
                if confirming
                else worlds.normal(job.name)
            )
            started = self._clock.monotonic()
            outcome = await execute(job, target, world)
            self._meters.run_finished(job.name, self._clock.monotonic() - started)
            kept = self._store.kept(job.name, target.name)
            outcome = await believed(job, kept, outcome, world)
        if self._current(job.name, target.name):
            self._take(job, target, outcome, confirming=confirming)

    def _path(self, job: Job, target: Target) -> Confirm:
        """How the next confirming look goes: of the ways through another resolver every second is ours.

        Zones may refuse the one and answer the other, and a listing that ours shows still counts. What is told of
        the monitor itself is about our resolver; another knows nothing of it.
        """
        if job.about.confirm is not Confirm.OTHER_RESOLVER:
            return job.about.confirm
        suspicions = self._suspicions.get((job.name, target.name), {}).values()
        asked = max((each.asked for each in suspicions), default=1)
        ours = isinstance(target, MonitorTarget) or asked % 2 == 0
        return Confirm.AGAIN if ours else Confirm.OTHER_RESOLVER

    def _kept_changed(self, check: str, target: str) -> None:
        # A target that left and comes back later is as new.
        if self._store.kept(check, target) is None:
            self._suspicions.pop((check, target), None)

    def _take(self, job: Job, target: Target, outcome: Outcome, *, confirming: bool) -> None:
        at = self._clock.now()
        try:
            judged = judge(job, target, outcome, self._store)
        except UndeclaredError as error:
            log.warning("check.undeclared", check=job.name, target=target.name, error=str(error))
            outcome, judged = Outcome.unknown(str(error)), ()
        self._count(job.name, outcome.samples)
        kept = self._store.kept(job.name, target.name)
        self._suspect(job, target, kept, judged, outcome=outcome, confirming=confirming)
        suspected = self._suspicions.get((job.name, target.name), {})
        awaiting = frozenset(suspected)
        for look in judged:
            if look.look.subject not in awaiting:
                self._accept_record(job, target, look, at)
        run = Run(job.name, target.name, target.domain, at, outcome, judged)
        after = merge(kept, run, awaiting=awaiting, about=job.about)
        try:
            self._store.keep(after)
        except (TypeError, ValueError) as error:
            # What a check of somebody else's returned is no data that can be stored.
            log.warning("check.unstorable", check=job.name, target=target.name, error=str(error))
            failed = replace(run, outcome=Outcome.unknown(f"unstorable result: {error}"), judged=())
            after = merge(kept, failed, awaiting=frozenset(), about=job.about)
            self._store.keep(after)
        self._meters.run_counted(job.name, after.status)
        is_news = kept is None or past_result(kept) != past_result(after)
        if is_news and not job.about.reads_results:
            self._news(target.domain)
        if kept is None or kept.status is not after.status:
            # At the start everything is new: what is fine, or not confirmed yet, would drown the rest.
            expected = kept is None and (after.status is Status.OK or bool(awaiting))
            log.log(
                logging.DEBUG if expected else logging.INFO,
                "status.changed",
                check=job.name,
                target=target.name,
                status=after.status.value,
                was=kept.status.value if kept else None,
                **_because(after),
            )

    def _accept_record(self, job: Job, target: Target, judged: JudgedLook, at: float) -> None:
        if judged.look.state is not LookState.KNOWN or judged.look.record is None:
            return
        before = self._store.baseline(job.name, target.name, judged.look.subject)
        after = baseline_after(job, target, judged, self._store, at=at)
        if after is not None and after != before:
            self._store.set_baseline(after)

    def _suspect(
        self,
        job: Job,
        target: Target,
        kept: Kept | None,
        judged: tuple[JudgedLook, ...],
        *,
        outcome: Outcome,
        confirming: bool,
    ) -> None:
        """Weigh what is not confirmed yet, worse or gone; see to it that it is looked at again."""
        key = (job.name, target.name)
        before = self._suspicions.pop(key, {})
        after: dict[str, _Suspicion] = {}
        # An ordinary look may read the same answer again from a cache, and believes what was proved hours ago. Only
        # where another path may be closed for good does it count, lest nothing ever be confirmed.
        confirms = confirming or job.about.confirm is Confirm.OTHER_PATH
        if outcome.failure is not None:
            after = before
        for look in judged:
            subject = look.look.subject
            if _is_plain(look) and (kept is None or subject not in kept.subjects):
                continue  # nearly all looks of some checks: nothing is new or gone
            suspicion = before.get(subject)
            if look.look.state is LookState.KNOWN:
                record = self._store.baseline(*key, subject)
                news: set[_News] = {*worse(kept, look), *newly_drifted(look, record)}
                if job.about.confirms_clearing:
                    news |= {("cleared", *finding) for finding in cleared(kept, look)}
                suspicion = _weighed(suspicion, news, job.confirmations, confirms=confirms)
            if suspicion is not None:
                after[subject] = suspicion
        if not after:
            return
        self._suspicions[key] = {
            subject: replace(s, asked=s.asked + 1 if confirming else 1)
            for subject, s in after.items()
        }
        if any(
            s.asked <= job.confirmations + EXTRA_ATTEMPTS for s in self._suspicions[key].values()
        ):
            self._look_again(job, target)

    def _look_again(self, job: Job, target: Target) -> None:
        key = (job.name, target.name)
        if key in self._waiting:
            return
        self._waiting.add(key)
        name = f"confirm {job.name} {target.name}"
        task = self._tasks.create_task(self._confirm_later(job, target), name=name)
        self._confirming.add(task)
        task.add_done_callback(self._confirming.discard)

    async def _confirm_later(self, job: Job, target: Target) -> None:
        key = (job.name, target.name)
        try:
            await asyncio.sleep(job.config.confirm_after)
        finally:
            self._waiting.discard(key)
        if self._current(*key):
            await self._look(job, target, confirming=True)


def _is_plain(judged: JudgedLook) -> bool:
    """Whether it is known, and there is nothing to be said of it."""
    look = judged.look
    return look.state is LookState.KNOWN and not judged.findings and look.record is None


def _because(kept: Kept) -> dict[str, Any]:
    """For the log: the findings behind a status, or why it is unknown."""
    subjects = kept.subjects.values()
    codes = {f.code for s in subjects for f in s.findings if f.severity != Severity.INFO}
    fields: dict[str, Any] = {"findings": tuple(sorted(codes))} if codes else {}
    if kept.status is Status.UNKNOWN:
        blind = (f"{s.subject}: {s.unknown_reason}" for s in subjects if not s.known)
        fields["reason"] = kept.failure or next(blind, "")
    return fields


def _weighed(
    suspicion: _Suspicion | None, news: Iterable[_News], confirmations: int, *, confirms: bool
) -> _Suspicion | None:
    """The suspicion after a known look that told `news`; None where nothing waits any more.

    `confirms`: it counts where it tells what was told before.
    """
    before = suspicion.seen if suspicion else {}
    seen = {one: before.get(one, 0) + 1 if confirms else before.get(one, 1) for one in news}
    if all(times > confirmations for times in seen.values()):
        return None
    return _Suspicion(seen, suspicion.asked if suspicion else 0)
