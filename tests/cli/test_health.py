"""`healthcheck`: exit 0 or 1, always within 3 s."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.cli.command import Problem
from monitor.cli.health import listen_address
from tests.cli.commands import deliverability

HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def answering(chunks: list[bytes], *, pause: float = 0.0) -> Iterator[str]:
    """A server that sends the chunks to whoever connects, and then nothing."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for chunk in chunks:
                    try:
                        connection.sendall(chunk)
                    except OSError:
                        return
                    done.wait(pause)
                done.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        done.set()
        thread.join(5)


@pytest.mark.parametrize(
    ("chunks", "pause", "code"),
    [
        ([HEALTHY], 0.0, 0),
        ([b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"], 0.0, 1),
        ([b"220 mail.example \x1b[2J\r\n"], 0.0, 1),
        ([], 0.0, 1),
        ([b"H", b"T", b"T", b"P", *[b" "] * 50], 0.3, 1),
    ],
    ids=["healthy", "unavailable", "no HTTP", "silent", "drips"],
)
def test_the_answer_decides(tmp_path: Path, chunks: list[bytes], pause: float, code: int) -> None:
    """Whatever is there, a verdict comes in time."""
    with answering(chunks, pause=pause) as url:
        began = time.monotonic()
        ended = deliverability("healthcheck", "--url", url, cwd=tmp_path)
    assert (ended.returncode, url in ended.stdout + ended.stderr) == (code, True), ended
    assert "\x1b" not in ended.stderr
    assert len((ended.stdout + ended.stderr).splitlines()) == 1
    assert time.monotonic() - began < 3.5  # the process's own start included


@pytest.mark.parametrize(
    ("file", "environ", "address"),
    [
        (None, {}, "127.0.0.1:9825"),
        ("domains: []", {}, "127.0.0.1:9825"),
        ("server: {listen: '127.0.0.2:99'}", {}, "127.0.0.2:99"),
        ("server: {listen: '0.0.0.0:99'}", {}, "127.0.0.1:99"),
        ("server: {listen: '[::]:99'}", {}, "[::1]:99"),
        ("server: {listen: '1.1.1.1:1'}", {"DELIVERABILITY_SERVER__LISTEN": "[::1]:5"}, "[::1]:5"),
        (None, {"deliverability_server": '{"listen": "127.0.0.1:7"}'}, "127.0.0.1:7"),
    ],
)
def test_the_daemon_is_looked_for_where_it_listens(
    tmp_path: Path, file: str | None, environ: dict[str, str], address: str
) -> None:
    """The environment wins over the file; every address is reached at loopback."""
    path = None
    if file is not None:
        path = tmp_path / "config.yaml"
        path.write_text(file)
    assert listen_address(path, environ) == address


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """The supervisor learns why."""
    with pytest.raises(Problem, match="cannot be read"):
        listen_address(tmp_path / "nowhere.yaml", {})
