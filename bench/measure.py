"""What a process used, the lab that it is measured against, and how a measurement is told to whoever asked for it."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAB_SECONDS = 60.0

Figures = dict[str, float]
Case = Callable[[], Figures]


@dataclass(slots=True)
class Usage:
    """CPU and wall seconds of this process, threads included, between two moments."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def used() -> Iterator[Usage]:
    usage = Usage()
    cpu, wall = _cpu(), time.perf_counter()
    yield usage
    usage.cpu, usage.wall = _cpu() - cpu, time.perf_counter() - wall


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def resident_mib() -> float:
    """This process's resident memory now."""
    return _status("VmRSS")


def peak_mib() -> float:
    """The most that this process ever had resident, or since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def started_lab(directory: Path, *options: str) -> "subprocess.Popen[bytes]":
    """The lab in a process of its own, once all of it listens; its log is in the directory."""
    script = Path(__file__).parent / "lab.py"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(script), str(directory), *options], stdout=log, stderr=log
        )
    deadline = time.monotonic() + LAB_SECONDS
    while not (directory / "lab.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit((directory / "log").read_text())
        time.sleep(0.1)
    return process


def tell(cases: Mapping[str, Case]) -> None:
    """Run the case that the command line names; its figures are the last line of the output."""
    print(json.dumps(cases[sys.argv[1]]()))
