"""How often parties were asked, day by day, in its table: written ahead of the asking, and no longer than needed."""

import sqlite3
from collections.abc import Mapping
from typing import Final

DAYS_KEPT: Final = 8
"""Days of which the numbers are kept: a clock that is set back comes to a day that is known."""

PartyDay = tuple[int, str]
"""(day since the epoch in UTC, party)."""


def load(db: sqlite3.Connection) -> dict[PartyDay, int]:
    """The questions of every day that is kept."""
    rows = db.execute("SELECT day, party, questions FROM budget")
    return {(day, party): questions for day, party, questions in rows}


def write(db: sqlite3.Connection, questions: Mapping[PartyDay, int]) -> None:
    """Puts the numbers in place of those before, within the caller's transaction; drops what is too old."""
    if not questions:
        return
    db.executemany(
        "INSERT OR REPLACE INTO budget VALUES (?, ?, ?)",
        [(*party_day, number) for party_day, number in questions.items()],
    )
    newest = max(day for day, _party in questions)
    db.execute("DELETE FROM budget WHERE day <= ?", (newest - DAYS_KEPT,))
