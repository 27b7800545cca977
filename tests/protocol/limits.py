"""What reading anything from outside may cost: 50 ms and 10 MiB."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 0.05
MEMORY = 10 * 2**20


@contextmanager
def in_time() -> Iterator[None]:
    """What is done inside takes at most 50 ms of this thread's own time; others may be busy meanwhile."""
    with _no_collection():
        started = time.thread_time()
        yield
        spent = time.thread_time() - started
    assert spent < SECONDS, f"took {spent * 1000:.0f} ms"


def seconds(work: Callable[[], object]) -> float:
    """The thread's own time that it takes, at best of three: a busy machine slows it down too."""
    spent = []
    with _no_collection():
        for _ in range(3):
            started = time.thread_time()
            work()
            spent.append(time.thread_time() - started)
            if spent[-1] < SECONDS:
                break
    return min(spent)


def memory(work: Callable[[], object]) -> int:
    """The bytes that it takes at its peak."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage of other tests is not collected meanwhile: that takes as long as there is much of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
