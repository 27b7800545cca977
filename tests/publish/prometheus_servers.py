"""Starts Debian's Prometheus and Alertmanager on loopback, for tests."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

START_SECONDS = 30


@contextmanager
def prometheus(config: Path, folder: Path) -> Iterator[str]:
    """A running Prometheus; its address."""
    assert PROMETHEUS is not None
    listen = f"127.0.0.1:{_free_port()}"
    arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb"]
    with _running(
        [PROMETHEUS, *arguments, f"--web.listen-address={listen}"], listen, folder / "log"
    ):
        yield f"http://{listen}"


@contextmanager
def alertmanager(config: Path, folder: Path) -> Iterator[str]:
    """A running Alertmanager, alone; its address."""
    assert ALERTMANAGER is not None
    listen = f"127.0.0.1:{_free_port()}"
    arguments = [f"--config.file={config}", f"--storage.path={folder}", "--cluster.listen-address="]
    with _running(
        [ALERTMANAGER, *arguments, f"--web.listen-address={listen}"], listen, folder / "log"
    ):
        yield f"http://{listen}"


def ask(url: str, body: object = None) -> Any:
    """The JSON answer of a server, also where it is an error; `body` is posted."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as answer:
            text = answer.read()
    except HTTPError as error:
        text = error.read()
    return json.loads(text) if text else None


@contextmanager
def _running(command: list[str], listen: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(process, f"http://{listen}/-/ready", log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text("utf-8")
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} is not ready after {START_SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
