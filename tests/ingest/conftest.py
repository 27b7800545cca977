"""A receiver of hooks over a real store, with a clock that tests set."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.store.store import Store
from monitor.world.fake import FakeClock

NOON = 1_790_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/state.db", clock=clock)
    yield opened
    await opened.close()
