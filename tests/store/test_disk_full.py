"""A full disk: nothing is acknowledged, what is known stays readable, and space heals it without a restart."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from monitor.model import Event, EventKind, Provider, Status
from monitor.store.error import StoreError
from monitor.store.kept import Kept
from monitor.store.store import Store
from monitor.world.fake import FakeClock


class Disk(Protocol):
    """A disk that can be full."""

    folder: Path

    def fill(self) -> None: ...

    def free(self) -> None: ...


class SmallTmpfs:
    """A file system of 1 MiB (ENOSPC). Needs the right to mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


class LimitedFiles:
    """This process's files may not grow (EFBIG). Needs no rights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        largest = max(path.stat().st_size for path in self.folder.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, self._limits[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


@pytest.fixture(params=["tmpfs", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "limit":
        limited = LimitedFiles(folder)
        yield limited
        limited.free()
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    yield SmallTmpfs(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def events(batch: int, at: float) -> list[Event]:
    return [
        Event(
            "hook", f"{batch}-{i}", EventKind.BOUNCED, at, "mta", "example.com", "", Provider.OTHER
        )
        for i in range(50)
    ]


def total(store: Store) -> int:
    return sum(store.totals().values())


async def bounced(store: Store) -> int:
    windows = await store.counts("mta", "example.com", [3600])
    return windows["", "other"][3600].bounced


async def first_refused(store: Store, at: float) -> int:
    for batch in range(1, 1000):
        try:
            await store.add_events(events(batch, at))
        except StoreError:
            return batch
    pytest.fail("the disk was never full")


async def test_a_full_disk_refuses_events_keeps_reads_alive_and_heals(
    disk: Disk, clock: FakeClock
) -> None:
    url = f"sqlite:///{disk.folder}/state.db"
    store = await Store.open(url, clock=clock)
    kept = Kept("dmarc", "a.test", "a.test", Status.CRITICAL, 1.0, 2.0, 2.0)
    try:
        assert await store.add_events(events(0, clock.now())) == 50
        disk.fill()
        store.keep(kept)
        batch = await first_refused(store, clock.now())
        assert total(store) == 50 * batch
        assert await bounced(store) == 50 * batch
        assert store.kept("dmarc", "a.test") == kept
        if isinstance(
            disk, SmallTmpfs
        ):  # under the other the emptied log has room for a page again
            assert "check the disk" in (await store.answers() or "")

        disk.free()
        assert await store.answers() is None
        assert await store.add_events(events(batch, clock.now())) == 50
        assert total(store) == await bounced(store) == 50 * (batch + 1)
    finally:
        disk.free()
        await store.close()
    again = await Store.open(url, clock=clock)
    try:
        assert again.kept("dmarc", "a.test") == kept
        assert total(again) == await bounced(again) == 50 * (batch + 1)
    finally:
        await again.close()


async def test_room_for_a_page_is_not_enough_where_more_waits(disk: Disk, clock: FakeClock) -> None:
    store = await Store.open(f"sqlite:///{disk.folder}/state.db", clock=clock)
    await store.add_events(events(0, clock.now()))
    if isinstance(disk, LimitedFiles):  # the other is too small for what follows
        disk.fill()
    for number in range(500):
        store.keep(
            Kept("dmarc", f"{number}.test", "a.test", Status.OK, 1.0, 2.0, 2.0, failure="x" * 4000)
        )
    with pytest.raises(StoreError):
        await store.flush()
    assert "check the disk" in (await store.answers() or "")
    with pytest.raises(StoreError, match="500 results could not be written"):
        await store.close()


async def test_a_store_that_closes_on_a_full_disk_says_that_results_were_lost(
    disk: Disk, clock: FakeClock
) -> None:
    url = f"sqlite:///{disk.folder}/state.db"
    store = await Store.open(url, clock=clock)
    await store.add_events(events(0, clock.now()))
    disk.fill()
    for number in range(500):
        store.keep(
            Kept("dmarc", f"{number}.test", "a.test", Status.OK, 1.0, 2.0, 2.0, failure="x" * 4000)
        )
    with pytest.raises(StoreError, match="500 results could not be written"):
        await store.close()
    disk.free()
    again = await Store.open(url, clock=clock)
    assert total(again) == 50
    await again.close()
