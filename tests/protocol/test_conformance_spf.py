"""The openspf suite for RFC 7208 in full: every scenario's zone, every case's result and explanation."""

import json
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from monitor.protocol import spf

SET = Path(__file__).parents[3] / "shared" / "conformance" / "spf" / "cases.json"

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)

Zone = Mapping[str, Sequence[Mapping[str, Any]]]


def cases() -> list[Any]:
    if not SET.exists():
        return [pytest.param({}, {}, id="absent")]
    return [
        pytest.param(scenario["zone"], case, id=case["id"])
        for scenario in json.loads(SET.read_text())
        for case in scenario["cases"]
    ]


class SuiteZone:
    """Answers from a scenario's zone; follows CNAME records as a resolver does."""

    def __init__(self, zone: Zone) -> None:
        self._zone = {name.lower(): entries for name, entries in zone.items()}

    async def __call__(self, name: str, rtype: str) -> spf.Answer:
        seen = set()
        while (owner := name.lower().removesuffix(".")) not in seen:
            seen.add(owner)
            entries = self._zone.get(owner, ())
            records = tuple(data(entry) for entry in entries if entry["type"] == rtype)
            if records:
                return spf.Answer(records)
            if any("error" in entry for entry in entries):
                return spf.Answer(failure=f"{owner} {rtype}: time-out")
            aliases = [entry["data"] for entry in entries if entry["type"] == "CNAME"]
            if not aliases:
                return spf.Answer()
            name = aliases[0]
        return spf.Answer(failure=f"{name}: CNAME loop")


def data(entry: Mapping[str, Any]) -> str:
    if entry["type"] == "TXT":
        return "".join(entry["strings"])
    if entry["type"] == "MX":
        return f"{entry['preference']} {entry['exchange']}"
    return entry["data"]


@pytest.mark.parametrize(("zone", "case"), cases())
async def test_a_case_of_the_suite(zone: Zone, case: Mapping[str, Any]) -> None:
    verdict = await spf.check_mail(
        ip_address(case["ip"]), case["mailfrom"], case["helo"], lookup=SuiteZone(zone)
    )
    assert verdict.result in case["accept"], verdict
    if case["explanation"] is not None:
        own = "" if case["explanation"] == "DEFAULT" else case["explanation"]
        assert verdict.explanation == own
