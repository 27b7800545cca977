"""The history of watched records: what changed and who accepted what, bounded, over restarts and failures."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.model import Status
from monitor.store.database import Batch, Written
from monitor.store.error import StoreError
from monitor.store.kept import CONFIGURATION, FIRST_SIGHT, Baseline, Kept
from monitor.store.records import (
    HISTORY_LENGTH,
    HISTORY_TEXT,
    Acceptance,
    AcceptanceError,
    ChangeKind,
    RecordChange,
    accept,
)
from monitor.store.store import Store
from monitor.world.fake import FakeClock

OpenStore = Callable[[], Awaitable[Store]]

TARGET = ("dmarc", "shop.example")
RECORD = (*TARGET, "record")
FIRST = Baseline(
    *RECORD, accepted="p=reject", accepted_at=10.0, seen="p=reject", changed_at=10.0,
    accepted_by=FIRST_SIGHT,
)  # fmt: skip
FIRST_SEEN = RecordChange(10.0, ChangeKind.FIRST_SEEN, "p=reject", by=FIRST_SIGHT)


def seen(baseline: Baseline, text: str, at: float) -> Baseline:
    """As a look that counts changes it."""
    differs = text != baseline.accepted
    return replace(
        baseline,
        seen=text,
        changed_at=at,
        classification="weakened" if differs else "",
        reason=f"{baseline.accepted} → {text}" if differs else "",
    )


async def history(store: Store) -> list[RecordChange]:
    return list((await store.history([TARGET])).get(RECORD, ()))


def rows(url: str) -> int:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        (number,) = db.execute("SELECT count(*) FROM record_history").fetchone()
    return int(number)


async def test_changes_and_acceptances_are_kept_in_their_order(open_store: OpenStore) -> None:
    """Before and after they are written, and after a restart."""
    store = await open_store()
    store.set_baseline(FIRST)
    weaker = seen(FIRST, "p=none", 20.0)
    store.set_baseline(weaker)
    accepted = accept(weaker, "p=none", Acceptance("Alice", "tests with a new ESP"), at=30.0)
    store.set_baseline(accepted)
    expected = [
        FIRST_SEEN,
        RecordChange(20.0, ChangeKind.CHANGED, "p=none", "weakened", "p=reject → p=none"),
        RecordChange(
            30.0, ChangeKind.ACCEPTED, "p=none", reason="tests with a new ESP", by="Alice"
        ),
    ]
    assert await history(store) == expected
    await store.flush()
    assert await history(store) == expected
    await store.close()
    again = await open_store()
    assert again.baseline(*RECORD) == accepted
    again.set_baseline(seen(accepted, "p=reject", 40.0))
    back = RecordChange(40.0, ChangeKind.CHANGED, "p=reject", "weakened", "p=none → p=reject")
    assert await history(again) == [*expected, back]


async def test_a_record_that_never_changed_costs_no_row(open_store: OpenStore, url: str) -> None:
    """Its baseline alone tells its history: the quiet majority is kept implicitly."""
    store = await open_store()
    store.set_baseline(FIRST)
    store.set_baseline(replace(FIRST, classification="inconsistent", reason="ns1 says otherwise"))
    assert await history(store) == [FIRST_SEEN]
    await store.close()
    assert rows(url) == 0


async def test_a_flapping_record_does_not_grow_without_bound(
    open_store: OpenStore, url: str
) -> None:
    store = await open_store()
    baseline = FIRST
    store.set_baseline(baseline)
    for number in range(2 * HISTORY_LENGTH + 1):
        text = ("p=none" if number % 2 == 0 else "p=reject") + "x" * 2 * HISTORY_TEXT
        baseline = seen(baseline, text, 20.0 + number)
        store.set_baseline(baseline)
        if number % 7 == 0:
            await store.flush()
    kept = await history(store)
    await store.close()
    assert rows(url) == len(kept) == HISTORY_LENGTH
    assert kept[-1].at == baseline.changed_at
    assert {len(change.text) for change in kept} == {HISTORY_TEXT}


async def test_history_is_forgotten_with_its_target(open_store: OpenStore, url: str) -> None:
    store = await open_store()
    store.keep(Kept(*TARGET, "shop.example", Status.OK, 1.0, 1.0, 1.0))
    store.set_baseline(FIRST)
    store.set_baseline(seen(FIRST, "p=none", 20.0))
    await store.flush()
    store.forget(*TARGET)
    assert await history(store) == []
    # It comes back at once: one transaction forgets the old and adds the new.
    anew = replace(FIRST, accepted_at=50.0, changed_at=50.0)
    store.set_baseline(anew)
    store.set_baseline(seen(anew, "p=quarantine", 60.0))
    expected = [
        replace(FIRST_SEEN, at=50.0),
        RecordChange(
            60.0, ChangeKind.CHANGED, "p=quarantine", "weakened", "p=reject → p=quarantine"
        ),
    ]
    assert await history(store) == expected
    await store.flush()
    assert await history(store) == expected
    store.forget(*TARGET)
    await store.close()
    assert rows(url) == 0


@pytest.mark.parametrize("written", [False, True], ids=["not written", "written all the same"])
async def test_a_failed_commit_loses_nothing_and_repeats_nothing(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """An error may hide a transaction that is on the disk; the retry finds it there."""
    store = await open_store()
    store.set_baseline(FIRST)
    write = store._database.write

    def failing(batch: Batch) -> Written:
        if written:
            write(batch)
        raise StoreError("the disk is full")

    monkeypatch.setattr(store._database, "write", failing)
    weaker = seen(FIRST, "p=none", 20.0)
    store.set_baseline(weaker)
    with pytest.raises(StoreError):
        await store.flush()
    store.set_baseline(seen(weaker, "p=quarantine", 30.0))
    monkeypatch.setattr(store._database, "write", write)
    await store.flush()
    assert [change.text for change in await history(store)] == [
        "p=reject",
        "p=none",
        "p=quarantine",
    ]


async def test_a_file_of_the_first_version_opens_and_its_records_have_a_beginning(
    open_store: OpenStore, url: str, clock: FakeClock
) -> None:
    """As it was written then: who accepted is not known, and is not made up."""
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(Path(__file__).with_name("state_version_1.sql").read_text())
    store = await open_store()
    baseline = store.baseline(*RECORD)
    assert baseline is not None
    assert (baseline.accepted, baseline.accepted_by) == ("v=DMARC1; p=reject", "")
    assert store.kept(*TARGET) is not None
    clean = store.kept("blocklist", "192.0.2.1")
    assert clean is not None
    assert (clean.clean, clean.roster) == (2, frozenset())
    assert sum(store.totals().values()) == 1
    store.set_baseline(accept(baseline, baseline.seen, Acceptance("Alice"), at=clock.now()))
    await store.flush()
    assert [(change.kind, change.by, change.text) for change in await history(store)] == [
        ("accepted", "", "v=DMARC1; p=reject"),
        ("changed", "", "v=DMARC1; p=none"),
        ("accepted", "Alice", "v=DMARC1; p=none"),
    ]


async def test_what_the_configuration_gives_and_what_is_seen_are_told_apart(
    open_store: OpenStore,
) -> None:
    store = await open_store()
    given = replace(FIRST, accepted="p=quarantine", accepted_by=CONFIGURATION)
    store.set_baseline(seen(given, "p=none", 10.0))
    assert [(change.kind, change.by, change.text) for change in await history(store)] == [
        ("accepted", CONFIGURATION, "p=quarantine"),
        ("first_seen", "", "p=none"),
    ]


def test_who_and_why_are_each_one_line() -> None:
    assert Acceptance.of(" Alice\r\nSmith ", "a\tb\u2028c\x85d") == Acceptance(
        "Alice Smith", "a b c d"
    )


@pytest.mark.parametrize(
    ("by", "reason", "says"),
    [
        ("a" * 101, "", "at most 100 characters"),
        ("", "a" * 501, "at most 500 characters"),
        ("First sight", "", "nobody's name"),
        ("configuration", "", "nobody's name"),
    ],
)
def test_what_is_no_name_or_reason(by: str, reason: str, says: str) -> None:
    with pytest.raises(AcceptanceError, match=says):
        Acceptance.of(by, reason)


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        (None, "does not differ"),
        (FIRST, "does not differ"),
        (seen(FIRST, "p=quarantine", 20.0), "changed again"),
        (
            replace(
                seen(FIRST, "p=none", 20.0), classification="inconsistent", reason="ns1 disagrees"
            ),
            "nobody can say what the record is",
        ),
    ],
)
def test_what_cannot_be_accepted(baseline: Baseline | None, says: str) -> None:
    with pytest.raises(AcceptanceError, match=says):
        accept(baseline, "p=none", Acceptance(), at=1.0)
