"""All that follows from one configuration; a reload makes another and swaps it in whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.config.valid import ValidConfig
from monitor.inventory import Discovery, Inventory, build
from monitor.model import Target
from monitor.runner import Job
from monitor.schedule import Assignment


@dataclass(frozen=True, slots=True)
class Assembly:
    """A configuration, its jobs and its targets.

    `targets` has every current (check, target name); `readers`, by domain, those of the checks that read
    what others found.
    """

    config: ValidConfig
    jobs: tuple[Job, ...]
    inventory: Inventory
    targets: Mapping[tuple[str, str], tuple[Job, Target]]
    readers: Mapping[str, Sequence[tuple[Job, Target]]]

    def assignments(self) -> list[Assignment]:
        """Each job with its targets."""
        by_job: dict[str, list[Target]] = {job.name: [] for job in self.jobs}
        for job, target in self.targets.values():
            by_job[job.name].append(target)
        return [Assignment(job, tuple(by_job[job.name])) for job in self.jobs]


def jobs_of(config: ValidConfig) -> tuple[Job, ...]:
    """Each enabled check, made with its settings."""
    return tuple(
        Job(configured.check(configured.settings), configured)  # type: ignore[call-arg]
        for configured in config.checks.values()
        if configured.enabled
    )


def assemble(config: ValidConfig, discoveries: Mapping[str, Discovery]) -> Assembly:
    """The jobs and targets of a configuration and of what was discovered."""
    return assembled(config, jobs_of(config), discoveries)


def assembled(
    config: ValidConfig, jobs: tuple[Job, ...], discoveries: Mapping[str, Discovery]
) -> Assembly:
    """The same with jobs that exist already: what was discovered changed, the configuration did not."""
    inventory = build(config, discoveries)
    targets = {
        (job.name, target.name): (job, target)
        for job in jobs
        for target in inventory.targets(job.config)
    }
    readers: dict[str, list[tuple[Job, Target]]] = {}
    for job, target in targets.values():
        if job.about.reads_results:
            readers.setdefault(target.domain, []).append((job, target))
    return Assembly(config, jobs, inventory, targets, readers)
