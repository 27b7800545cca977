"""Every case folder of every check: a world as data, and what the check must learn of it.

`tests/cases/<check>/NN-what/zone.yaml` holds the arguments of `FakeWorld`, with SMTP conversations and
audits by `address:port` (replies: {from, to, code, text}), HTTPS replies by URL, signatures by `name TYPE`,
results by domain, and counts as a list of {sender, domain, stream, provider, windows}. `expected.yaml` holds:

    target: {…}                     the target's fields, or the word `monitor`
    settings: {…}                   the check's own settings; none where left out
    failure: text                   in the reason, where the run as a whole could not look
    looks:                          every subject, and no other
      subject: unknown: text        in the reason
      subject: not_due
      subject:                      known
        findings: [code severity]   all of them, in any order; none where left out
        says: {code: text}          in the finding's summary, evidence or fix
        weight: number              for the roll-up; not compared where left out
        record: text                the watched record; not compared where left out
        samples: {gauge label=value: 1}          all of them; not compared where left out
        drift: {accepted record: classification} the same where the two mean the same
        disputed: text              in what the authoritative servers say differently; nothing where left out
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Union

import pytest
import yaml
from pydantic import TypeAdapter

from monitor.check import (
    About,
    HttpsReply,
    PastResult,
    Signature,
    SmtpAudit,
    SmtpConversation,
    Threshold,
)
from monitor.model import (
    Classification,
    Counts,
    Finding,
    Look,
    LookState,
    MonitorTarget,
    Outcome,
    Sample,
)
from monitor.world.fake import FakeWorld

CASES = Path(__file__).parents[1] / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/*/expected.yaml"))
CHECKS = sorted({folder.parent.name for folder in FOLDERS})
_CONVERSATION = TypeAdapter(SmtpConversation)
_REPLY = TypeAdapter(HttpsReply)
_RESULTS = TypeAdapter(dict[str, list[PastResult]])
_AUDIT = TypeAdapter(SmtpAudit)
_SIGNATURES = TypeAdapter(dict[str, list[Signature]])
_WINDOWS = TypeAdapter(dict[int, Counts])
_THRESHOLDS = TypeAdapter(dict[str, Threshold])


@dataclass(frozen=True)
class Case:
    folder: Path
    zone: dict[str, Any]
    expected: dict[str, Any]

    @property
    def looks(self) -> dict[str, Any]:
        return {subject: look or {} for subject, look in self.expected.get("looks", {}).items()}


def read_case(folder: Path) -> Case:
    zone, expected = (
        yaml.safe_load((folder / f"{n}.yaml").read_text()) for n in ("zone", "expected")
    )
    return Case(folder, zone or {}, expected)


def check_class(name: str) -> Any:
    (entry,) = entry_points(group="deliverability.checks", name=name)
    return entry.load()


def fake_world(zone: dict[str, Any]) -> FakeWorld:
    conversations = {}
    for place, fields in zone.pop("smtp", {}).items():
        address, _, port = place.rpartition(":")
        conversation = {"address": address, "phases": {}} | fields
        conversations[address, int(port)] = _CONVERSATION.validate_python(conversation)
    audits = {}
    for place, fields in zone.pop("smtp_audit", {}).items():
        address, _, port = place.rpartition(":")
        rows = [
            {"envelope": {"sender": row.pop("from"), "recipient": row.pop("to")}, "text": ""} | row
            for row in fields.pop("replies", [])
        ]
        audit = {"address": address, "replies": rows} | fields
        audits[address, int(port)] = _AUDIT.validate_python(audit)
    counts: dict[tuple[str, str], dict[tuple[str, str], dict[int, Counts]]] = {}
    for row in zone.pop("counts", []):
        whose = counts.setdefault((row["sender"], row["domain"]), {})
        windows = _WINDOWS.validate_python(row["windows"])
        whose[row.get("stream", "other"), row.get("provider", "gmail")] = windows
    thresholds = _THRESHOLDS.validate_python(zone.pop("thresholds", {}))
    replies = {
        url: _REPLY.validate_python({"url": url} | fields)
        for url, fields in zone.pop("https", {}).items()
    }
    results = _RESULTS.validate_python(zone.pop("results", {}))
    signatures = _SIGNATURES.validate_python(zone.pop("signatures", {}))
    return FakeWorld(
        smtp=conversations,
        smtp_audit=audits,
        https=replies,
        counts=counts,
        thresholds=thresholds,
        results=results,
        signatures=signatures,
        **zone,
    )


async def outcome_of(case: Case) -> tuple[Any, Outcome]:
    made = check_class(case.folder.parent.name)
    check = made(made.about.settings.model_validate(case.expected.get("settings", {})))
    return check, await check.run(target_of(made.about, case), fake_world(dict(case.zone)).world())


def target_of(about: About, case: Case) -> Any:
    if case.expected["target"] == "monitor":
        return MonitorTarget()
    kinds: Any = tuple(kind for kind in about.target_types if kind is not MonitorTarget)
    target = TypeAdapter(Union[kinds])  # noqa: UP007 - the types are a value
    return target.validate_python(case.expected["target"])


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}"
)
async def test_a_case(folder: Path) -> None:
    """The check learns of this world exactly what is expected."""
    case = read_case(folder)
    check, outcome = await outcome_of(case)
    if "failure" in case.expected:
        assert case.expected["failure"] in (outcome.failure or "no failure")
    else:
        assert outcome.failure is None
    looks = {look.subject: look for look in outcome.looks}
    assert len(looks) == len(outcome.looks), "a subject was looked at twice"
    assert sorted(looks) == sorted(case.looks)
    for subject, expected in case.looks.items():
        compare(check, looks[subject], expected)


def compare(check: Any, look: Look, expected: dict[str, Any] | str) -> None:
    if expected == "not_due":
        assert look.state is LookState.NOT_DUE
        return
    assert isinstance(expected, dict)
    if "weight" in expected:
        assert look.weight == expected["weight"]
    if "unknown" in expected:
        assert (look.state, look.findings) == (LookState.UNKNOWN, ()), look
        assert expected["unknown"] in look.reason
        return
    assert look.state is LookState.KNOWN, look.reason
    assert sorted(severities(check.about, look)) == sorted(expected.get("findings", []))
    for finding in look.findings:
        assert finding.summary
        assert finding.fix, f"{finding.code} says nothing of what to do"
    for code, text in expected.get("says", {}).items():
        assert text in "\n".join(map(words, (f for f in look.findings if f.code == code)))
    if "record" in expected:
        assert look.record == expected["record"]
    if "samples" in expected:
        assert dict(map(flat, look.samples)) == pytest.approx(expected["samples"], abs=1e-6)
    assert expected.get("disputed", "") in look.disputed
    assert bool(look.disputed) is ("disputed" in expected), look.disputed
    for accepted, classification in expected.get("drift", {}).items():
        drift = check.classify(accepted, look.record)
        assert (drift.classification if drift else "same") == classification, drift


def severities(about: About, look: Look) -> Iterator[str]:
    usual = {code.name: code.severity for code in about.codes}
    return (f"{f.code} {f.severity or usual[f.code]}" for f in look.findings)


def words(finding: Finding) -> str:
    return f"{finding.summary}\n{finding.evidence}\n{finding.fix}"


def flat(sample: Sample) -> tuple[str, float]:
    labels = (f"{name}={value}" for name, value in sorted(sample.labels.items()))
    return " ".join((sample.gauge, *labels)), sample.value


@pytest.mark.parametrize("name", CHECKS)
def test_every_code_has_a_case(name: str) -> None:
    """No code of a check is without a world that brings it about."""
    about = check_class(name).about
    seen: set[str] = set()
    for case in (read_case(folder) for folder in FOLDERS if folder.parent.name == name):
        for look in case.looks.values():
            if isinstance(look, dict):
                seen.update(entry.split()[0] for entry in look.get("findings", []))
                drifts = (d for d in look.get("drift", {}).values() if d != "same")
                seen.update(about.drift_codes[drift] for drift in drifts)
                if "disputed" in look:
                    seen.add(about.drift_codes[Classification.INCONSISTENT])
    assert {code.name for code in about.codes} - seen == set()


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_can_be_blind(name: str) -> None:
    """Each check has a world that it cannot see, and says so instead of `ok`."""
    cases = [read_case(folder) for folder in FOLDERS if folder.parent.name == name]
    assert any(
        "failure" in case.expected
        or any(isinstance(look, dict) and "unknown" in look for look in case.looks.values())
        for case in cases
    )
