"""Zones tried now, all at once and within one time limit; and whether the trouble is ours."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from monitor.check import ListsZones, ZoneFacts, ZoneState, ZoneTrial
from monitor.cli.oneshot import Progress, opened_worlds
from monitor.cli.zone_report import Trials
from monitor.config.valid import ValidConfig
from monitor.protocol.public_resolvers import operator_of
from monitor.runner import Job
from monitor.world.build import Worlds
from monitor.world.clock import SystemClock

AT_ONCE = 64


async def try_zones(
    jobs: Sequence[Job],
    zones: Sequence[tuple[str, ZoneFacts]],
    config: ValidConfig,
    *,
    seconds: float,
    progress: Progress,
) -> Trials:
    """Try each of `zones`, given with its check; what is not done within `seconds` is unknown."""
    checks: dict[str, ListsZones] = {
        job.name: job.check for job in jobs if isinstance(job.check, ListsZones)
    }
    async with opened_worlds(config, SystemClock()) as worlds:
        run = _Run(checks, zones, worlds, progress)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await run.all()
        nameservers = tuple(server.address for server in worlds.resolver.nameservers)
    return Trials(
        results=tuple(run.results(seconds)),
        nameservers=nameservers,
        public=tuple(
            f"{address} ({operator})"
            for address in nameservers
            if (operator := operator_of(address))
        ),
        own_trouble=run.own_trouble,
    )


@dataclass(slots=True)
class _Run:
    checks: Mapping[str, ListsZones]
    zones: Sequence[tuple[str, ZoneFacts]]
    worlds: Worlds
    progress: Progress
    tried: dict[tuple[str, str], ZoneTrial] = field(default_factory=dict)
    own_trouble: str = ""
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def all(self) -> None:
        """Every trial, and the question whether it is us."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask_ourselves())
            for check, facts in self.zones:
                tasks.create_task(self._try(check, facts.name))

    def results(self, limit: float) -> Iterable[tuple[str, ZoneTrial]]:
        """Each trial, in the order asked for. While the trouble is ours, only what is usable is told."""
        for check, facts in self.zones:
            late = ZoneTrial(facts.name, ZoneState.UNKNOWN, f"not done within {limit:g} s", limit)
            trial = self.tried.get((check, facts.name), late)
            if self.own_trouble and trial.state is not ZoneState.USABLE:
                trial = replace(trial, state=ZoneState.UNKNOWN, reason=self.own_trouble)
            yield check, trial

    async def _try(self, check: str, zone: str) -> None:
        async with self.at_once:
            try:
                trial = await self.checks[check].try_zone(zone, self.worlds.normal(check))
            except Exception as error:  # noqa: BLE001 -- whatever a check raises is an unknown with its reason
                trial = ZoneTrial(zone, ZoneState.UNKNOWN, f"{type(error).__name__}: {error}")
        self.tried[check, zone] = trial
        self.progress(len(self.tried), len(self.zones), zone)

    async def _ask_ourselves(self) -> None:
        canaries = self.worlds.canaries
        self.own_trouble = await canaries.network() or await canaries.resolver() or ""
