"""What the README shows is real."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
COMMAND = PROJECT / ".venv" / "bin" / "deliverability"
README = (PROJECT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    return next(text for kind, text in blocks if kind == language and containing in text)


def validated(directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    (directory / "file.yaml").write_text(text)
    return subprocess.run(
        [COMMAND, "validate", "--config", "file.yaml"],
        cwd=directory,
        env={"SHOP_HOOK_SECRET": "s3cret", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_configuration_is_valid(tmp_path: Path) -> None:
    result = validated(tmp_path, block("yaml", "organisation:"))
    assert (result.returncode, result.stderr) == (0, "")


def test_the_typing_error_is_found_as_shown(tmp_path: Path) -> None:
    shown = block("", "did you mean").strip()
    broken = block("yaml", "organisation:").replace("dkim_selectors:", "dkim_selector:", 1)
    result = validated(tmp_path, broken)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [shown]


def test_every_command_shown_exists() -> None:
    shown = set(re.findall(r"(?:`|bin/)deliverability ([a-z]+)", README))
    for command in shown:
        help_text = subprocess.run(
            [COMMAND, command, "--help"], capture_output=True, text=True, check=False
        )
        assert help_text.returncode == 0, f"{command}: {help_text.stderr}"


def test_every_make_target_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"^(?:.*`)?make ([a-z]+)", README, flags=re.MULTILINE)) <= targets


def test_every_link_into_the_project_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_the_table_of_dependencies_is_complete() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    needed = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.match(r"[a-z0-9-]+", text)[0] for texts in needed for text in texts}
    table = README.split("## Dependencies")[1].split("\nLocked")[0]
    shown = set(
        re.findall(r"[a-z][a-z0-9-]+", " ".join(re.findall(r"^\| ([^|]+)\|", table, re.MULTILINE)))
    )
    assert names <= shown


@pytest.mark.parametrize("check", re.findall(r"^\| `([a-z]+)`", README, flags=re.MULTILINE))
def test_every_check_shown_is_one(check: str) -> None:
    assert (PROJECT / "checks" / check / "runbook.md").exists()
