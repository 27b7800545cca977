"""The history of watched records in its table: added to, bounded, read, forgotten with its target."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.store.codec import decode_change, encode_change
from monitor.store.records import HISTORY_LENGTH, RecordChange

RecordKey = tuple[str, str, str]
"""(check, target, subject)."""

TargetKey = tuple[str, str]
"""(check, target)."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What one record's history gains; `beginning` comes before it where nothing is kept of it yet."""

    beginning: tuple[RecordChange, ...]
    changes: tuple[RecordChange, ...]


@dataclass(frozen=True, slots=True)
class HistoryWrite:
    """What is to be done to the histories of one target's records: forget them all, then add, by subject."""

    forget: bool = False
    gains: Mapping[str, Gain] = field(default_factory=dict)

    def then(self, subject: str, gain: Gain) -> "HistoryWrite":
        """This, and then the gain."""
        before = self.gains.get(subject)
        if before is not None:
            gain = Gain(before.beginning, (*before.changes, *gain.changes)[-HISTORY_LENGTH:])
        return HistoryWrite(self.forget, {**self.gains, subject: gain})

    def before(self, later: "HistoryWrite") -> "HistoryWrite":
        """This, and then the later one."""
        if later.forget:
            return later
        whole = self
        for subject, gain in later.gains.items():
            whole = whole.then(subject, gain)
        return whole


def write(db: sqlite3.Connection, writes: Mapping[TargetKey, HistoryWrite]) -> None:
    """Does it, within the caller's transaction. Done twice it is as done once."""
    for target, wanted in writes.items():
        if wanted.forget:
            db.execute("DELETE FROM record_history WHERE check_name = ? AND target = ?", target)
        for subject, gain in wanted.gains.items():
            _add(db, (*target, subject), gain)


def read(
    db: sqlite3.Connection, targets: Sequence[TargetKey]
) -> dict[RecordKey, list[RecordChange]]:
    """What is kept of the targets' records, oldest first; records of which no change is kept are absent."""
    found: dict[RecordKey, list[RecordChange]] = {}
    for target in targets:
        rows = db.execute(
            "SELECT subject, state FROM record_history WHERE check_name = ? AND target = ? "
            "ORDER BY subject, number",
            target,
        )
        for subject, state in rows:
            found.setdefault((*target, subject), []).append(decode_change(state))
    return found


def with_gain(kept: Sequence[RecordChange], gain: Gain) -> list[RecordChange]:
    """A history once the gain is written."""
    return [*(kept or gain.beginning), *gain.changes][-HISTORY_LENGTH:]


def _add(db: sqlite3.Connection, record: RecordKey, gain: Gain) -> None:
    where = "check_name = ? AND target = ? AND subject = ?"
    kept = db.execute(
        f"SELECT number, state FROM record_history WHERE {where} ORDER BY number",  # noqa: S608 -- our own words
        record,
    ).fetchall()
    # After an error a transaction may be there although it seemed to fail; then this one repeats it.
    there = {state for _number, state in kept}
    new = [encode_change(change) for change in (*(() if kept else gain.beginning), *gain.changes)]
    last = kept[-1][0] if kept else 0
    for state in new:
        if state not in there:
            last += 1
            db.execute("INSERT INTO record_history VALUES (?, ?, ?, ?, ?)", (*record, last, state))
    db.execute(
        f"DELETE FROM record_history WHERE {where} AND number <= ?",  # noqa: S608 -- our own words
        (*record, last - HISTORY_LENGTH),
    )
