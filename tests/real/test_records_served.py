"""Records that checkdmarc's tests judge, served by the lab's DNS and judged by our checks over the wire."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from monitor.lab import Lab
from tests.e2e.servers import free_port
from tests.real.looking import Looking, findings, looking

SET = Path(__file__).parents[3] / "shared/conformance/records/checkdmarc.json"
CASES: list[dict[str, Any]] = json.loads(SET.read_text()) if SET.exists() else []
DMARC = [case for case in CASES if case["fn"] == "dmarc.parse_dmarc_record"]
SPF = [case for case in CASES if case["fn"] == "spf.parse_spf_record"]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CASES, reason=f"../shared/conformance is absent: no {SET.name}"),
]

CANARY = "canary.example"
LONG = "long.example"
LONG_RECORD = f"v=spf1 {' '.join(f'ip4:198.51.100.{n}' for n in range(30))} -all"

REFUSED = {"dmarc.record_unusable", "dmarc.record_invalid", "dmarc.record_missing"}
"""What we say of a record that receivers do not take as it is."""

# Refused by checkdmarc for answers of the DNS of that day: void lookups, which the full evaluation counts.
VOID_LOOKUPS = {"testTooManySPFVoidDNSLookups", "testMxHostMissingARecords"}
# checkdmarc only warns of a word after `exp=`; RFC 7208 §4.6: permerror for any syntax error anywhere.
STRAY_WORD = {"testTextAfterExpValueWarns"}


def zone(kind: str, number: int) -> str:
    return f"{kind}-{number}.example"


def text_of(case: dict[str, Any]) -> str:
    """A record as it is served; some are written as in a zone file, in strings that are joined."""
    text: str = case["args"][0]
    return "".join(text.split('"')[1::2]) if text.startswith('"') else text


def scenario() -> dict[str, Any]:
    """A zone for each case. Where a record leads back to its own domain, that is the case's zone."""
    zones: dict[str, Any] = {LONG: {"@": {"TXT": LONG_RECORD}}}
    for number, case in enumerate(DMARC):
        zones[zone("dmarc", number)] = {"_dmarc": {"TXT": text_of(case)}}
    for number, case in enumerate(SPF):
        own = zone("spf", number)
        text = text_of(case)
        if case["raises"] in {"SPFIncludeLoop", "SPFRedirectLoop"}:
            text = text.replace(case["args"][1], own)
        zones[own] = {"@": {"TXT": text}}
    parked = {
        zone(kind, number)
        for kind, cases in (("dmarc", DMARC), ("spf", SPF))
        for number, case in enumerate(cases)
        if case["kwargs"].get("parked")
    }
    domains = [{"name": name, "role": "parked" if name in parked else "primary"} for name in zones]
    # A resolver that finds nobody is not believed.
    zones[CANARY] = {"@": {"A": "192.0.2.1"}}
    configuration = {"domains": domains, "resolver": {"canaries": [CANARY]}}
    return {"name": "records", "zones": zones, "configuration": configuration}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def eyes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Looking]:
    directory = tmp_path_factory.mktemp("records")
    file = directory / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario()))
    async with (
        Lab(file, directory=directory / "lab", listen=f"127.0.0.1:{free_port()}") as lab,
        looking(lab.config_path) as eyes,
    ):
        yield eyes


@pytest.mark.parametrize(
    ("number", "case"), [pytest.param(n, c, id=f"{n}-{c['test']}") for n, c in enumerate(DMARC)]
)
async def test_conformance_dmarc(eyes: Looking, number: int, case: dict[str, Any]) -> None:
    result = await eyes.at("dmarc", zone("dmarc", number))
    assert result.kept.failure == ""
    assert result.kept.subjects["record"].known
    codes = {finding.code for finding in findings(result)}
    assert bool(codes & REFUSED) is not case["valid"], codes


@pytest.mark.parametrize(
    ("number", "case"), [pytest.param(n, c, id=f"{n}-{c['test']}") for n, c in enumerate(SPF)]
)
async def test_conformance_spf(eyes: Looking, number: int, case: dict[str, Any]) -> None:
    result = await eyes.at("spf", zone("spf", number))
    assert result.kept.failure == ""
    assert result.kept.subjects["record"].known
    broken = {finding.code for finding in findings(result, "record")} & {"spf.record_invalid"}
    if case["raises"] in {"SPFIncludeLoop", "SPFRedirectLoop"}:
        assert not broken
        (loop,) = (f for f in findings(result, "lookups") if f.code == "spf.include_broken")
        assert zone("spf", number) in loop.finding.summary
        return
    valid = case["valid"] or case["test"] in VOID_LOOKUPS
    assert bool(broken) is not (valid and case["test"] not in STRAY_WORD)


async def test_a_record_of_several_strings_is_joined(eyes: Looking) -> None:
    assert len(LONG_RECORD) > 2 * 255
    result = await eyes.at("spf", LONG)
    assert result.kept.subjects["record"].record == LONG_RECORD
    assert [finding.code for finding in findings(result)] == ["spf.record_long"]
