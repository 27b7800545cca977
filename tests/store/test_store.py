"""What the store promises: kept states, baselines, events, over restarts."""

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.model import Counts, Event, EventKind, Provider, Status
from monitor.store.database import Batch, Written
from monitor.store.error import StoreError
from monitor.store.kept import Baseline, Kept
from monitor.store.schema import MIGRATIONS
from monitor.store.store import Store
from monitor.world.fake import FakeClock

OpenStore = Callable[[], Awaitable[Store]]

HOUR = 3600
DAY = 86400


def kept(target: str, *, status: Status = Status.OK, check: str = "dmarc") -> Kept:
    return Kept(check, target, "example.com", status, 1.0, 2.0, 2.0)


def baseline(target: str, subject: str = "record", check: str = "dmarc") -> Baseline:
    return Baseline(
        check, target, subject, "v=DMARC1; p=reject", 1.0, "v=DMARC1; p=none", 2.5, "weakened", "p"
    )


def event(
    id_: str,
    at: float,
    kind: EventKind = EventKind.ACCEPTED,
    *,
    stream: str = "orders",
    source: str = "shop",
) -> Event:
    return Event(source, id_, kind, at, "shop-mta", "example.com", stream, Provider.GMAIL)


def dimension(kind: str, stream: str = "orders") -> tuple[str, str, str, str, str]:
    return ("shop-mta", stream, "example.com", "gmail", kind)


def size(path: Path) -> int:
    return path.stat().st_size


async def test_a_restart_keeps_everything(open_store: OpenStore, clock: FakeClock) -> None:
    store = await open_store()
    store.keep(kept("a.test", status=Status.CRITICAL))
    store.keep(kept("b.test"))
    store.set_baseline(baseline("a.test"))
    store.set_discovery("a.test", '{"mx": []}')
    await store.add_events([event("1", clock.now()), event("2", clock.now(), EventKind.BOUNCED)])
    windows = await store.counts("shop-mta", "example.com", [300])
    await store.close()

    again = await open_store()
    assert list(again.all_kept()) == [kept("a.test", status=Status.CRITICAL), kept("b.test")]
    assert list(again.baselines()) == [baseline("a.test")]
    assert again.discoveries() == {"a.test": '{"mx": []}'}
    assert again.totals() == {dimension("accepted"): 1, dimension("bounced"): 1}
    assert await again.counts("shop-mta", "example.com", [300]) == windows
    assert await again.add_events([event("1", clock.now())]) == 0


async def test_what_is_kept_is_read_at_once_and_written_within_a_second(
    open_store: OpenStore, url: str
) -> None:
    store = await open_store()
    store.keep(kept("a.test", status=Status.WARNING))
    store.keep(kept("a.test"))
    assert store.kept("dmarc", "a.test") == kept("a.test")
    log = Path(f"{url.removeprefix('sqlite:///')}-wal")
    before = size(log)
    async with asyncio.timeout(1.0):
        for _ in range(100):
            if size(log) != before:
                break
            await asyncio.sleep(0.02)


async def test_forgetting_a_target_drops_its_baselines_and_no_others(open_store: OpenStore) -> None:
    store = await open_store()
    for target in ("a.test", "b.test"):
        store.keep(kept(target))
        store.set_baseline(baseline(target))
    await store.flush()
    store.forget("dmarc", "a.test")
    store.forget_discovery("a.test")
    await store.close()
    again = await open_store()
    assert [one.target for one in again.all_kept()] == ["b.test"]
    assert [one.target for one in again.baselines()] == ["b.test"]
    assert again.baseline("dmarc", "a.test", "record") is None


def names_in(url: str) -> list[str]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        return [names for (names,) in db.execute("SELECT names FROM roster ORDER BY names")]


async def test_the_names_of_clean_subjects_are_kept_once_for_all_targets_that_share_them(
    open_store: OpenStore, url: str
) -> None:
    store = await open_store()
    for target in ("a.test", "b.test"):
        store.keep(replace(kept(target), clean=2, roster=frozenset({target[2:], "zen"})))
    await store.close()
    assert names_in(url) == ['["test","zen"]']
    again = await open_store()
    rosters = [one.roster for one in again.all_kept()]
    again.keep(replace(kept("c.test"), clean=2, roster=frozenset({"zen", "test"})))
    rosters += [one.roster for one in again.all_kept()]
    assert len(set(map(id, rosters))) == 1
    assert rosters[0] == {"test", "zen"}
    await again.close()
    assert len(list((await open_store()).all_kept())) == 3


