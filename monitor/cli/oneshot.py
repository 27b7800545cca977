"""One look, now: what there is to look at, looked at all at once and within one time limit."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from monitor.app.assembly import jobs_of
from monitor.app.discovery import discover_believably
from monitor.check import Clock, Confirm, PastResult, Question
from monitor.cli.report import Report, Result, result_of, unlooked
from monitor.config.valid import ValidConfig
from monitor.inventory import Discovery, Inventory, build, names_to_resolve, target_of
from monitor.model import (
    AddressTarget,
    Counts,
    Domain,
    DomainTarget,
    HostTarget,
    MonitorTarget,
    SenderTarget,
    Status,
    Target,
)
from monitor.runner import Job
from monitor.runner.execute import once
from monitor.store.kept import Kept, past_result
from monitor.world.budgets import PacedBudgets
from monitor.world.build import OneLook, Worlds, build_world

AT_ONCE = 32

Progress = Callable[[int, int, str], None]
"""Told how many looks are done, how many there are, and which one was the last."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to look at: the target that a person named, the configuration cut down to it, the checks."""

    target: Target
    config: ValidConfig
    jobs: tuple[Job, ...]


class NothingKept:
    """A one-shot look has no past: no events, no earlier results."""

    async def counts(
        self,
        sender: str,  # noqa: ARG002
        domain: str,  # noqa: ARG002
        seconds: Sequence[int],  # noqa: ARG002
    ) -> Mapping[tuple[str, str], Mapping[int, Counts]]:
        """None."""
        return {}

    def of_domain(self, domain: str) -> Sequence[PastResult]:  # noqa: ARG002
        """None."""
        return ()


@asynccontextmanager
async def opened_worlds(config: ValidConfig, clock: Clock) -> AsyncIterator[Worlds]:
    """The outside as the configuration has it, without a past; closed at the end."""
    nothing = NothingKept()
    budgets = PacedBudgets(clock=clock)
    worlds = build_world(config, windows=nothing, results=nothing, budgets=budgets, clock=clock)
    try:
        yield worlds
    finally:
        await worlds.aclose()


def task_of(target: Target, config: ValidConfig, only: Sequence[str]) -> Task:
    """The task for one target; `only` names the checks to make, all that apply where it is empty.

    What `config` declares of the target counts: selectors, senders, addresses. A domain brings its
    addresses and mail hosts with it, and nothing of other domains.
    """
    if isinstance(target, DomainTarget):
        config = _cut_down(config, target.name)
    inventory = build(config, {})
    target = inventory.find(type(target), target.name) or target
    jobs = tuple(
        job
        for job in jobs_of(config)
        if (not only or job.name in only) and _applies(job, type(target))
    )
    return Task(target, config, jobs)


def named_target(text: str) -> Target:
    """The target that a person names; `monitor` is the monitor itself, which no domain can be called.

    Raises:
        ValueError: it is no domain, no address and no host:port.
    """
    ourselves = MonitorTarget()
    text = text.strip()
    return ourselves if text.lower() == ourselves.name else target_of(text)


def _applies(job: Job, kind: type[Target]) -> bool:
    if kind is MonitorTarget:
        return kind in job.about.target_types
    # Windows of events confirm themselves; a one-shot look has none.
    if job.about.confirm is Confirm.NONE and not job.about.reads_results:
        return False
    with_it = {DomainTarget, AddressTarget, HostTarget, SenderTarget}
    kinds = with_it if kind is DomainTarget else {kind}
    return not kinds.isdisjoint(job.about.target_types)


def _cut_down(config: ValidConfig, name: str) -> ValidConfig:
    declared = next((domain for domain in config.domains if domain.name == name), Domain(name))
    senders = (
        replace(sender, domains=(name,)) for sender in config.senders if name in sender.domains
    )
    return replace(config, domains=(declared,), senders=tuple(senders))


async def look(
    task: Task, worlds: Worlds, clock: Clock, *, seconds: float, progress: Progress
) -> Report:
    """Look at everything; what gives no answer within `seconds` is unknown."""
    run = _Run(task, worlds, clock, progress)
    started = clock.monotonic()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await run.all()
    return run.report(seconds=clock.monotonic() - started, limit=seconds)


@dataclass(slots=True)
class Found:
    """Implements `monitor.check.Results`: what this look has found so far, by (check, target)."""

    by_key: dict[tuple[str, str], Kept] = field(default_factory=dict)

    def of_domain(self, domain: str) -> Sequence[PastResult]:
        """Those about one domain."""
        return [past_result(kept) for kept in self.by_key.values() if kept.domain == domain]


