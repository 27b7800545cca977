"""The public suffix list's own tests, against the list that stands beside them."""

import json
from pathlib import Path
from typing import Any

import pytest
from publicsuffixlist import PublicSuffixList

from monitor.protocol import psl

RECORDS = Path(__file__).parents[3] / "shared" / "conformance" / "records"
SET = RECORDS / "public-suffix.json"

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)


def cases() -> list[Any]:
    if not SET.exists():
        return [pytest.param("", None, id="absent")]
    return [
        pytest.param(case["domain"], case["org"], id=f"{number}-{case['domain']}")
        for number, case in enumerate(json.loads(SET.read_text()))
    ]


@pytest.fixture(scope="module")
def the_list_of_the_set() -> PublicSuffixList:
    with (RECORDS / "public_suffix_list.dat").open("rb") as source:
        return PublicSuffixList(source)


@pytest.fixture
def reads_that_list(the_list_of_the_set: PublicSuffixList, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psl, "_installed", lambda: the_list_of_the_set)


@pytest.mark.parametrize(("name", "expected"), cases())
@pytest.mark.usefixtures("reads_that_list")
def test_a_name_of_the_set(name: str | None, expected: str | None) -> None:
    assert psl.registrable_domain(name or "") == expected