async def test_names_that_no_target_has_any_more_are_forgotten(
    open_store: OpenStore, url: str
) -> None:
    store = await open_store()
    for target in ("a.test", "b.test", "c.test"):
        store.keep(replace(kept(target), clean=1, roster=frozenset({"old"})))
    await store.flush()
    store.keep(replace(kept("a.test"), clean=1, roster=frozenset({"new"})))
    store.keep(kept("b.test"))
    await store.flush()
    await store.close()
    assert names_in(url) == ['["new"]', '["old"]']
    again = await open_store()
    again.forget("dmarc", "c.test")
    again.keep(replace(kept("a.test"), clean=1, roster=frozenset({"new"})))
    await again.close()
    assert names_in(url) == ['["new"]']
    of_a = (await open_store()).kept("dmarc", "a.test")
    assert of_a is not None
    assert of_a.roster == {"new"}


async def test_names_whose_commit_failed_are_written_with_the_next(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store()

    def full(_batch: Batch) -> Written:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store._database, "write", full)
        store.keep(replace(kept("a.test"), clean=1, roster=frozenset({"zen"})))
        with pytest.raises(StoreError):
            await store.flush()
    await store.close()
    of_a = (await open_store()).kept("dmarc", "a.test")
    assert of_a is not None
    assert of_a.roster == {"zen"}


async def test_what_is_kept_of_a_domain_follows_every_change(open_store: OpenStore) -> None:
    store = await open_store()
    store.keep(kept("a.test"))
    store.keep(replace(kept("a.test"), domain="moved.example"))
    store.keep(kept("b.test"))
    store.keep(kept("gone.test"))
    store.forget("dmarc", "gone.test")
    assert [one.target for one in store.of_domain("example.com")] == ["b.test"]
    assert [one.target for one in store.of_domain("moved.example")] == ["a.test"]
    await store.close()
    again = await open_store()
    assert [one.target for one in again.of_domain("example.com")] == ["b.test"]


async def test_listeners_hear_of_every_change_of_what_is_kept(open_store: OpenStore) -> None:
    store = await open_store()
    heard: list[tuple[str, str]] = []
    store.subscribe(lambda check, target: heard.append((check, target)))
    store.keep(kept("a.test"))
    store.forget("dmarc", "a.test")
    store.forget("dmarc", "never.test")
    assert heard == [("dmarc", "a.test"), ("dmarc", "a.test")]


async def test_a_value_that_cannot_be_stored_fails_at_its_cause_and_spoils_no_commit(
    open_store: OpenStore, clock: FakeClock
) -> None:
    store = await open_store()
    with pytest.raises(UnicodeEncodeError):
        store.keep(kept("\ud800.test"))
    with pytest.raises(UnicodeEncodeError):
        store.set_discovery("a.test", "\ud800")
    assert store.kept("dmarc", "\ud800.test") is None
    assert await store.add_events([event("\ud800", clock.now())]) == 1


async def test_an_id_counts_once_within_three_days_for_each_source(
    open_store: OpenStore, clock: FakeClock
) -> None:
    store = await open_store()
    at = clock.now()
    assert await store.add_events([event("1", at), event("1", at), event("2", at)]) == 2
    assert await store.add_events([event("1", at, source="other hook")]) == 1
    clock.advance(72 * HOUR)
    assert await store.add_events([event("1", at)]) == 0
    clock.advance(2)
    assert await store.add_events([event("1", at)]) == 1
    assert store.totals() == {dimension("accepted"): 4}


LATENESS = {
    "now": (0, 1),
    "clock that runs ahead": (HOUR - 1, 1),
    "clock that cannot be believed": (HOUR + 1, 0),
    "a day late": (-DAY, 0),
    "two days late": (-2 * DAY, 0),
}


@pytest.mark.parametrize(("offset", "in_windows"), LATENESS.values(), ids=LATENESS)
async def test_late_and_early_events_count_in_totals_but_do_not_change_short_windows(
    open_store: OpenStore, clock: FakeClock, offset: float, in_windows: int
) -> None:
    store = await open_store()
    assert await store.add_events([event("1", clock.now() + offset, EventKind.BOUNCED)]) == 1
    windows = await store.counts("shop-mta", "example.com", [HOUR])
    assert sum(counts[HOUR].bounced for counts in windows.values()) == in_windows
    assert store.totals() == {dimension("bounced"): 1}


async def test_events_more_than_a_day_late_change_no_window_at_all(
    open_store: OpenStore, clock: FakeClock
) -> None:
    """Fault matrix W8: a backlog that arrives after two days pages nobody, not by the longest window either."""
    store = await open_store()
    await store.add_events([event("late", clock.now() - DAY - 60, EventKind.BOUNCED)])
    await store.add_events([event("in time", clock.now() - DAY + 60)])
    windows = await store.counts("shop-mta", "example.com", [7 * DAY])
    assert windows == {("orders", "gmail"): {7 * DAY: Counts(accepted=1)}}


