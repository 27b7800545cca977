"""The pages under docs/reference/ say what the code says."""

from pathlib import Path

import pytest

from monitor.config.installed import installed_checks
from monitor.publish.reference import render_reference

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
NAMES = ("alerts.md", "configuration.md", "findings.md", "metrics.md")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return render_reference(installed_checks())


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_what_the_code_says(pages: dict[str, str], name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == pages[name], "run `make render`"


def test_there_is_no_page_besides(pages: dict[str, str]) -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(NAMES) == set(pages)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(name: str) -> None:
    """A bar in an expression or a description would break its row."""
    cells = 0
    for line in (REFERENCE / name).read_text("utf-8").splitlines():
        found = line.replace(r"\|", "").count("|")
        assert found in {0, cells} or not cells, line
        cells = found
