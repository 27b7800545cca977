"""The daemon's life: load, watch, reload, drain."""

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from monitor.app.assembly import Assembly, assemble, assembled
from monitor.app.collector import calm
from monitor.app.discovery import (
    AGAIN_AFTER,
    AGAIN_AFTER_TROUBLE,
    discover_all,
    forget_others,
    known_discoveries,
    tell_left_out,
)
from monitor.app.probing import probe, target_to_probe
from monitor.app.results import StoredResults
from monitor.check import Budgets, Clock
from monitor.config.errors import ConfigErrors
from monitor.config.valid import ValidConfig
from monitor.ingest.hooks import HookReceiver, Reply
from monitor.inventory import Discovery, names_to_resolve
from monitor.model import Target
from monitor.publish.exposition import Exposition
from monitor.publish.meters import Meters
from monitor.publish.standing import standing_series
from monitor.runner import Job, Runner
from monitor.runner.merge import without_drift
from monitor.schedule import Schedule
from monitor.store.error import StoreError
from monitor.store.history import RecordKey, TargetKey
from monitor.store.records import Acceptance, AcceptanceError, RecordChange, accept
from monitor.store.store import Store
from monitor.web.backend import Probe, Snapshot, StaleDriftError
from monitor.web.server import build_application, serve
from monitor.web.zones import listed_zones
from monitor.world.budgets import PacedBudgets
from monitor.world.build import Worlds, build_world
from monitor.world.clock import SystemClock

log = structlog.get_logger()

DRAIN_SECONDS = 5.0
"""How long running checks may finish after SIGTERM; with the web side and the store it stays under 10 s."""

STORE_WATCH_SECONDS = 10.0
READ_AFTER = 1.0
"""Seconds in which what is heard of a domain comes together, before it is read anew."""

LoadConfig = Callable[[], ValidConfig]
"""Reads the configuration again; raises ConfigErrors."""