async def test_windows_count_by_the_time_of_the_event_by_stream_and_provider(
    open_store: OpenStore, clock: FakeClock
) -> None:
    store = await open_store()
    now = clock.now()
    await store.add_events(
        [
            event("1", now - 200),
            event("2", now - 2000),
            event("3", now - 2000, EventKind.BOUNCED),
            event("4", now - 2000, EventKind.OPENED, stream="news"),
            event("5", now - 100, EventKind.DEFERRED, stream="news"),
        ]
    )
    assert await store.counts("shop-mta", "example.com", [300, HOUR]) == {
        ("orders", "gmail"): {300: Counts(accepted=1), HOUR: Counts(accepted=2, bounced=1)},
        ("news", "gmail"): {300: Counts(deferred=1), HOUR: Counts(deferred=1)},
    }
    assert await store.counts("shop-mta", "other.example", [HOUR]) == {}
    assert await store.counts("other", "example.com", [HOUR]) == {}
    clock.advance(HOUR)
    assert ("orders", "gmail") not in await store.counts("shop-mta", "example.com", [300])


async def test_buckets_leave_after_eight_days_and_totals_stay(
    open_store: OpenStore, clock: FakeClock, url: str
) -> None:
    store = await open_store()
    await store.add_events([event("old", clock.now())])
    clock.advance(8 * DAY + 120)
    await store.add_events([event("new", clock.now())])
    await store.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        assert db.execute("SELECT sum(n) FROM bucket").fetchone() == (1,)
        assert db.execute("SELECT sum(n) FROM total").fetchone() == (2,)


async def test_callers_at_the_same_time_share_commits(
    open_store: OpenStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store()
    commits = 0
    write = store._database.write

    def counting(batch: Batch) -> Written:
        nonlocal commits
        commits += 1
        return write(batch)

    monkeypatch.setattr(store._database, "write", counting)
    results = await asyncio.gather(
        *(store.add_events([event(str(i // 2), clock.now())]) for i in range(200))
    )
    assert sum(results) == 100
    assert store.totals() == {dimension("accepted"): 100}
    assert commits < 10


async def test_after_close_the_store_takes_nothing(open_store: OpenStore, clock: FakeClock) -> None:
    store = await open_store()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.add_events([event("1", clock.now())])
    assert await store.answers() == "the store is closed"


HOLDER = """
import asyncio, sys
from monitor.store.store import Store

class Clock:
    now = monotonic = staticmethod(lambda: 0.0)

async def hold():
    await Store.open(sys.argv[1], clock=Clock())
    print("open", file=sys.stderr, flush=True)
    sys.stdin.read()

asyncio.run(hold())
"""


async def test_a_second_process_is_locked_out_by_name_until_the_first_dies(
    url: str, clock: FakeClock
) -> None:
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, url, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        assert holder.stderr is not None
        assert await holder.stderr.readline() == b"open\n"
        with pytest.raises(
            StoreError, match=rf"in use by process {holder.pid}; stop that one first"
        ):
            await Store.open(url, clock=clock)
    finally:
        holder.kill()
        await holder.communicate()
    store = await Store.open(url, clock=clock)
    await store.close()


def overwrite_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 6] = b"\xa5" * (4096 * 5)
    path.write_bytes(data)


def another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE notes (text)")


def newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def unreadable_row(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE kept SET state = '{}'")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no database": (
        lambda path: path.write_bytes(b"garbage" * 4096),
        "damaged .*Restore it from a backup",
    ),
    "pages overwritten": (overwrite_middle, "damaged .*Restore it from a backup"),
    "a row that is none": (unreadable_row, "damaged .*Restore it from a backup"),
    "another program's": (another_program, "another program's file"),
    "a newer version's": (newer_version, "written by a newer version"),
}


def content(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize(("spoil", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_file_that_cannot_be_trusted_is_refused_untouched_with_what_to_do(
    open_store: OpenStore, url: str, spoil: Callable[[Path], object], reason: str
) -> None:
    store = await open_store()
    store.keep(kept("a.test"))
    await store.close()
    path = Path(url.removeprefix("sqlite:///"))
    spoil(path)
    before = content(path)
    for _ in range(2):  # a refusal lets go of the lock
        with pytest.raises(StoreError, match=f"(?s){path}.*{reason}"):
            await open_store()
    assert content(path) == before


URLS = {
    "no file": ("sqlite:///", "store.url must be"),
    "other scheme": ("postgresql://localhost/x", "store.url must be"),
    "a file where a folder should be": ("sqlite:////dev/null/state.db", "cannot be written here"),
}


@pytest.mark.parametrize(("bad_url", "reason"), URLS.values(), ids=URLS)
async def test_a_place_that_cannot_be_written_is_told(
    clock: FakeClock, bad_url: str, reason: str
) -> None:
    with pytest.raises(StoreError, match=reason):
        await Store.open(bad_url, clock=clock)


async def test_a_relative_url_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.chdir(tmp_path)
    store = await Store.open("sqlite:///var/state.db", clock=clock)
    await store.close()
    assert (tmp_path / "var" / "state.db").is_file()


async def test_the_state_is_its_owners_alone(tmp_path: Path, clock: FakeClock) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/state.db", clock=clock)
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("state.db*")}
    await store.close()
    assert modes["state.db"] == modes["state.db-wal"] == 0
