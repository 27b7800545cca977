"""What every command has in common: how it fails, and how fast it starts."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli.main import COMMANDS
from tests.cli.commands import COMMAND, deliverability, environment


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nope",), 2, "deliverability: there is no command 'nope'"),
        (("chek",), 2, "(did you mean 'check'?)"),
        (("run",), 2, "deliverability run: nothing to watch"),
        (("run", "--lab", "--domain", "a.example"), 2, "exclude one another"),
        (("run", "--listen", "9825"), 2, "has no port"),
        (("run", "--domain", "../../etc"), 2, "--domain: `../../etc` is no domain name"),
        (("validate",), 2, "no configuration"),
        (("plan",), 2, "no configuration"),
        (("check",), 3, "say one TARGET, or --file with many"),
        (("check", "a.example", "--nope"), 3, "No such option '--nope'"),
        (("check", "not a domain"), 3, "is no domain name"),
        (("check", "https://a.example/"), 3, "is a URL: write its host name alone"),
        (("check", "who@a.example"), 3, "is a mail address: write its domain"),
        (("check", "a.example", "--only", "dmrac"), 3, "(did you mean 'dmarc'?)"),
        (("check", "a.example", "--only", "rates"), 3, "rates: does not look at such a target"),
        (("check", "a.example", "--timeout", "16s"), 3, "--timeout is at most 15s"),
        (("check", "a.example", "--timeout", "soon"), 3, "`soon` is no duration"),
        (("rules",), 1, "there is no folder deploy/prometheus here"),
        (("lab", "incidents"), 1, "no lab runs in var/lab"),
        (("drift", "list"), 1, "no daemon answers at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_line_on_stderr(
    tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """`check` exits 3 where others exit 2, since 2 is critical for a monitoring system."""
    # A port where nobody is.
    free = {"DELIVERABILITY_SERVER__LISTEN": "127.0.0.1:1"}
    ended = deliverability(*arguments, cwd=tmp_path, env=free)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["schema", "plan"])
def test_a_reader_who_leaves_ends_it_without_a_word(command: str, tmp_path: Path) -> None:
    """And not with 1, which would be a warning of `check`."""
    (tmp_path / "deliverability.yaml").write_text("domains: [{name: a.example}]")
    with subprocess.Popen(
        [*COMMAND, command],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (128 + signal.SIGPIPE, "")


def test_nothing_is_written_where_a_command_fails(tmp_path: Path) -> None:
    """A usage error leaves the folder as it was."""
    for arguments in (
        ("run",),
        ("rules",),
        ("drift", "list"),
        ("check", "a.example", "--only", "x"),
    ):
        deliverability(*arguments, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["version", "healthcheck"])
def test_small_commands_start_without_the_large_libraries(command: str, tmp_path: Path) -> None:
    """They are started every few seconds by whoever supervises the daemon."""
    code = (
        "import sys\nfrom monitor.cli.main import main\n"
        f"try:\n    main(['{command}'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'pydantic', 'aiohttp', 'rich', 'dns', 'structlog'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(DELIVERABILITY_SERVER__LISTEN="127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_every_command_explains_itself(tmp_path: Path) -> None:
    """`--help` lists all of them, each with a line."""
    listed = deliverability("--help", cwd=tmp_path)
    assert listed.returncode == 0
    for name in COMMANDS:
        line = next(li for li in listed.stdout.splitlines() if li.strip().startswith(f"{name} "))
        assert len(line.split()) > 2, line


def test_what_nobody_thought_of_is_one_line_and_a_traceback_only_on_demand(tmp_path: Path) -> None:
    """A target too strange for any branch of ours still ends as a user expects."""
    code = (
        "import sys\nfrom unittest.mock import patch\nfrom monitor.cli.main import main\n"
        "with patch('monitor.inventory.target_of', side_effect=RuntimeError('so\\nit goes')):\n"
        "    main(sys.argv[1:])"
    )

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", code, "check", "a.example", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )

    plain, debug = run(), run("--debug")
    assert (plain.returncode, debug.returncode) == (3, 3)
    assert plain.stderr == (
        "deliverability: unexpected RuntimeError: so it goes (--debug shows where)\n"
    )
    assert "Traceback" in debug.stderr


def test_the_help_says_whole_sentences(tmp_path: Path) -> None:
    """No summary is cut, on a terminal of 80 columns."""
    ended = deliverability("--help", cwd=tmp_path, env={"COLUMNS": "80"})
    _, _, summaries = ended.stdout.partition("Commands:")
    assert all(name in summaries for name in COMMANDS)
    assert "..." not in summaries
