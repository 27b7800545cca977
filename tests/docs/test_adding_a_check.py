"""docs/adding-a-check.md is followed to the letter, outside the tree and outside its environment."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
RECIPE = (PROJECT / "docs/adding-a-check.md").read_text("utf-8")
DEFAULT_LISTEN = "127.0.0.1:9825"

FILES = dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", RECIPE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", RECIPE, re.MULTILINE | re.DOTALL)
PYTHON = [path for path in FILES if path.endswith(".py")]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed"
)


@dataclass(frozen=True)
class Terminal:
    """A folder with the recipe's files and an environment of its own that sees the project's."""

    folder: Path
    env: dict[str, str]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-euc", command],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                ["sh", "-euc", command],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """What the reader has: an environment with the project, pytest and pip on the path, and an empty folder."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(environment)})
    ours = sysconfig.get_path("purelib")
    Path(packages, "project.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    command = environment / "bin" / "deliverability"
    command.write_text(
        f"#!{environment}/bin/python\nfrom monitor.cli.main import main\nraise SystemExit(main())\n"
    )
    command.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    folder = tmp_path / "reader"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    path = f"{environment}/bin:{os.environ['PATH']}"
    return Terminal(
        folder,
        {**os.environ, "PATH": path, "DELIVERABILITY_SERVER__LISTEN": listen, "PIP_NO_INDEX": "1"},
    )


def listen_of(terminal: Terminal) -> str:
    return terminal.env["DELIVERABILITY_SERVER__LISTEN"]


@pytest.fixture
def started(terminal: Terminal) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that run on while later commands are typed."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.servers
@needs_promtool
def test_the_recipe_works_as_it_is_written(
    terminal: Terminal, started: list[subprocess.Popen[bytes]]
) -> None:
    """Its unit test, its alerts' tests, its rules, panels, metric, finding: every command in order."""
    before = _tree()
    for command in COMMANDS:
        if "deliverability run" in command:
            started.append(terminal.start(command))
        elif started:
            for line in command.replace(DEFAULT_LISTEN, listen_of(terminal)).splitlines():
                _until_it_works(terminal, line, started[-1])
        else:
            ran = terminal.run(command)
            assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    assert started, "the recipe starts no daemon"
    assert _tree() == before, "following the recipe changed the checkout"


def _until_it_works(terminal: Terminal, command: str, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while (ran := terminal.run(command)).returncode:
        output = (terminal.folder / "output").read_text(errors="replace")[-3000:]
        assert daemon.poll() is None, f"the daemon ended:\n{output}"
        assert time.monotonic() < deadline, f"{command}\n{ran.stdout}\n{ran.stderr}\n{output}"
        time.sleep(0.3)


def _tree() -> str:
    """The checkout's own files, as far as a build or a render could touch them."""
    watched = ["checks", "monitor/publish", "deploy", "grafana", "pyproject.toml"]
    listed = subprocess.run(
        ["git", "status", "--porcelain", "--", *watched],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout


def test_the_recipe_names_everything_that_a_check_is() -> None:
    assert {Path(path).name for path in FILES} >= {
        "pyproject.toml",
        "check.py",
        "alerts.yaml",
        "alerts_test.yaml",
        "panels.py",
        "runbook.md",
    }


@pytest.mark.parametrize("path", PYTHON)
def test_the_code_of_the_recipe_passes_our_own_lint(path: str) -> None:
    """As a check's code or a test's, which our configuration treats apart."""
    inside = "tests/docs/x.py" if "/tests/" in path else "checks/mx/x.py"
    for command in (["check", "--quiet"], ["format", "--check", "--diff"]):
        ran = subprocess.run(
            [Path(sys.executable).parent / "ruff", *command, "--stdin-filename", inside, "-"],
            cwd=PROJECT,
            input=FILES[path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
