"""The lab as a child of the daemon's process: it is ready before the daemon starts, and never outlives it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.cli.command import Problem
from monitor.cli.lab import refuse_second_lab

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05


@contextmanager
def running_lab(directory: Path, *, listen: str | None, log_format: str | None) -> Iterator[Path]:
    """A lab in `directory` while the context lasts; gives the configuration that it wrote.

    The child's stdin is a pipe of ours: it ends with us even where we are killed. It has a session
    of its own, so that Ctrl-C reaches the daemon alone, which ends before its world does.

    Raises:
        Problem: a lab runs there already, or it does not get ready.
    """
    refuse_second_lab(directory)
    ready = directory / "lab.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "monitor.cli", "lab", "--with-parent"]
    command += ["--directory", str(directory)]
    command += ["--listen", listen] if listen else []
    command += ["--log-format", log_format] if log_format else []
    child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - ourselves
    try:
        _await_ready(child, ready)
        yield directory / "config.yaml"
    finally:
        _stop(child)


def _await_ready(child: "subprocess.Popen[bytes]", ready: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready.exists():
        if child.poll() is not None:
            raise Problem(f"the lab ended with {child.returncode}; its last lines say why")
        if time.monotonic() > deadline:
            raise Problem(f"the lab was not ready within {READY_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
