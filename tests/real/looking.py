"""The real checks, each run once and confirmed at once, in the real world that a configuration describes."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.app.assembly import Assembly, assemble
from monitor.check import PastResult
from monitor.config.installed import installed_checks
from monitor.config.load import load
from monitor.inventory import Discovery, discover
from monitor.runner.execute import OnceResult, once
from monitor.store.kept import KeptFinding
from monitor.world.budgets import PacedBudgets
from monitor.world.build import Worlds, build_world
from monitor.world.clock import SystemClock
from monitor.world.fake import FakeWorld


class NoResults:
    """Nothing was looked at before."""

    def of_domain(self, _domain: str) -> Sequence[PastResult]:
        return ()


@dataclass(frozen=True)
class Looking:
    """What may be looked at, and through which world."""

    assembly: Assembly
    worlds: Worlds

    async def at(self, check: str, target: str) -> OnceResult:
        return await once(*self.assembly.targets[check, target], self.worlds, SystemClock())


@asynccontextmanager
async def looking(config: Path) -> AsyncIterator[Looking]:
    """The outside as the daemon finds it with this configuration; no mail was sent."""
    valid = load(config, {}, installed_checks())
    clock = SystemClock()
    worlds = build_world(
        valid,
        windows=FakeWorld(),
        results=NoResults(),
        budgets=PacedBudgets(clock=clock),
        clock=clock,
    )
    discoveries: dict[str, Discovery] = {}
    for domain in valid.domains:
        found = await discover(domain.name, worlds.normal("discovery").dns, clock.now())
        if found is not None:
            discoveries[domain.name] = found
    try:
        yield Looking(assemble(valid, discoveries), worlds)
    finally:
        await worlds.aclose()


def findings(result: OnceResult, subject: str | None = None) -> Iterator[KeptFinding]:
    """The findings of a result, or of one subject of it."""
    for kept in result.kept.subjects.values():
        if subject in {None, kept.subject}:
            yield from kept.findings
