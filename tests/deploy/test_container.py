"""The image as it is meant to run: unprivileged, read-only, small, healthy, and leaving when told."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator

import pytest
from tests.deploy.podman import Podman, build, confined, engine

pytestmark = pytest.mark.servers


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str) -> tuple[int, str]:
    """Status and body; status 0 while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def _until(condition: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    podman = engine()
    yield podman
    podman("system", "prune", "--force", "--volumes")


@pytest.fixture(scope="module")
def image(podman: Podman) -> str:
    return build(podman)


@pytest.fixture
def daemon(podman: Podman, image: str) -> Iterator[tuple[str, str]]:
    """A confined container that runs the daemon on the lab: its name and its address."""
    name, address = f"daemon-{uuid.uuid4().hex[:8]}", f"127.0.0.1:{_free_port()}"
    podman.must(
        *confined("--detach", f"--name={name}", f"--env=DELIVERABILITY_SERVER__LISTEN={address}", image),
        "run", "--lab",
    )  # fmt: skip
    yield name, f"http://{address}"
    podman("rm", "--force", name)


def test_the_daemon_watches_the_lab_from_a_confined_container(
    podman: Podman, daemon: tuple[str, str]
) -> None:
    """Ready, healthy by its own check, real results in its metrics, and gone within 10 s of SIGTERM."""
    name, address = daemon

    def log() -> str:
        result = podman("logs", name)
        return (result.stdout + result.stderr)[-6000:]

    def ready() -> bool:
        running = podman("inspect", "--format={{.State.Running}}", name).stdout.strip()
        assert running == "true", log()
        return _get(f"{address}/-/ready")[0] == 200

    _until(ready, 60, log)
    _until(lambda: podman("healthcheck", "run", name).returncode == 0, 15, log)

    def never_ok() -> set[str]:
        series = re.findall(
            r'^deliverability_check_status\{check="(\w+)".*status="ok"\} 1(?:\.0)?$',
            _get(f"{address}/metrics")[1],
            re.MULTILINE,
        )
        return {"blocklist", "dmarc", "smtp"} - set(series)

    _until(lambda: not never_ok(), 60, lambda: f"never ok: {never_ok()}\n{log()}")

    started = time.monotonic()
    podman.must("stop", "--time=30", name)
    assert time.monotonic() - started < 10, log()
    state = json.loads(podman.must("inspect", "--format={{json .State}}", name))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False), log()
    assert re.search(r"daemon\.stopping[\s\S]*daemon\.stopped", log())


def test_the_image_is_unprivileged_and_has_no_tools(podman: Podman, image: str) -> None:
    """A fixed user that is not root, nothing writable but /state and /tmp, no compiler and no pip."""
    script = """
        id -u
        touch /state/x /tmp/x && echo writable
        touch /x /opt/deliverability/x 2>/dev/null || echo read-only
        command -v gcc cc make; python3 -m pip --version 2>/dev/null
        deliverability version >/dev/null && echo runs
    """
    output = podman.must(*confined("--rm", "--entrypoint=sh", image, "-c", script)).split()
    assert output == ["9825", "writable", "read-only", "runs"]


def test_the_image_says_how_to_check_and_stop_it(podman: Podman, image: str) -> None:
    """The commands are in exec form, so that signals reach the daemon itself."""
    (inspected,) = json.loads(podman.must("inspect", "--type=image", image))
    config = inspected["Config"]
    assert config["Entrypoint"] == ["deliverability"]
    assert config["Cmd"] == ["run"]
    assert inspected["Healthcheck"]["Test"] == ["CMD", "deliverability", "healthcheck"]
    assert "/state" in config["Volumes"]
