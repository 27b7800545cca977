"""`run --lab`: the daemon and the lab's process, from start to every kind of end."""

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.cli.commands import deliverability, started, until
from tests.cli.conftest import free_port


def events(path: Path) -> dict[str, dict[str, str]]:
    lines = (line for line in path.read_text().splitlines() if line.startswith("{"))
    return {event["event"]: event for event in map(json.loads, lines)}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_lab_ends_with_the_daemon(tmp_path: Path, number: signal.Signals) -> None:
    """It says where to look, answers there, and leaves no process behind, however it ends."""
    listen, log = f"127.0.0.1:{free_port()}", tmp_path / "log"
    with started("run", "--lab", "--listen", listen, cwd=tmp_path) as process:
        found = until("it listens", lambda: events(log).get("daemon.listening"))
        assert found["status_page"] == f"http://{listen}/"
        with urllib.request.urlopen(found["metrics"]) as metrics:
            assert b"deliverability_build_info" in metrics.read()
        assert (
            deliverability("healthcheck", "--url", f"http://{listen}", cwd=tmp_path).returncode == 0
        )
        lab = child_of(process.pid)
        process.send_signal(number)
        code = process.wait(15)
        until("the lab is gone", lambda: not alive(lab))
    assert code == (-number if number == signal.SIGKILL else 0)


def test_incidents_are_steered_by_name(lab: Path) -> None:
    """Started, listed as on, ended; an unknown name says which there are."""
    cwd = lab.parents[2]

    def states() -> dict[str, str]:
        lines = deliverability("lab", "incidents", cwd=cwd).stdout.splitlines()
        return {line.split()[1]: line.split()[0] for line in lines}

    assert states()["dmarc-weakened"] == "off"
    assert deliverability("lab", "incident", "dmarc-weakened", cwd=cwd).returncode == 0
    assert states()["dmarc-weakened"] == "on"
    assert deliverability("lab", "incident", "dmarc-weakened", "--end", cwd=cwd).returncode == 0
    assert states()["dmarc-weakened"] == "off"
    refused = deliverability("lab", "incident", "nope", cwd=cwd)
    assert refused.returncode == 1
    assert "dmarc-weakened" in refused.stderr


@pytest.mark.parametrize("command", [("run", "--lab"), ("lab",)], ids=" ".join)
def test_a_second_lab_in_the_same_folder_is_refused(lab: Path, command: tuple[str, ...]) -> None:
    """It would take the first one's files away."""
    ended = deliverability(*command, cwd=lab.parents[2])
    assert ended.returncode == 1
    assert "a lab runs in var/lab already" in ended.stderr


@pytest.mark.parametrize("taken", ["port", "state"])
def test_what_is_taken_is_one_line(tmp_path: Path, taken: str) -> None:
    """The listening address, or the state file of a daemon that runs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if taken == "port" else free_port()
        config = tmp_path / "config.yaml"
        config.write_text(
            "domains: [{name: shop.example}]\nresolver: {nameservers: ['127.0.0.1:1']}\n"
            f"server: {{listen: '127.0.0.1:{port}'}}\n"
        )
        command = ("run", "--config", config, "--log-format", "json")
        if taken == "port":
            ended = deliverability(*command, cwd=tmp_path)
        else:
            with started(*command, cwd=tmp_path):
                until("it listens", lambda: "daemon.listening" in events(tmp_path / "log"))
                ended = deliverability(*command, cwd=tmp_path)
    plain = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert ended.returncode == 1
    assert len(plain) == 1, ended.stderr
    says = {
        "port": f"cannot listen at 127.0.0.1:{port}: Address already in use (server.listen",
        "state": "is in use by process",
    }
    assert says[taken] in plain[0]
    assert "Errno" not in plain[0]
