"""The records of the openspf suite for RFC 7208: what it calls a syntax error, and what it does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.protocol import spf

SET = Path(__file__).parents[3] / "shared" / "conformance" / "spf" / "cases.json"

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)

# `permerror` by what the DNS answers (RFC 7208 §4.6.4, §5.2, §6.1), not by the record's own text.
BY_ANSWERS = {
    "include-permerror", "include-none", "include-loop", "include-over-limit", "redirect-none",
    "redirect-loop", "mx-limit", "mech-over-limit", "void-over-limit",
}  # fmt: skip


def cases() -> list[Any]:
    """The cases whose sender domain has exactly one SPF record."""
    if not SET.exists():
        return [pytest.param("", False, id="absent")]
    return [
        pytest.param(records[0], case["accept"] == ["permerror"], id=case["id"])
        for scenario in json.loads(SET.read_text())
        for case in scenario["cases"]
        if len(records := sender_records(scenario["zone"], case)) == 1
        and case["id"] not in BY_ANSWERS
    ]


def sender_records(zone: dict[str, Any], case: dict[str, Any]) -> list[str]:
    domain = (case["mailfrom"].rpartition("@")[2] or case["helo"]).lower()
    found = next((entries for name, entries in zone.items() if name.lower() == domain), [])
    texts = ["".join(entry.get("strings", [])) for entry in found if entry["type"] == "TXT"]
    return [text for text in texts if spf.is_spf(text)]


@pytest.mark.parametrize(("text", "is_wrong"), cases())
def test_the_suite_agrees_on_what_is_syntax(text: str, is_wrong: bool) -> None:
    if is_wrong:
        with pytest.raises(spf.SpfError):
            spf.parse(text)
    else:
        spf.parse(text)
