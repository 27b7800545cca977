"""Events in the database: counted once, in minute buckets and in totals since ever."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final

from monitor.model import Counts, Event

DEDUP_SECONDS: Final = 72 * 3600
"""How long an event's id is remembered. SendGrid was seen repeating one event for 29 h; three days leave room."""

LATE_SECONDS: Final = 24 * 3600
"""An event older than this counts in the totals only: what comes that late (a source that was cut off,
a backfill) belongs on a graph, and must not change a window that someone is paged by."""

EARLY_SECONDS: Final = 3600
"""An event further in the future than this counts in the totals only: its source's clock cannot be believed."""

BUCKET_SECONDS: Final = 8 * 86400
"""How long buckets are kept: the longest window, seven days, and a day."""

Dimension = tuple[str, str, str, str, str]
"""(sender, stream, domain, provider, event)"""

Windows = Mapping[tuple[str, str], Mapping[int, Counts]]
"""(stream, provider) -> seconds of the window -> what became of its messages."""

_MINUTE: Final = 60
_OUTCOMES: Final = tuple(field.name for field in fields(Counts))


def bucket_minute(at: float, now: float) -> int | None:
    """The minute (of the epoch) whose bucket an event of `at` belongs to; None where it belongs to none.

    A clock that runs ahead by less than an hour is common: such an event counts as happening now.
    """
    if at < now - LATE_SECONDS or at > now + EARLY_SECONDS:
        return None
    return int(min(at, now) // _MINUTE)


def event_key(source: str, event_id: str) -> bytes:
    """16 bytes that stand for an event of a source."""
    text = f"{source}\0{event_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def load_totals(db: sqlite3.Connection) -> dict[Dimension, int]:
    """Events since ever."""
    rows = db.execute(
        "SELECT sender, stream, domain, provider, event, n FROM total JOIN dimension ON id = dimension"
    )
    return {
        (sender, stream, domain, provider, event): n
        for sender, stream, domain, provider, event, n in rows
    }


def add(
    db: sqlite3.Connection, events: Sequence[Event], now: float
) -> tuple[int, Counter[Dimension]]:
    """Counts the events that were not seen before, within the caller's transaction.

    Returns how many those were, and what they add to the totals.
    """
    seen_at = int(now)
    totals: Counter[Dimension] = Counter()
    buckets: Counter[tuple[Dimension, int]] = Counter()
    for event in events:
        inserted = db.execute(
            "INSERT OR IGNORE INTO seen_event VALUES (?, ?)",
            (event_key(event.source, event.id), seen_at),
        )
        if inserted.rowcount == 0:
            continue
        dimension = (
            event.sender,
            event.stream,
            event.domain,
            event.provider.value,
            event.kind.value,
        )
        totals[dimension] += 1
        minute = bucket_minute(event.at, now)
        if minute is not None:
            buckets[dimension, minute] += 1
    ids = {dimension: _dimension_id(db, dimension) for dimension in totals}
    db.executemany(
        "INSERT INTO total VALUES (?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(ids[dimension], n) for dimension, n in totals.items()],
    )
    db.executemany(
        "INSERT INTO bucket VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(ids[dimension], minute, n) for (dimension, minute), n in buckets.items()],
    )
    return totals.total(), totals


def forget_seen(db: sqlite3.Connection, now: float, limit: int) -> None:
    """Forgets at most `limit` ids that are older than `DEDUP_SECONDS`: a bounded part of each commit's work."""
    db.execute(
        "DELETE FROM seen_event WHERE key IN (SELECT key FROM seen_event WHERE at < ? LIMIT ?)",
        (int(now) - DEDUP_SECONDS, limit),
    )


def forget_buckets(db: sqlite3.Connection, now: float) -> None:
    """Drops the buckets that no window reads any more."""
    oldest = int((now - BUCKET_SECONDS) // _MINUTE)
    ids = db.execute("SELECT id FROM dimension").fetchall()
    db.executemany(
        "DELETE FROM bucket WHERE dimension = ? AND minute < ?", [(id_, oldest) for (id_,) in ids]
    )


def read_windows(
    db: sqlite3.Connection, sender: str, domain: str, seconds: Iterable[int], now: float
) -> Windows:
    """Messages of the last `seconds`, by (stream, provider); windows without mail are absent.

    A window begins with the minute that its start falls into: it is up to a minute longer, never shorter.
    """
    result: dict[tuple[str, str], dict[int, Counts]] = {}
    newest = int(now // _MINUTE)
    for window in seconds:
        outcomes: dict[tuple[str, str], dict[str, int]] = {}
        rows = db.execute(
            # CROSS JOIN: SQLite keeps this order, so each dimension reads one range of its minutes.
            """SELECT stream, provider, event, SUM(n)
            FROM dimension CROSS JOIN bucket ON bucket.dimension = dimension.id
            WHERE sender = ? AND domain = ? AND minute BETWEEN ? AND ?
            GROUP BY dimension.id""",
            (sender, domain, int((now - window) // _MINUTE), newest),
        )
        for stream, provider, event, n in rows:
            if event in _OUTCOMES:
                outcomes.setdefault((stream, provider), {})[event] = n
        for key, counts in outcomes.items():
            result.setdefault(key, {})[window] = Counts(**counts)
    return result


def _dimension_id(db: sqlite3.Connection, dimension: Dimension) -> int:
    where = "WHERE sender = ? AND stream = ? AND domain = ? AND provider = ? AND event = ?"
    row = db.execute(f"SELECT id FROM dimension {where}", dimension).fetchone()  # noqa: S608 -- a constant
    if row is not None:
        return int(row[0])
    inserted = db.execute(
        "INSERT INTO dimension (sender, stream, domain, provider, event) VALUES (?, ?, ?, ?, ?)",
        dimension,
    )
    return int(inserted.lastrowid or 0)
