"""The store: what is kept, mirrored in memory, and what happened to mail, durable before it is acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import structlog

from monitor.check import Clock
from monitor.model import Event
from monitor.store.budgets import PartyDay
from monitor.store.codec import encode_baseline, encode_kept
from monitor.store.database import Batch, Database, Key, Loaded, Written
from monitor.store.error import StoreError
from monitor.store.events import Dimension, Windows
from monitor.store.history import Gain, HistoryWrite, RecordKey, TargetKey, with_gain
from monitor.store.kept import FIRST_SIGHT, Baseline, Kept
from monitor.store.lock import OwnerLock
from monitor.store.mirror import Mirror
from monitor.store.records import RecordChange, beginning, changes

T = TypeVar("T")

_COALESCE_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 5.0
_SCHEME: Final = "sqlite:///"

_log = structlog.get_logger("monitor.store")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A caller that waits for a commit: with events, or (flush) for what is there already."""

    events: Sequence[Event]
    counted: "asyncio.Future[int]"


class Store:
    """Results, baselines, discoveries and event counts of one daemon, over one SQLite file.

    What is kept is read from memory and written within a second; events are durable when `add_events`
    returns. All methods belong to the event loop that opened the store. Implements
    `monitor.check.EventWindows` and `monitor.world.budgets.Ledger`.
    """

    def __init__(
        self,
        *,
        database: Database,
        loaded: Loaded,
        lock: OwnerLock,
        worker: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        """Use `Store.open`."""
        self._database = database
        self._lock = lock
        self._worker = worker
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._kept = Mirror(loaded.kept)
        self._baselines: dict[tuple[str, str], dict[str, Baseline]] = {}
        for baseline in loaded.baselines:
            self._baselines.setdefault((baseline.check, baseline.target), {})[baseline.subject] = (
                baseline
            )
        self._discoveries = loaded.discoveries
        self._totals = loaded.totals
        self._asked = loaded.budgets
        self._listeners: list[Callable[[str, str], None]] = []
        self._dirty_kept: dict[Key, str | None] = {}
        self._dirty_baselines: dict[Key, str | None] = {}
        self._dirty_discoveries: dict[str, str | None] = {}
        self._dirty_history: dict[TargetKey, HistoryWrite] = {}
        self._dirty_budgets: dict[PartyDay, int] = {}
        self._due: float | None = None
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._failing = False
        self._writer = self._loop.create_task(self._write_until_closed(), name="store writer")

    @classmethod
    async def open(cls, url: str, *, clock: Clock) -> "Store":
        """Opens or makes the state file of `sqlite:///relative` or `sqlite:////absolute`.

        Raises StoreError where another process has it, where it is damaged, another program's or of a
        newer version, and where it cannot be written.
        """
        if not url.startswith(_SCHEME) or url == _SCHEME:
            raise StoreError(
                "store.url must be sqlite:///relative/path or sqlite:////absolute/path"
            )
        path = Path(url.removeprefix(_SCHEME))
        lock = OwnerLock(path)
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        database = Database(path)
        try:
            loaded = await asyncio.get_running_loop().run_in_executor(worker, database.load)
        except BaseException:
            worker.shutdown()
            lock.release()
            raise
        _log.info(
            "store.opened", path=str(path), kept=len(loaded.kept), baselines=len(loaded.baselines)
        )
        return cls(database=database, loaded=loaded, lock=lock, worker=worker, clock=clock)

    # --- what is kept ---

    def kept(self, check: str, target: str) -> Kept | None:
        """What is kept of a check on a target."""
        return self._kept.get((check, target))

    def all_kept(self) -> Iterable[Kept]:
        """All that is kept; a copy that changes do not disturb."""
        return tuple(self._kept.all())

    def of_domain(self, domain: str) -> list[Kept]:
        """What is kept about one domain."""
        return self._kept.of_domain(domain)

    def keep(self, kept: Kept) -> None:
        """Replaces what is kept; persisted at most a second later.

        Raises TypeError or ValueError, and keeps nothing, where a value cannot be stored as text.
        """
        key = (kept.check, kept.target)
        self._dirty_kept[_storable(*key)] = encode_kept(kept)
        self._kept.put(kept)
        self._mark_dirty()
        self._tell(*key)

    def forget(self, check: str, target: str) -> None:
        """Drops what is kept, with its baselines and their histories: the target has left."""
        key = (check, target)
        known = self._kept.pop(key)
        for subject in self._baselines.pop(key, {}):
            self._dirty_baselines[(check, target, subject)] = None
        self._dirty_kept[key] = None
        self._dirty_history[key] = HistoryWrite(forget=True)
        self._mark_dirty()
        if known is not None:
            self._tell(*key)

    def subscribe(self, listener: Callable[[str, str], None]) -> None:
        """Calls `listener(check, target)` at once whenever what is kept changes or is forgotten."""
        self._listeners.append(listener)

    def baseline(self, check: str, target: str, subject: str) -> Baseline | None:
        """The accepted state of a watched record."""
        return self._baselines.get((check, target), {}).get(subject)

    def baselines(self) -> Iterable[Baseline]:
        """All baselines; a copy that changes do not disturb."""
        return tuple(
            baseline for of_target in self._baselines.values() for baseline in of_target.values()
        )

    def watched(self) -> list[Baseline]:
        """The baselines of the records that are watched now: a subject that left its target keeps one too.

        Without those that were absent at first sight and still are (the usual DKIM selectors).
        """
        return [
            baseline
            for target, of_target in self._baselines.items()
            if (kept := self._kept.get(target)) is not None
            for subject, baseline in of_target.items()
            if subject in kept.subjects and not _never_there(baseline)
        ]

    def set_baseline(self, baseline: Baseline) -> None:
        """Replaces a baseline; persisted at most a second later, with what that adds to its record's history."""
        key = _storable(baseline.check, baseline.target, baseline.subject)
        self._dirty_baselines[key] = encode_baseline(baseline)
        target = (baseline.check, baseline.target)
        of_target = self._baselines.setdefault(target, {})
        before = of_target.get(baseline.subject)
        if before is not None and (gained := changes(before, baseline)):
            waiting = self._dirty_history.get(target, HistoryWrite())
            self._dirty_history[target] = waiting.then(
                baseline.subject, Gain(beginning(before), gained)
            )
        of_target[baseline.subject] = baseline
        self._mark_dirty()

    async def history(
        self, targets: Collection[TargetKey]
    ) -> Mapping[RecordKey, Sequence[RecordChange]]:
        """The history of each watched record of the targets, oldest first; at most `HISTORY_LENGTH` of each.

        Raises StoreError where the file cannot be read.
        """
        # The worker does one thing after the other: what waits now cannot be among what it reads.
        waiting = {target: self._dirty_history.get(target, HistoryWrite()) for target in targets}
        baselines = {target: dict(self._baselines.get(target, {})) for target in targets}
        kept = await self._run(lambda: self._database.history(tuple(targets)))
        found: dict[RecordKey, Sequence[RecordChange]] = {}
        for target, of_target in baselines.items():
            for subject, baseline in of_target.items():
                told = () if waiting[target].forget else kept.get((*target, subject), ())
                if gain := waiting[target].gains.get(subject):
                    told = with_gain(told, gain)
                found[(*target, subject)] = told or beginning(baseline)
        return found

    def discoveries(self) -> Mapping[str, str]:
        """What was discovered of each domain, as JSON text."""
        return MappingProxyType(self._discoveries)

    def set_discovery(self, domain: str, text: str) -> None:
        """Replaces what was discovered of a domain; persisted at most a second later."""
        _storable(domain, text)
        self._discoveries[domain] = self._dirty_discoveries[domain] = text
        self._mark_dirty()

    def forget_discovery(self, domain: str) -> None:
        """Drops what was discovered of a domain."""
        self._discoveries.pop(domain, None)
        self._dirty_discoveries[domain] = None
        self._mark_dirty()

    # --- budgets ---

    def asked(self, day: int) -> Mapping[str, int]:
        """How often each party counts as asked on a day (UTC, since the epoch)."""
        return {party: n for (of_day, party), n in self._asked.items() if of_day == day}

    async def cover(self, day: int, asked: Mapping[str, int]) -> None:
        """Returns when these numbers are durable; where they cannot be written now, they are tried again."""
        numbers = {(day, party): n for party, n in asked.items()}
        self._asked.update(numbers)
        self._dirty_budgets.update(numbers)
        self._mark_dirty()
        with suppress(StoreError):  # the database logs it; a monitor goes on while its disk is full
            await self.flush()

    # --- events ---

    async def add_events(self, events: Sequence[Event]) -> int:
        """Counts events; returns how many were new (the same source and id within 72 h counts once).

        They are on the disk when this returns; callers at the same time share a commit. Raises
        StoreError where they could not be committed: then they are not counted, and may be sent again.
        """
        return await self._committed(events)

    async def counts(self, sender: str, domain: str, seconds: Sequence[int]) -> Windows:
        """Messages of the last `seconds` (each window), by (stream, provider). Windows without mail are absent.

        Raises StoreError where the file cannot be read.
        """
        now = self._clock.now()
        return await self._run(lambda: self._database.windows(sender, domain, seconds, now))

    def totals(self) -> Mapping[Dimension, int]:
        """Events since ever by (sender, stream, domain, provider, event): only what is durable."""
        return MappingProxyType(self._totals)

    # --- life ---

    async def answers(self) -> str | None:
        """None where the store answers (after a failed commit: what waits could be written), else why not."""
        if self._closing:
            return "the store is closed"
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._run(self._database.probe)
                if self._failing:
                    # A page may still find room in the log where what waits does not.
                    await self.flush()
        except TimeoutError:
            return f"the store did not answer within {_ANSWER_SECONDS:.0f} s"
        except StoreError as error:
            return str(error)
        return None

    async def flush(self) -> None:
        """Returns when everything kept so far is durable. Raises StoreError where it could not be written."""
        await self._committed(())

    async def close(self) -> None:
        """Writes what is left, closes the file and lets go of it. Raises StoreError where a rest was lost."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        await self._writer
        await self._run(self._database.close)
        self._worker.shutdown()
        self._lock.release()
        lost = len(self._dirty_kept) + len(self._dirty_baselines) + len(self._dirty_discoveries)
        if lost:
            raise StoreError(
                f"{lost} results could not be written before the end; they are looked at again"
            )

    # --- the writer ---

    def _run(self, work: Callable[[], T]) -> Awaitable[T]:
        return self._loop.run_in_executor(self._worker, work)

    def _tell(self, check: str, target: str) -> None:
        for listener in self._listeners:
            listener(check, target)

    def _mark_dirty(self) -> None:
        if self._due is None:
            self._due = self._loop.time() + _COALESCE_SECONDS
            self._wake.set()

    async def _committed(self, events: Sequence[Event]) -> int:
        if self._closing:
            raise StoreError("the store is closed")
        waiting = _Waiting(events, self._loop.create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.counted

    async def _write_until_closed(self) -> None:
        while not self._closing:
            await self._until_due()
            await self._write_once()
        await self._write_once()

    async def _until_due(self) -> None:
        while not (self._closing or self._waiting):
            left = None if self._due is None else self._due - self._loop.time()
            if left is not None and left <= 0:
                return
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    async def _write_once(self) -> None:
        """One transaction of all that waits: whoever comes during a commit shares the next one."""
        waiting, self._waiting = self._waiting, []
        kept, self._dirty_kept = self._dirty_kept, {}
        baselines, self._dirty_baselines = self._dirty_baselines, {}
        discoveries, self._dirty_discoveries = self._dirty_discoveries, {}
        history, self._dirty_history = self._dirty_history, {}
        rosters, self._kept.rosters.changes = self._kept.rosters.changes, {}
        budgets, self._dirty_budgets = self._dirty_budgets, {}
        self._due = None
        if not (waiting or kept or baselines or discoveries or budgets):
            return
        batch = Batch(
            kept,
            baselines,
            discoveries,
            rosters,
            history,
            budgets,
            [one.events for one in waiting],
            self._clock.now(),
        )
        try:
            written = await self._run(lambda: self._database.write(batch))
        except Exception as error:  # noqa: BLE001 -- no caller may wait for ever, whatever went wrong
            self._failing = True
            # What changed meanwhile is newer than what failed.
            self._dirty_kept = kept | self._dirty_kept
            self._dirty_baselines = baselines | self._dirty_baselines
            self._dirty_discoveries = discoveries | self._dirty_discoveries
            self._kept.rosters.changes = rosters | self._kept.rosters.changes
            self._dirty_budgets = budgets | self._dirty_budgets
            later = self._dirty_history
            self._dirty_history = later | {
                target: done.before(later.get(target, HistoryWrite()))
                for target, done in history.items()
            }
            if kept or baselines or discoveries or budgets:
                self._due = self._loop.time() + _RETRY_SECONDS
            _settle(waiting, error)
        else:
            self._failing = False
            self._apply(written, waiting)

    def _apply(self, written: Written, waiting: Sequence[_Waiting]) -> None:
        if written.totals is not None:
            self._totals.clear()
            self._totals.update(written.totals)
        for dimension, n in written.added.items():
            self._totals[dimension] = self._totals.get(dimension, 0) + n
        for one, counted in zip(waiting, written.counted, strict=True):
            if not one.counted.done():
                one.counted.set_result(counted)


def _settle(waiting: Sequence[_Waiting], error: Exception) -> None:
    for one in waiting:
        if not one.counted.done():
            failure = StoreError(str(error))
            failure.__cause__ = error
            one.counted.set_exception(failure)


def _never_there(baseline: Baseline) -> bool:
    absent = not baseline.accepted and not baseline.seen
    return absent and baseline.accepted_by == FIRST_SIGHT


def _storable(*texts: str) -> Key:
    """The texts; UnicodeEncodeError where one cannot be stored, at its cause instead of in a shared commit."""
    for text in texts:
        text.encode()
    return texts
