"""One look each at many targets: order, exit code, formats, and a list that cannot be used."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, deliverability, environment

LIST = """\
# our domains
parked.example
weak.example   # bought last year

Parked.Example
mx1.shop.example:25
"""


def test_each_target_of_a_file_is_told_in_its_order(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "domains.txt").write_text(LIST)
    ended = deliverability("check", "-f", "domains.txt", "--config", lab, cwd=tmp_path)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 2
    assert [line.split()[2] for line in lines] == [
        "parked.example",
        "weak.example",
        "mx1.shop.example:25",
    ]
    assert lines[1].startswith("✗ critical")
    assert "spf.pass_all" in lines[1]
    assert "3 targets in" in ended.stderr
    assert "1 critical" in ended.stderr


def test_programs_read_a_document_a_line_also_from_stdin(lab: Path, tmp_path: Path) -> None:
    ended = deliverability(
        "check", "-f", "-", "--only", "spf", "--json", "-c", lab,
        cwd=tmp_path, stdin="weak.example\nshop.example\n",
    )  # fmt: skip
    documents = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(one["target"], one["status"]) for one in documents] == [
        ("weak.example", "critical"),
        ("shop.example", "ok"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shop.example\nno domain\nmx:port\n", ["list.txt:2:", "list.txt:3:"]),
        ("# nothing\n", ["list.txt: no targets"]),
        (None, ["list.txt: No such file"]),
    ],
)
def test_a_list_that_cannot_be_used_is_told_with_its_lines(
    tmp_path: Path, text: str | None, told: list[str]
) -> None:
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    ended = deliverability("check", "-f", "list.txt", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    for part in told:
        assert part in ended.stderr


def test_one_target_or_a_file_not_both(tmp_path: Path) -> None:
    for arguments in ([], ["shop.example", "-f", "x"]):
        ended = deliverability("check", *arguments, cwd=tmp_path)
        assert ended.returncode == 3
        assert "TARGET" in ended.stderr


def test_who_watches_sees_how_far_it_is(lab: Path, tmp_path: Path) -> None:
    """On a terminal only: a file gets the lines, and nothing that moves."""
    (tmp_path / "domains.txt").write_text(LIST)
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "check", "-f", "domains.txt", "--only", "mx", "--config", str(lab)],
        cwd=tmp_path,
        env=environment(TERM="xterm", COLUMNS="120"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=end,
    ) as process:
        os.close(end)
        watched = b""
        try:
            while part := os.read(terminal, 4096):
                watched += part
        except OSError:
            pass  # Linux says so that nobody has the other end any more
        lines = (process.stdout.read() if process.stdout else b"").decode()
    os.close(terminal)
    assert "Looking" in watched.decode()
    assert "3/3" in watched.decode()
    assert "Looking" not in lines
    assert len(lines.splitlines()) == 3
