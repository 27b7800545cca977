"""The daemon on the lab for a while: every scrape must answer, memory and open files must not grow.

python bench/soak.py [MINUTES]

The first third of the time is warm-up. After it, the last third is compared with the second.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

EVERY = 2.0
"""Seconds between looks."""
READY_WITHIN = 60.0
GROWTH = 1.10
"""How much more memory the last third may take than the second."""
FILES = 16
"""How many more files the last third may have open."""


@dataclass(frozen=True, slots=True)
class Sample:
    resident_mib: float
    files: int
    scrape_seconds: float


def _get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            response.read()
            return int(response.status)
    except OSError:
        return 0


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _look(pid: int, address: str) -> Sample:
    started = time.monotonic()
    status = _get(f"http://{address}/metrics")
    elapsed = time.monotonic() - started
    if status != 200:
        raise SystemExit(f"/metrics answered {status or 'nothing'}")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files, elapsed)


def _watch(process: subprocess.Popen[bytes], address: str, seconds: float) -> list[Sample]:
    deadline = time.monotonic() + READY_WITHIN
    while _get(f"http://{address}/-/ready") != 200:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the daemon does not become ready")
        time.sleep(0.2)
    samples: list[Sample] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sample = _look(process.pid, address)
        samples.append(sample)
        if len(samples) % 15 == 1:
            print(
                f"{sample.resident_mib:7.1f} MiB  {sample.files:4d} files  "
                f"{sample.scrape_seconds * 1000:6.1f} ms a scrape",
                flush=True,
            )
        time.sleep(EVERY)
    return samples


def _verdict(samples: list[Sample]) -> list[str]:
    third = len(samples) // 3
    before, after = samples[third : 2 * third], samples[2 * third :]
    if not before:
        return ["too short to judge: at least one minute is needed"]
    problems = []
    memory = max(s.resident_mib for s in before), max(s.resident_mib for s in after)
    files = max(s.files for s in before), max(s.files for s in after)
    if memory[1] > memory[0] * GROWTH:
        problems.append(f"memory grew from {memory[0]:.1f} to {memory[1]:.1f} MiB")
    if files[1] > files[0] + FILES:
        problems.append(f"open files grew from {files[0]} to {files[1]}")
    return problems


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    address = _free_address()
    with tempfile.TemporaryDirectory() as directory, (Path(directory) / "log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "deliverability", "run", "--lab"],
            cwd=directory,
            stdout=log,
            stderr=log,
            env={**os.environ, "DELIVERABILITY_SERVER__LISTEN": address},
        )
        try:
            problems = _verdict(_watch(process, address, minutes * 60))
            process.send_signal(signal.SIGTERM)
            if process.wait(10) != 0:
                problems.append(f"exit code {process.returncode} after SIGTERM")
        finally:
            process.kill()
            log.flush()
            tail = Path(log.name).read_text(errors="replace")[-2000:]
    if problems:
        raise SystemExit(f"{tail}\nsoak failed: " + "; ".join(problems))
    print(f"soak passed: {minutes:g} minutes")


if __name__ == "__main__":
    main()
