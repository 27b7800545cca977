"""One run on demand, explained: what it learnt, its log lines, its settings."""

from monitor.app.logs import collected
from monitor.check import Clock
from monitor.model import Target
from monitor.publish.exposition import Exposition
from monitor.runner import Job
from monitor.runner.execute import once
from monitor.runner.worlds import Worlds
from monitor.web.backend import Probe


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
