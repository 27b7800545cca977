"""The command as users start it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "monitor.cli"]


def environment(**more: str) -> dict[str, str]:
    """Ours without what would change the command's mind."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DELIVERABILITY_", "NO_COLOR", "FORCE_COLOR", "COLUMNS"))
    }
    return {**kept, "PYTHONPATH": str(PROJECT), **more}


def deliverability(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def started(
    *arguments: str | Path, cwd: Path, log: str = "log"
) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in the background, its output in a file; ended at the end."""
    with (cwd / log).open("wb") as sink:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(what: str, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until `condition` gives something true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
    return found
