"""Stores in a temporary folder, with a clock that tests set."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from monitor.store.store import Store
from monitor.world.fake import FakeClock

OpenStore = Callable[[], Awaitable[Store]]
NOON = 1_790_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state/state.db"


@pytest.fixture
async def open_store(url: str, clock: FakeClock) -> AsyncIterator[OpenStore]:
    """Opens the store of `url`; what a test leaves open is closed."""
    opened: list[Store] = []

    async def open_() -> Store:
        store = await Store.open(url, clock=clock)
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()
