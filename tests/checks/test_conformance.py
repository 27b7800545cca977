"""Other people's records, served by a resolver: whatever they are, the check ends in an outcome."""

import json
from pathlib import Path
from typing import Any

import pytest

from checks.dmarc.check import DmarcCheck
from checks.ns import serials
from checks.spf.check import SpfCheck
from monitor.check import Settings
from monitor.model import DomainTarget, Look, LookState, Outcome, Role
from monitor.world.fake import FakeWorld

RECORDS = (
    Path(__file__).parents[2].parent / "shared" / "conformance" / "records" / "checkdmarc.json"
)


def vectors(function: str) -> list[Any]:
    if not RECORDS.exists():
        reason = f"{RECORDS.name} of the conformance data is not here"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    cases = json.loads(RECORDS.read_text())
    return [
        pytest.param(case, id=f"{number}-{case['test']}")
        for number, case in enumerate(c for c in cases if c["fn"] == function)
    ]


def target_of(case: dict[str, Any]) -> DomainTarget:
    role = Role.PARKED if case["kwargs"].get("parked") else Role.PRIMARY
    domain = case["args"][1] if len(case["args"]) > 1 and case["args"][1] else "example.com"
    return DomainTarget(domain, role)


def look_at(outcome: Outcome, subject: str) -> Look:
    (look,) = (look for look in outcome.looks if look.subject == subject)
    assert look.state is LookState.KNOWN
    return look


@pytest.mark.parametrize("case", vectors("dmarc.parse_dmarc_record"))
async def test_checkdmarc_dmarc(case: dict[str, Any]) -> None:
    """A record that RFC 9989 does not allow is a finding; a valid one is none of those."""
    target = target_of(case)
    fake = FakeWorld(txt={f"_dmarc.{target.name}": case["args"][0]})
    look = look_at(await DmarcCheck(Settings()).run(target, fake.world()), "record")
    wrong = {"record_missing", "record_unusable", "record_invalid"} & {
        f.code for f in look.findings
    }
    assert bool(wrong) is not case["valid"]


@pytest.mark.parametrize("case", vectors("spf.parse_spf_record"))
async def test_checkdmarc_spf(case: dict[str, Any]) -> None:
    """A record that breaks the grammar is a finding. What depends on unrecorded DNS is not scored."""
    target = target_of(case)
    # The peer takes quoted strings as a zone file has them; a resolver has joined them.
    text = case["args"][0].replace('" "', "").strip('"')
    fake = FakeWorld(txt={target.name: text})
    outcome = await SpfCheck(Settings()).run(target, fake.world())
    look = look_at(outcome, "record")
    if case["raises"] == "SPFSyntaxError":
        assert "record_invalid" in {finding.code for finding in look.findings}


@pytest.mark.parametrize("case", vectors("soa.parse_soa_string"))
def test_checkdmarc_soa(case: dict[str, Any]) -> None:
    version = serials.version_of(case["args"][0])
    assert (version is not None) is case["valid"]
    if version is not None:
        expected = case["result"]
        assert (version.serial, version.refresh) == (expected["serial"], expected["refresh"])
        assert version.source.startswith(expected["primary_nameserver"])
