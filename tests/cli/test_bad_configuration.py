"""A bad configuration, command by command."""

from pathlib import Path

import pytest

from tests.cli.commands import deliverability

BAD = """\
domains:
  - {nam: shop.example}
checks:
  dmark: {}
"""

LINES = [
    "bad.yaml:2: domains[0].nam: unknown key (did you mean 'name'?)",
    "bad.yaml:2: domains[0].name: is required",
    "bad.yaml:4: checks.dmark: unknown check (did you mean 'dmarc'?)",
]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("validate",), 2),
        (("run",), 2),
        (("plan",), 2),
        (("drift", "list"), 2),
        (("check", "shop.example"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_each_error_is_a_line_with_its_place(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    """Nothing is started, and nothing else is said."""
    (tmp_path / "bad.yaml").write_text(BAD)
    ended = deliverability(*command, "--config", "bad.yaml", cwd=tmp_path)
    errors = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert (ended.returncode, errors, ended.stdout) == (code, LINES, "")


def test_the_variable_and_the_file_here_are_found_too(tmp_path: Path) -> None:
    """--config wins over $DELIVERABILITY_CONFIG, which wins over ./deliverability.yaml."""
    for number, name in enumerate(("deliverability.yaml", "variable.yaml", "option.yaml"), start=1):
        domains = ", ".join(f"{{name: d{n}.example}}" for n in range(number))
        (tmp_path / name).write_text(f"domains: [{domains}]\n")
    variable = {"DELIVERABILITY_CONFIG": "variable.yaml"}
    said = [
        deliverability("validate", cwd=tmp_path).stdout,
        deliverability("validate", cwd=tmp_path, env=variable).stdout,
        deliverability("validate", "-c", "option.yaml", cwd=tmp_path, env=variable).stdout,
    ]
    assert [text.split(",")[0] for text in said] == [
        "valid: 1 domain",
        "valid: 2 domains",
        "valid: 3 domains",
    ]


def test_the_schema_knows_the_installed_checks(tmp_path: Path) -> None:
    """An editor completes their settings."""
    import json

    schema = json.loads(deliverability("schema", cwd=tmp_path).stdout)
    assert "domains" in schema["required"]
    assert "dmarc" in json.dumps(schema["$defs"]["ChecksConfig"])
