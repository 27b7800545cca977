"""The SQLite file: opened, checked, migrated, written in whole transactions, mended after an error.

Everything here runs on one thread, over one connection: SQLite before 3.51.3 can lose committed
writes in WAL mode when two connections write. `locking_mode=EXCLUSIVE` keeps other programs out too.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog

from monitor.model import Event
from monitor.store import budgets as budget_table
from monitor.store import events as event_tables
from monitor.store import history as history_table
from monitor.store.budgets import PartyDay
from monitor.store.codec import decode_baseline, decode_kept, decode_roster
from monitor.store.error import StoreError
from monitor.store.events import Dimension
from monitor.store.history import HistoryWrite, RecordKey, TargetKey
from monitor.store.kept import Baseline, Kept
from monitor.store.records import RecordChange
from monitor.store.schema import APPLICATION_ID, MIGRATIONS

T = TypeVar("T")

Key = tuple[str, ...]
"""What a row is found by."""

_BUSY_SECONDS: Final = 5.0
_PRUNE_BUCKETS_SECONDS: Final = 3600
_PRUNE_SEEN_SPARE: Final = 100

_log = structlog.get_logger("monitor.store")


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that is mirrored in memory, as the file has it."""

    kept: list[Kept]
    baselines: list[Baseline]
    discoveries: dict[str, str]
    totals: dict[Dimension, int]
    budgets: dict[PartyDay, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction. A state of None removes the row.

    Attributes:
        kept: (check, target) -> JSON; baselines: (check, target, subject) -> JSON;
            discoveries: domain -> JSON; rosters: key -> JSON.
        history: what happens to the histories of a target's records.
        budgets: how often parties count as asked.
        events: the events of each caller.
        now: seconds since the epoch.
    """

    kept: Mapping[Key, str | None]
    baselines: Mapping[Key, str | None]
    discoveries: Mapping[str, str | None]
    rosters: Mapping[Key, str | None]
    history: Mapping[TargetKey, HistoryWrite]
    budgets: Mapping[PartyDay, int]
    events: Sequence[Sequence[Event]]
    now: float


@dataclass(frozen=True, slots=True)
class Written:
    """What a committed transaction changed.

    Attributes:
        counted: of each caller's events, how many were new.
        added: to the totals.
        totals: all totals as they were before `added`, read again after an error; None where no error was.
    """

    counted: list[int]
    added: Counter[Dimension]
    totals: dict[Dimension, int] | None


class Database:
    """The state file. Not for several threads."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._doubtful = False
        self._pruned_at = 0.0

    def load(self) -> Loaded:
        """Opens, checks and migrates the file and reads what is mirrored.

        Raises StoreError where it is damaged, not ours, of a newer version, or cannot be read or written.
        """
        try:
            db = self._connect()
            self._recognise(db)
            self._use_log(db)
            self._migrate(db)
            rosters = {
                key: decode_roster(names)
                for key, names in db.execute("SELECT key, names FROM roster")
            }
            return Loaded(
                kept=[
                    decode_kept(text, rosters) for (text,) in db.execute("SELECT state FROM kept")
                ],
                baselines=[
                    decode_baseline(text) for (text,) in db.execute("SELECT state FROM baseline")
                ],
                discoveries=dict(db.execute("SELECT domain, state FROM discovery").fetchall()),
                totals=event_tables.load_totals(db),
                budgets=budget_table.load(db),
            )
        except sqlite3.OperationalError as error:
            self.close()
            raise StoreError(
                f"{self._path}: the state cannot be opened ({error}); check that no other program has it "
                "open, that its folder is writable for the daemon's user and that the disk is well"
            ) from error
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise self._damaged(error) from error
        except StoreError:
            self.close()
            raise

    def write(self, batch: Batch) -> Written:
        """One transaction: all of it, durable when this returns, or a StoreError and nothing of it."""
        return self._guarded(lambda db: self._write(db, batch))

    def windows(
        self, sender: str, domain: str, seconds: Sequence[int], now: float
    ) -> event_tables.Windows:
        """See `events.read_windows`. Raises StoreError where the file cannot be read."""
        return self._guarded(lambda db: event_tables.read_windows(db, sender, domain, seconds, now))

    def history(self, targets: Sequence[TargetKey]) -> dict[RecordKey, list[RecordChange]]:
        """See `history.read`. Raises StoreError where the file cannot be read."""
        return self._guarded(lambda db: history_table.read(db, targets))

    def probe(self) -> None:
        """Raises StoreError where the file does not answer; after an error also where it cannot be written."""
        self._guarded(self._probe)

    def close(self) -> None:
        """Closes the connection. Never raises: what was committed is safe, what was not is lost either way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            db = self._connection
            if db is None:
                db = self._connect()
                self._use_log(db)
            return work(db)
        except Exception as error:
            # After an error the connection is not to be believed, nor what it says about the last
            # transaction: a new one reads the file as it is, and `_settle` runs before the next write.
            self.close()
            if not self._doubtful:
                _log.error("store.failed", path=str(self._path), error=str(error))
            self._doubtful = True
            raise StoreError(f"{self._path}: {error}; check the disk (full? failing?)") from error

    def _connect(self) -> sqlite3.Connection:
        # Whose mail goes wrong is nobody else's business; the log files get the same mode from SQLite.
        with suppress(OSError):  # SQLite says it in its words
            self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        self._connection = db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA synchronous = FULL")
        return db

    def _use_log(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")

    def _recognise(self, db: sqlite3.Connection) -> None:
        """Reads only: what is refused stays as it is."""
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise StoreError(
                f"{self._path}: this is another program's file; name another one in store.url"
            )
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self._path}: the state was written by a newer version (format {version}, this one "
                f"knows {len(MIGRATIONS)}); run that version, or restore the copy from before the upgrade"
            )
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _migrate(self, db: sqlite3.Connection) -> None:
        (done,) = db.execute("PRAGMA user_version").fetchone()
        for number, statements in enumerate(MIGRATIONS[done:], start=done + 1):
            db.execute("BEGIN IMMEDIATE")
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")

    def _damaged(self, error: Exception) -> StoreError:
        return StoreError(
            f"{self._path}: the state file is damaged ({error}). Restore it from a backup, or move it away "
            f"together with {self._path.name}-wal and start anew (counters and accepted records begin "
            f"again); `sqlite3 {self._path.name} .recover` may save what is left"
        )

    def _write(self, db: sqlite3.Connection, batch: Batch) -> Written:
        totals = self._settle(db) if self._doubtful else None
        db.execute("BEGIN IMMEDIATE")
        _put(db, "kept", ("check_name", "target"), batch.kept)
        _put(db, "roster", ("key",), batch.rosters)
        _put(db, "baseline", ("check_name", "target", "subject"), batch.baselines)
        _put(
            db,
            "discovery",
            ("domain",),
            {(domain,): text for domain, text in batch.discoveries.items()},
        )
        history_table.write(db, batch.history)
        budget_table.write(db, batch.budgets)
        counted: list[int] = []
        added: Counter[Dimension] = Counter()
        if batch.events:
            event_tables.forget_seen(
                db, batch.now, _PRUNE_SEEN_SPARE + 2 * sum(map(len, batch.events))
            )
        for events in batch.events:
            n, changed = event_tables.add(db, events, batch.now)
            counted.append(n)
            added.update(changed)
        prune = abs(batch.now - self._pruned_at) >= _PRUNE_BUCKETS_SECONDS
        if prune:
            event_tables.forget_buckets(db, batch.now)
        db.execute("COMMIT")
        if self._doubtful:
            _log.info("store.recovered", path=str(self._path))
        self._doubtful = False
        if prune:
            self._pruned_at = batch.now
        return Written(counted, added, totals)

    def _settle(self, db: sqlite3.Connection) -> dict[Dimension, int]:
        """Makes certain, after an error, that all that can be read is on the disk; returns the totals.

        When fsync fails, the kernel may mark pages clean that it never wrote, and the next fsync
        "succeeds": a transaction that failed could then be read from the log, and its events be
        answered as duplicates, without being on the disk. A checkpoint copies what the log holds
        into the file with new writes and syncs those; only then is anything acknowledged again.
        """
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("the log could not be written back")
        return event_tables.load_totals(db)

    def _probe(self, db: sqlite3.Connection) -> None:
        if self._doubtful:
            # Writes the first page: what the next event needs. `_settle` is left to the next write.
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        else:
            db.execute("SELECT count(*) FROM dimension").fetchone()


def _put(
    db: sqlite3.Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Mapping[Key, str | None],
) -> None:
    marks = ", ".join("?" * (len(columns) + 1))
    where = " AND ".join(f"{column} = ?" for column in columns)
    db.executemany(
        f"INSERT OR REPLACE INTO {table} VALUES ({marks})",  # noqa: S608 -- names of our own tables
        [(*key, text) for key, text in rows.items() if text is not None],
    )
    db.executemany(
        f"DELETE FROM {table} WHERE {where}",  # noqa: S608 -- names of our own tables
        [key for key, text in rows.items() if text is None],
    )
