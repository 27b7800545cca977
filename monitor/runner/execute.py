"""One bounded run of a check, and the one-shot look that confirms at once and keeps nothing."""

import asyncio
from dataclasses import dataclass

import structlog

from monitor.check import Clock, Confirm, World
from monitor.model import Outcome, Target
from monitor.runner.job import Job
from monitor.runner.judge import NoBaselines, UndeclaredError, judge
from monitor.runner.merge import JudgedLook, Run, merge, tells_news, worse
from monitor.runner.worlds import Worlds
from monitor.store.kept import Kept

log = structlog.get_logger()


async def execute(job: Job, target: Target, world: World) -> Outcome:
    """One run within the job's time limit; every exception becomes `unknown` with its reason."""
    try:
        async with asyncio.timeout(job.config.timeout):
            return await job.check.run(target, world)
    except TimeoutError:
        return Outcome.unknown(f"no result within {job.config.timeout:g} s")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody cancelled us: something that the check waited for was cancelled.
        return Outcome.unknown("the check failed: what it waited for was cancelled")
    except Exception as error:  # a check may raise anything; all of it is `unknown`
        log.warning("check.failed", check=job.name, target=target.name, exc_info=error)
        return Outcome.unknown(f"the check failed: {type(error).__name__}: {error}"[:300])


async def believed(job: Job, kept: Kept | None, outcome: Outcome, world: World) -> Outcome:
    """The outcome; `unknown` where it tells news while our own resolver cannot be believed.

    A resolver without a way out, or a filter, says of every name that it does not exist. What needs no
    confirmation (windows of events, our own canaries) does not come from it.
    """
    ours_alone = job.about.confirm is Confirm.NONE
    if ours_alone or outcome.failure is not None or not tells_news(kept, outcome, job.about):
        return outcome
    trouble = await world.canaries.resolver()
    return outcome if trouble is None else Outcome.unknown(trouble)


@dataclass(frozen=True, slots=True)
class OnceResult:
    """A one-shot result: `kept` is what the daemon would keep, `seconds` how long it took."""

    kept: Kept
    outcome: Outcome
    seconds: float


async def once(job: Job, target: Target, worlds: Worlds, clock: Clock) -> OnceResult:
    """One look now; what is bad is confirmed by a second look at once, past every cache."""
    started = clock.monotonic()
    world = worlds.normal(job.name)
    outcome = await believed(job, None, await execute(job, target, world), world)
    outcome, judged = _judged(job, target, outcome)
    if job.about.confirm is not Confirm.NONE and any(worse(None, look) for look in judged):
        # At once, so through the same resolver: one that a zone refuses would leave a one-shot look blind.
        how = job.about.confirm
        how = Confirm.AGAIN if how is Confirm.OTHER_RESOLVER else how
        second = await execute(job, target, worlds.confirming(job.name, how))
        outcome, judged = _confirmed(job, target, judged, outcome, second)
    run = Run(job.name, target.name, target.domain, clock.now(), outcome, judged)
    kept = merge(None, run, awaiting=frozenset(), about=job.about)
    return OnceResult(kept, outcome, clock.monotonic() - started)


def _confirmed(
    job: Job,
    target: Target,
    first: tuple[JudgedLook, ...],
    first_outcome: Outcome,
    second_outcome: Outcome,
) -> tuple[Outcome, tuple[JudgedLook, ...]]:
    """The second look decides where it could tell; where it could not, nothing bad is confirmed.

    A bad subject that the second look no longer lists has left the target.
    """
    second_outcome, second = _judged(job, target, second_outcome)
    if second_outcome.failure is not None:
        return second_outcome, ()
    by_subject = {look.look.subject: look for look in second}
    return first_outcome, tuple(
        by_subject[look.look.subject] if look.bad else look
        for look in first
        if not look.bad or look.look.subject in by_subject
    )


def _judged(job: Job, target: Target, outcome: Outcome) -> tuple[Outcome, tuple[JudgedLook, ...]]:
    try:
        return outcome, judge(job, target, outcome, NoBaselines())
    except UndeclaredError as error:
        log.warning("check.undeclared", check=job.name, target=target.name, error=str(error))
        return Outcome.unknown(str(error)), ()
