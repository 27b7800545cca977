"""The tables, as ordered migrations. `user_version` counts those that were done."""

from typing import Final

APPLICATION_ID: Final = 0x444C5642
"""SQLite's `application_id` of our files ("DLVB"), so that another program's file is never taken for ours."""

# `seen_event` holds a hash of source and id, not the id: an id may contain a recipient's address.
# `dimension` gives each combination of labels a small integer, so that buckets are integers only.
# `bucket` is ordered by dimension first: a window reads a range, not every sender's minutes.
# `record_history` has a row a change; `number` counts up within a record. A record that never changed has none.
# `roster` has the names that rows of `kept` share, by the key that their state tells.
# `budget` is ahead of what was asked while the daemon runs; `day` counts from the epoch in UTC.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE kept (
            check_name TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (check_name, target)) WITHOUT ROWID""",
        """CREATE TABLE baseline (
            check_name TEXT NOT NULL, target TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (check_name, target, subject)) WITHOUT ROWID""",
        "CREATE TABLE discovery (domain TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE dimension (
            id INTEGER PRIMARY KEY, sender TEXT NOT NULL, stream TEXT NOT NULL, domain TEXT NOT NULL,
            provider TEXT NOT NULL, event TEXT NOT NULL,
            UNIQUE (sender, domain, stream, provider, event))""",
        """CREATE TABLE bucket (
            dimension INTEGER NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL,
            PRIMARY KEY (dimension, minute)) WITHOUT ROWID""",
        "CREATE TABLE total (dimension INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
        "CREATE TABLE seen_event (key BLOB NOT NULL PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX seen_event_at ON seen_event (at)",
    ),
    (
        """CREATE TABLE record_history (
            check_name TEXT NOT NULL, target TEXT NOT NULL, subject TEXT NOT NULL, number INTEGER NOT NULL,
            state TEXT NOT NULL, PRIMARY KEY (check_name, target, subject, number)) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE budget (
            day INTEGER NOT NULL, party TEXT NOT NULL, questions INTEGER NOT NULL,
            PRIMARY KEY (day, party)) WITHOUT ROWID""",
    ),
    ("CREATE TABLE roster (key TEXT NOT NULL PRIMARY KEY, names TEXT NOT NULL) WITHOUT ROWID",),
)
