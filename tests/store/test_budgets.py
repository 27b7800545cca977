"""What parties were asked is known after every restart, however the process ended."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from monitor.check import Asks, Limits, Urgency
from monitor.store.store import Store
from monitor.world.budgets import BLOCK, PacedBudgets
from monitor.world.fake import FakeClock
from tests.store.asker import LIMIT
from tests.store.conftest import NOON, OpenStore

ASKER = Path(__file__).with_name("asker.py")
KILLS = 5
TODAY = int(NOON // 86400)


def end(url: str, journal: Path, how: signal.Signals) -> None:
    """Starts an asker and ends it some time after it is ready."""
    command = [sys.executable, str(ASKER), url, str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asker:
        try:
            assert asker.stdout is not None
            while (line := asker.stdout.readline()) and line != "ready\n":
                pass
            assert line, "the asker did not start"
            time.sleep(
                random.uniform(0.1, 0.3)
            )  # the moment of death is the random input, no condition
        finally:
            asker.send_signal(how)


async def counted(url: str) -> int:
    """How many questions count as asked, on whichever days."""
    store = await Store.open(url, clock=FakeClock(time.time()))
    today = int(time.time() // 86400)
    try:
        return sum(sum(store.asked(day).values()) for day in (today - 1, today))
    finally:
        await store.close()


async def test_after_kill_9_no_fewer_questions_count_than_were_asked(
    url: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    for number in range(KILLS):
        end(url, journal, signal.SIGKILL)
        asked = journal.stat().st_size
        assert asked <= await counted(url) <= asked + (number + 1) * (BLOCK * LIMIT + 4)
    assert asked > 10 * KILLS
    end(url, journal, signal.SIGTERM)
    lost = await counted(url) - journal.stat().st_size
    end(url, journal, signal.SIGTERM)
    assert await counted(url) - journal.stat().st_size == lost, "a clean stop loses nothing"


async def test_a_restart_goes_on_where_the_day_stood(
    open_store: OpenStore, clock: FakeClock
) -> None:
    wanted = [Asks("zone.example", 1, Limits(100))]

    async def granted(budgets: PacedBudgets) -> int:
        return sum([bool(await budgets.take("t", wanted, Urgency.CERTAINTY)) for _ in range(60)])

    store = await open_store()
    budgets = PacedBudgets(clock=clock, ledger=store)
    assert await granted(budgets) == 60
    await budgets.settle()
    await store.close()
    store = await open_store()
    assert store.asked(TODAY) == {"zone.example": 60}
    assert await granted(PacedBudgets(clock=clock, ledger=store)) == 40
    clock.advance(86400)
    assert await granted(PacedBudgets(clock=clock, ledger=store)) == 60


async def test_days_long_over_are_dropped(open_store: OpenStore) -> None:
    store = await open_store()
    for day in range(20):
        await store.cover(day, {"zone.example": 1})
    await store.close()
    store = await open_store()
    assert [day for day in range(20) if store.asked(day)] == list(range(12, 20))
