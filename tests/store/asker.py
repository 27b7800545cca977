"""A process that takes from budgets as fast as it can and notes each question before it would be asked.

Usage: asker.py URL JOURNAL. On stdout: `ready`. A byte in the journal is a question. SIGTERM is a clean stop.
"""

import asyncio
import os
import signal
import sys

from monitor.check import Asks, Limits, Urgency
from monitor.store.store import Store
from monitor.world.budgets import PacedBudgets
from monitor.world.clock import SystemClock

LIMIT = 1_000_000


async def ask(budgets: PacedBudgets, journal: int, stopping: asyncio.Event) -> None:
    wanted = [Asks("zone.example", 1, Limits(LIMIT))]
    while not stopping.is_set() and await budgets.take("target", wanted, Urgency.CERTAINTY):
        os.write(journal, b".")
        await asyncio.sleep(0)


async def main(url: str, journal: str) -> None:
    clock, stopping = SystemClock(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    store = await Store.open(url, clock=clock)
    budgets = PacedBudgets(clock=clock, ledger=store)
    notes = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(1, b"ready\n")
    await asyncio.gather(*(ask(budgets, notes, stopping) for _ in range(4)))
    await budgets.settle()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
