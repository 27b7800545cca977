"""A process that adds events as fast as it can and tells, id by id, what was acknowledged.

Usage: writer.py URL PREFIX. Several callers at a time. On stderr: `ready <pid>`, `p <ids>` before a batch is
handed over, `a <ids>` after it was acknowledged, `f <ids>` where the store refused it.
"""

import asyncio
import itertools
import os
import random
import sys
import time
from typing import NoReturn

from monitor.model import Event, EventKind, Provider
from monitor.store.error import StoreError
from monitor.store.store import Store


class SystemClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


def tell(word: str, ids: list[str]) -> None:
    # One write: a line is whole or absent, wherever the process is killed.
    os.write(2, f"{word} {' '.join(ids)}\n".encode())


def event(id_: str) -> Event:
    return Event(
        "hook", id_, EventKind.ACCEPTED, time.time(), "mta", "example.com", "orders", Provider.GMAIL
    )


async def add(store: Store, prefix: str, numbers: "itertools.count[int]") -> NoReturn:
    while True:
        ids = [f"{prefix}-{next(numbers)}" for _ in range(random.choice((1, 3, 50)))]
        tell("p", ids)
        try:
            await store.add_events([event(id_) for id_ in ids])
        except StoreError:
            tell("f", ids)
            await asyncio.sleep(0.01)
        else:
            tell("a", ids)


async def main(url: str, prefix: str) -> None:
    store = await Store.open(url, clock=SystemClock())
    tell("ready", [str(os.getpid())])
    numbers = itertools.count()
    async with asyncio.TaskGroup() as callers:
        for _ in range(4):
            callers.create_task(add(store, prefix, numbers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
