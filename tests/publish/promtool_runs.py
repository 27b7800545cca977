"""Runs promtool on rule groups, for tests."""

import re
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
    groups: list[dict[str, Any]], tests: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a unit test file, as text, against groups.

    As text, since `values: 0x5` is five samples to promtool and the number 5 to PyYAML.
    """
    (folder / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    if not re.search(r"^rule_files:", tests, re.MULTILINE):
        tests = "rule_files: [alerts.yaml]\n" + tests
    (folder / "alerts_test.yaml").write_text(tests)
    return promtool("test", "rules", "alerts_test.yaml", folder=folder)
