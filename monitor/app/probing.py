"""One run on demand, explained: what it learnt, its log lines, its settings."""

from ipaddress import ip_address

from monitor.app.assembly import Assembly
from monitor.app.logs import collected
from monitor.check import Clock
from monitor.config import names
from monitor.inventory import target_of
from monitor.model import HostTarget, Target
from monitor.publish.exposition import Exposition
from monitor.runner import Job
from monitor.runner.execute import once
from monitor.runner.worlds import Worlds
from monitor.web.backend import NoSuchTargetError, Probe


def target_to_probe(assembly: Assembly, check: str, text: str) -> tuple[Job, Target]:
    """The configured target of this name; any other public one where the configuration allows it.

    Raises:
        NoSuchTargetError: the check is not enabled, or the target may not be probed.
    """
    found = assembly.targets.get((check, text))
    if found is not None:
        return found
    job = next((job for job in assembly.jobs if job.name == check), None)
    if job is None:
        raise NoSuchTargetError(f"no check {check!r} is enabled")
    if not assembly.config.config.server.probe_any:
        raise NoSuchTargetError(f"{text!r} is not a configured target of the check {check}")
    return job, _public_target(job, text)


def _public_target(job: Job, text: str) -> Target:
    try:
        target = target_of(text)
    except ValueError as error:
        raise NoSuchTargetError(f"{text!r}: {error}") from None
    if not isinstance(target, job.about.target_types) or not job.about.applies(target):
        raise NoSuchTargetError(f"{text!r} is no target of the kind that {job.name} looks at")
    named = target.host if isinstance(target, HostTarget) else target.name
    # A name that leads to a private address is stopped by the guard when the world connects.
    if names.is_address(named) and not ip_address(named).is_global:
        raise NoSuchTargetError(f"{named} is not a public address")
    return target


async def probe(job: Job, target: Target, *, worlds: Worlds, clock: Clock) -> Probe:
    """Run once, confirm at once, count nothing."""
    with collected() as lines:
        result = await once(job, target, worlds, clock)
    exposition = Exposition()
    exposition.configure([job.about])
    exposition.update(result.kept, [])
    return Probe(
        about=job.about,
        target=target.name,
        kept=result.kept,
        outcome=result.outcome,
        seconds=result.seconds,
        settings=job.config.settings.model_dump_json(indent=2),
        log=tuple(lines),
        metrics=exposition.render((), now=clock.now(), openmetrics=False),
    )