@dataclass(slots=True)
class _Run:
    task: Task
    worlds: Worlds
    clock: Clock
    progress: Progress
    found: Found = field(default_factory=Found)
    results: dict[tuple[str, str], Result | None] = field(default_factory=dict)
    look: OneLook = field(init=False)
    discovered: bool = False
    blindness: str = ""
    own_trouble: str = ""
    cut_off: bool = False
    notes: list[str] = field(default_factory=list)
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def __post_init__(self) -> None:
        self.look = OneLook(self.worlds, self.found)

    async def all(self) -> None:
        """Every look; returns when all of them are done. Those that read what others found come last."""
        target = self.task.target
        targets: list[Target] = [target]
        async with asyncio.TaskGroup() as tasks:
            # Of the monitor itself its checks say what is wrong with it.
            if not isinstance(target, MonitorTarget):
                tasks.create_task(self._ask_ourselves())
            self._start(tasks, targets, reading=False)
            if isinstance(target, DomainTarget):
                inventory = await self._inventory(target.name)
                others: list[Target] = [*inventory.addresses, *inventory.hosts]
                others += [*inventory.named_domains, *inventory.senders]
                self._start(tasks, others, reading=False)
                targets += others
        async with asyncio.TaskGroup() as tasks:
            self._start(tasks, targets, reading=True)

    def report(self, *, seconds: float, limit: float) -> Report:
        """What was learnt; what has no result yet is unknown."""
        late = f"no answer within the {limit:.1f} s that were left for it"
        results = [
            result or unlooked(check, target, late, limit)
            for (check, target), result in self.results.items()
        ]
        target = self.task.target
        if isinstance(target, DomainTarget) and (self.blindness or not self.discovered):
            reason = self.blindness or late
            results += [unlooked(*key, reason, seconds) for key in self._undiscovered(target.name)]
        notes = tuple(self.notes)
        return Report(
            target.name, tuple(results), seconds, self.own_trouble, notes, cut_off=self.cut_off
        )

    def _start(self, tasks: asyncio.TaskGroup, targets: Sequence[Target], *, reading: bool) -> None:
        for job in self.task.jobs:
            if job.about.reads_results is not reading:
                continue
            for target in targets:
                if isinstance(target, job.about.target_types) and job.about.applies(target):
                    self.results[job.name, target.name] = None
                    tasks.create_task(self._look_at(job, target))
        self._tell("")

    async def _look_at(self, job: Job, target: Target) -> None:
        async with self.at_once:
            found = await once(job, target, self.look, self.clock)
        self.found.by_key[job.name, target.name] = found.kept
        self.results[job.name, target.name] = result_of(found)
        self._tell(f"{job.name} {target.name}")
        if isinstance(target, HostTarget) and found.kept.status is Status.UNKNOWN:
            trouble = await self.worlds.canaries.egress(target.port)
            self.own_trouble = self.own_trouble or trouble or ""

    async def _ask_ourselves(self) -> None:
        canaries = self.worlds.canaries
        trouble = await canaries.network() or await canaries.resolver()
        self.own_trouble = trouble or self.own_trouble
        self.cut_off = bool(trouble)

    async def _inventory(self, name: str) -> Inventory:
        """The domain's addresses and mail hosts, declared and found."""
        world = self.look.normal("discovery")
        declared = names_to_resolve(self.task.config).get(name, ())
        found = await discover_believably(name, world, self.clock, declared=declared)
        if found is None:
            answers = await world.dns.ask_many([Question(name, "MX"), Question(name, "TXT")])
            blind = next((answer.blindness for answer in answers if not answer.known), None)
            reason = blind or await world.canaries.resolver() or "our resolver failed for a moment"
            self.blindness = f"could not be found out: {reason}"
        self.discovered = True
        discoveries: dict[str, Discovery] = {name: found} if found else {}
        inventory = build(self.task.config, discoveries)
        self.notes += [f"{one.domain}: {one.what}." for one in inventory.left_out]
        sends = found is not None and (found.mx_hosts or found.platforms)
        if sends and not inventory.addresses and self._jobs_of(AddressTarget):
            self.notes.append(
                f"{name} shows no sending address of its own (MX, SPF): "
                "declare them in a configuration file to have them looked at."
            )
        return inventory

    def _undiscovered(self, name: str) -> list[tuple[str, str]]:
        return [
            *((job.name, f"addresses of {name}") for job in self._jobs_of(AddressTarget)),
            *((job.name, f"mail hosts of {name}") for job in self._jobs_of(HostTarget)),
        ]

    def _jobs_of(self, kind: type[Target]) -> list[Job]:
        return [job for job in self.task.jobs if kind in job.about.target_types]

    def _tell(self, last: str) -> None:
        done = sum(result is not None for result in self.results.values())
        self.progress(done, len(self.results), last)