async def run_daemon(
    load: LoadConfig, *, version: str, announce: Callable[[str], None] = lambda _url: None
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads. `announce` is called with the URL once it listens.

    Raises:
        ConfigErrors: the configuration is not valid at the start.
        StoreError: the state file cannot be used.
        OSError: the listening address is taken.
    """
    clock = SystemClock()
    config = load()
    store = await Store.open(config.config.store.url, clock=clock)
    budgets = PacedBudgets(clock=clock, ledger=store)
    try:
        async with asyncio.TaskGroup() as tasks:
            daemon = Daemon(
                config=config,
                load=load,
                store=store,
                budgets=budgets,
                clock=clock,
                version=version,
                tasks=tasks,
            )
            calm()
            await daemon.live(announce)
    finally:
        await budgets.settle()
        try:
            await store.close()
        except StoreError as error:
            log.error("store.not_written", error=str(error))
        log.info("daemon.stopped")


class Daemon:
    """What runs, and the web side's backend."""

    def __init__(
        self,
        *,
        config: ValidConfig,
        load: LoadConfig,
        store: Store,
        budgets: Budgets,
        clock: Clock,
        version: str,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._load = load
        self._store = store
        self._budgets = budgets
        self._clock = clock
        self._version = version
        self._tasks = tasks
        self._stopping = asyncio.Event()
        self._rediscover = asyncio.Event()
        self._store_up = True
        self._heard_of: set[str] = set()
        self._reloading = asyncio.Lock()
        self._meters = Meters(version)
        self._exposition = Exposition()
        self._results = StoredResults(store)
        self._worlds = self._new_worlds(config)
        self._hooks = HookReceiver.of(config, store=store, clock=clock)
        self._runner = Runner(
            store=store,
            worlds=self._worlds,
            clock=clock,
            meters=self._meters,
            count=self._exposition.count,
            news=self._heard,
            tasks=tasks,
        )
        self._schedule = Schedule(submit=self._submit, clock=clock, tasks=tasks)
        self._assembly = assemble(config, self._discoveries(config))

    async def live(self, announce: Callable[[str], None]) -> None:
        """Watch until told to stop, then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        self._store.subscribe(self._changed)
        self._runner.only(lambda check, target: (check, target) in self._assembly.targets)
        self._meters.config_loaded(successful=True, at=self._clock.now())
        self._take(self._assembly)
        server = await serve(build_application(self), self._assembly.config.config.server.listen)
        announce(server.url)
        self._schedule.start()
        self._arm()
        background = [
            self._tasks.create_task(self._keep_discovering(), name="discovery"),
            self._tasks.create_task(self._watch_store(), name="watch store"),
        ]
        await self._stopping.wait()
        log.info("daemon.stopping")
        for task in background:
            task.cancel()
        self._schedule.stop()
        await self._runner.drain(DRAIN_SECONDS)
        await server.close()
        await self._worlds.aclose()

    # --- the web side's backend ---

    def metrics(self, *, openmetrics: bool) -> bytes:
        """The whole exposition."""
        now = self._clock.now()
        standing = standing_series(
            config=self._assembly.config,
            totals=self._store.totals(),
            hooks=self._hooks,
            store_up=self._store_up,
            kept=self._store.all_kept(),
        )
        text = self._exposition.render(standing, now=now, openmetrics=openmetrics)
        return text.encode() + self._meters.render(openmetrics=openmetrics)

    async def not_ready(self) -> str | None:
        """Why the store does not answer; what was stored is loaded before the server listens."""
        return await self._store.answers()

    async def reload(self) -> Sequence[str]:
        """Take the configuration anew; an invalid one changes nothing."""
        async with self._reloading:
            try:
                config = self._load()
                worlds = self._new_worlds(config)
            except (ConfigErrors, OSError, ValueError) as errors:
                self._meters.config_loaded(successful=False, at=self._clock.now())
                log.warning("config.rejected", errors=str(errors).splitlines())
                return str(errors).splitlines()
            await self._swap(config, worlds)
        self._meters.config_loaded(successful=True, at=self._clock.now())
        log.info("config.reloaded")
        return ()

    def snapshot(self) -> Snapshot:
        """The state now."""
        config = self._assembly.config
        kept = tuple(
            kept
            for kept in self._store.all_kept()
            if (kept.check, kept.target) in self._assembly.targets
        )
        looked_at = {(one.check, one.target) for one in kept}
        return Snapshot(
            at=self._clock.now(),
            version=self._version,
            organisation=config.config.organisation.name,
            domains=config.domains,
            senders=config.senders,
            checks={job.name: job.config for job in self._assembly.jobs},
            kept=kept,
            baselines=tuple(self._store.watched()),
            waiting=tuple(
                (*key, target.domain)
                for key, (_job, target) in self._assembly.targets.items()
                if key not in looked_at
            ),
            zones=listed_zones(self._assembly.jobs),
        )

    async def probe(self, check: str, target: str) -> Probe:
        """One run of one check on one target; it does not count."""
        found = target_to_probe(self._assembly, check, target)
        return await probe(*found, worlds=self._worlds, clock=self._clock)

    async def hook(self, name: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Events arrive."""
        return await self._hooks.receive(name, headers, body)

    async def record_history(
        self, targets: Collection[TargetKey]
    ) -> Mapping[RecordKey, Sequence[RecordChange]]:
        """The history of each watched record of the targets, oldest first."""
        return await self._store.history(targets)

    async def accept_drift(
        self, check: str, target: str, subject: str, seen: str, acceptance: Acceptance
    ) -> None:
        """Accept a record as it is seen now, and look again at once."""
        found = self._assembly.targets.get((check, target))
        if found is not None and found[0].config.given(target, subject) is not None:
            raise StaleDriftError(
                f"checks.{check}.baselines of the configuration says what is accepted"
            )
        now = self._clock.now()
        before = self._store.baseline(check, target, subject)
        try:
            accepted = accept(before, seen, acceptance, at=now)
        except AcceptanceError as error:
            raise StaleDriftError(f"{check} {target} {subject}: {error}") from None
        self._store.set_baseline(accepted)
        kept = self._store.kept(check, target)
        if found is not None and kept is not None:
            self._store.keep(without_drift(kept, subject, found[0].about, at=now))
        await self._store.flush()
        log.info("drift.accepted", check=check, target=target, subject=subject, by=acceptance.by)
        if found is not None:
            self._runner.submit(*found, due=now)

    # --- inside ---

    def _new_worlds(self, config: ValidConfig) -> Worlds:
        return build_world(
            config,
            windows=self._store,
            results=self._results,
            budgets=self._budgets,
            clock=self._clock,
        )

    def _discoveries(self, config: ValidConfig) -> Mapping[str, Discovery]:
        return known_discoveries(self._store, [domain.name for domain in config.domains])

    def _submit(self, job: Job, target: Target, due: float) -> None:
        self._runner.submit(job, target, due=due)

    def _heard(self, domain: str) -> None:
        """Have those look again, soon, who read what others find about the domain."""
        if not self._heard_of:
            asyncio.get_running_loop().call_later(READ_AFTER, self._read_anew)
        self._heard_of.add(domain)

    def _read_anew(self) -> None:
        domains, self._heard_of = self._heard_of, set()
        if self._stopping.is_set():
            return
        for domain in domains:
            for job, target in self._assembly.readers.get(domain, ()):
                self._runner.submit(job, target, due=self._clock.now())

    def _changed(self, check: str, target: str) -> None:
        kept = self._store.kept(check, target)
        if kept is None:
            self._exposition.remove(check, target)
            return
        baselines = [
            baseline
            for subject in kept.subjects
            if (baseline := self._store.baseline(check, target, subject)) is not None
        ]
        self._exposition.update(kept, baselines)

    def _take(self, assembly: Assembly) -> None:
        """Make `assembly` the current one; what left it vanishes at once."""
        tell_left_out(self._assembly.inventory, assembly.inventory)
        self._assembly = assembly
        self._exposition.configure(job.about for job in assembly.jobs)
        for kept in self._store.all_kept():
            if (kept.check, kept.target) in assembly.targets:
                self._changed(kept.check, kept.target)
            else:
                self._store.forget(kept.check, kept.target)
                self._exposition.remove(kept.check, kept.target)
        forget_others(self._store, {domain.name: domain for domain in assembly.config.domains})

    def _arm(self) -> None:
        def last_run(check: str, target: str) -> float | None:
            kept = self._store.kept(check, target)
            return kept.looked_at if kept else None

        self._schedule.arm(self._assembly.assignments(), last_run=last_run)

    async def _swap(self, config: ValidConfig, worlds: Worlds) -> None:
        before, old_worlds = self._assembly.config.config, self._worlds
        for key in ("store", "server"):
            if getattr(before, key) != getattr(config.config, key):
                log.warning("config.needs_restart", key=key)
        self._worlds = self._runner.worlds = worlds
        self._hooks.replace(HookReceiver.of(config, store=self._store, clock=self._clock))
        self._take(assemble(config, self._discoveries(config)))
        self._arm()
        self._rediscover.set()
        self._tasks.create_task(self._retire(old_worlds), name="retire world")

    async def _retire(self, worlds: Worlds) -> None:
        """Close a world once the looks that began in it are over: a reload blinds nobody."""
        await self._runner.settle()
        await worlds.aclose()

    def _reload_soon(self) -> None:
        self._tasks.create_task(self._reload_quietly(), name="reload")

    async def _reload_quietly(self) -> None:
        await self.reload()

    async def _watch_store(self) -> None:
        while True:
            self._store_up = await self._store.answers() is None
            await asyncio.sleep(STORE_WATCH_SECONDS)

    async def _keep_discovering(self) -> None:
        tell_left_out(None, self._assembly.inventory)
        while True:
            self._rediscover.clear()
            complete = await discover_all(
                names_to_resolve(self._assembly.config),
                world=self._worlds.normal("discovery"),
                store=self._store,
                clock=self._clock,
            )
            before = self._assembly
            after = assembled(before.config, before.jobs, self._discoveries(before.config))
            if after.inventory != before.inventory:
                self._take(after)
                self._arm()
            seconds = AGAIN_AFTER if complete else AGAIN_AFTER_TROUBLE
            try:
                async with asyncio.timeout(seconds):
                    await self._rediscover.wait()
            except TimeoutError:
                continue
