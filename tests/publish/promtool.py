"""Runs promtool on rule groups, for tests."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs `promtool ARGUMENTS` in a folder."""
    assert PROMTOOL is not None
    return subprocess.run(
        [PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def run_unit_tests(
    groups: list[dict[str, Any]], tests: dict[str, Any], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a unit test file against groups, whatever `rule_files` it names itself."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    (folder / "tests.yaml").write_text(yaml.safe_dump({**tests, "rule_files": ["rules.yaml"]}))
    return promtool("test", "rules", "tests.yaml", folder=folder)
