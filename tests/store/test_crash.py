"""What was acknowledged survives `kill -9` and disks that fail; what was not can be sent again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.model import Event, EventKind, Provider
from monitor.store.store import Store
from monitor.world.fake import FakeClock

WRITER = Path(__file__).with_name("writer.py")

KILLS = int(os.environ.get("SOAK_KILLS", "20"))
"""How often the writer is killed. The long form: SOAK_KILLS=300, since no loss in 300 kills bounds the
rate of loss at 1 % with 95 % confidence (rule of three)."""


class Journal:
    """What writers told: ids handed over, acknowledged, refused."""

    def __init__(self) -> None:
        self.posted: set[str] = set()
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.acknowledged_after_refusal: set[str] = set()

    def read(self, text: str) -> None:
        into = {"p": self.posted, "a": self.acknowledged, "f": self.refused}
        for line in text.splitlines():
            word, _, ids = line.partition(" ")
            if word in into:
                into[word].update(ids.split())
            if word == "a" and self.refused:
                self.acknowledged_after_refusal.update(ids.split())


def event(id_: str, at: float) -> Event:
    return Event(
        "hook", id_, EventKind.ACCEPTED, at, "mta", "example.com", "orders", Provider.GMAIL
    )


def start(url: str, prefix: str, *wrapper: str) -> "subprocess.Popen[str]":
    command = [*wrapper, sys.executable, str(WRITER), url, prefix]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def kill_after(writer: "subprocess.Popen[str]", seconds: float) -> str:
    """Kills a writer some time after it is ready; returns what it told."""
    assert writer.stderr is not None
    pid = writer.pid
    try:
        while (line := writer.stderr.readline()) and not line.startswith("ready"):
            pass
        assert line, "the writer did not start"
        pid = int(line.split()[1])  # under strace: the traced process, not strace itself
        time.sleep(seconds)  # not a wait for a condition: the moment of death is the random input
    finally:
        os.kill(pid, signal.SIGKILL)
        rest = writer.stderr.read()
        writer.wait()
        writer.stderr.close()
    return rest


async def assert_exactly_once(url: str, journal: Journal) -> None:
    """Every acknowledged event is there, none twice; what is in doubt may be sent again and counts once."""
    clock = FakeClock(time.time())
    store = await Store.open(url, clock=clock)
    try:
        stored = sum(store.totals().values())
        assert len(journal.acknowledged) <= stored <= len(journal.posted)
        assert (
            await store.add_events([event(id_, clock.now()) for id_ in journal.acknowledged]) == 0
        )
        assert await store.add_events([event(id_, clock.now()) for id_ in journal.posted]) == (
            len(journal.posted) - stored
        )
        assert sum(store.totals().values()) == len(journal.posted)
        windows = await store.counts("mta", "example.com", [3600])
        assert windows["orders", "gmail"][3600].accepted == len(journal.posted)
    finally:
        await store.close()


async def test_every_acknowledged_event_survives_kill_9_exactly_once(url: str) -> None:
    journal = Journal()
    for number in range(KILLS):
        journal.read(kill_after(start(url, f"run{number}"), random.uniform(0.0, 0.4)))
    assert len(journal.acknowledged) > 10 * KILLS
    await assert_exactly_once(url, journal)


needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

FAILING_SYNCS = {
    "once": ("when=20", True),
    "for a while": ("when=20..40", True),
    "for good": ("when=20+", False),
}


@needs_strace
@pytest.mark.parametrize(("when", "recovers"), FAILING_SYNCS.values(), ids=FAILING_SYNCS)
async def test_a_failed_sync_is_never_acknowledged_and_the_store_recovers_without_restart(
    url: str, when: str, *, recovers: bool
) -> None:
    """Fault matrix P2. In the end the process is killed: the next one finds what was acknowledged."""
    inject = f"inject=fdatasync,fsync:error=EIO:{when}"
    strace = ("strace", "-f", "-qq", "-e", "trace=fdatasync,fsync", "-o", "/dev/null", "-e", inject)
    journal = Journal()
    journal.read(kill_after(start(url, "run", *strace), 1.5))
    assert journal.acknowledged
    assert journal.refused
    assert bool(journal.acknowledged_after_refusal) is recovers
    await assert_exactly_once(url, journal)
