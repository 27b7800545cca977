"""Drift: against what was accepted, by whom; what the authoritative servers dispute is no change."""

from dataclasses import replace
from typing import ClassVar

import pytest

from monitor.check import About, Code, Settings, World
from monitor.config.sections import CheckConfig
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Finding,
    Look,
    Outcome,
    Severity,
)
from monitor.runner import Job
from monitor.runner.judge import (
    Baselines,
    NoBaselines,
    UndeclaredError,
    baseline_after,
    drift_of,
    judge,
    newly_drifted,
)
from monitor.store.kept import CONFIGURATION, FIRST_SIGHT, Baseline

TARGET = DomainTarget("example.com")
DISPUTE = "ns1 says p=none, ns2 says p=reject"
BEFORE = Baseline(
    "watcher", "example.com", "record",
    accepted="p=reject", accepted_at=10.0, seen="p=reject", changed_at=10.0,
    accepted_by="Alice", accepted_reason="as planned",
)  # fmt: skip


class Watcher:
    about: ClassVar[About] = About(
        name="watcher",
        title="Watches",
        targets=DomainTarget,
        interval=60,
        codes=(
            Code("weakened", Severity.CRITICAL, "Weakened"),
            Code("changed", Severity.INFO, "Changed"),
            Code("inconsistent", Severity.WARNING, "Inconsistent"),
            Code("vanished", Severity.CRITICAL, "Vanished"),
            Code("missing", Severity.WARNING, "Missing"),
            Code("odd", Severity.INFO, "Odd"),
        ),
        absent=("missing",),
        drift_codes={
            Classification.WEAKENED: "weakened",
            Classification.CHANGED: "changed",
            Classification.INCONSISTENT: "inconsistent",
            Classification.VANISHED: "vanished",
        },
    )

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        raise NotImplementedError

    def classify(self, accepted: str, seen: str) -> Drift | None:
        if accepted.split() == seen.split():
            return None
        if not seen:
            return Drift(Classification.VANISHED, "gone")
        how = Classification.WEAKENED if seen == "p=none" else Classification.CHANGED
        return Drift(how, f"{accepted} → {seen}")


class Silent(Watcher):
    """Declares no code for a dispute."""

    about: ClassVar[About] = replace(
        Watcher.about, drift_codes={Classification.WEAKENED: "weakened"}
    )


def job(check: type[Watcher] = Watcher, **baselines: str) -> Job:
    given = {name.replace("_", "."): record for name, record in baselines.items()}
    return Job(
        check(),
        CheckConfig("watcher", check, True, 60, 5, 2, 1, {}, (), Settings(), given),
    )


class Accepted:
    def __init__(self, baseline: Baseline | None) -> None:
        self._baseline = baseline

    def baseline(self, check: str, target: str, subject: str) -> Baseline | None:
        key = (check, target, subject)
        return self._baseline if key == ("watcher", "example.com", "record") else None


def seen(record: str | None, disputed: str = "") -> Look:
    return Look.known("record", record=record, disputed=disputed)


@pytest.mark.parametrize(
    ("look", "classification"),
    [
        (seen("p=reject"), None),
        (seen(" p=reject "), None),
        (seen("p=none"), Classification.WEAKENED),
        (seen("p=quarantine"), Classification.CHANGED),
        (seen("p=none", DISPUTE), Classification.INCONSISTENT),
        (seen("p=reject", DISPUTE), Classification.INCONSISTENT),
        (seen(None), None),
        (seen(None, DISPUTE), None),
        (Look.unknown("record", "timeout"), None),
        (Look.not_due("record"), None),
    ],
)
def test_how_a_look_differs_from_what_was_accepted(
    look: Look, classification: Classification | None
) -> None:
    drift = drift_of(job(), TARGET, look, Accepted(BEFORE))
    assert (drift.classification if drift else None) == classification


def test_a_dispute_is_told_although_nothing_was_accepted_yet() -> None:
    look = seen("p=none", DISPUTE)
    assert drift_of(job(), TARGET, look, NoBaselines()) == Drift(
        Classification.INCONSISTENT, DISPUTE
    )
    (judged,) = judge(job(), TARGET, Outcome((look,)), NoBaselines())
    (finding,) = judged.findings
    assert (finding.code, finding.severity) == ("watcher.inconsistent", Severity.WARNING)
    assert "same data" in finding.finding.fix
    assert "drift accept" not in finding.finding.fix


def test_a_dispute_that_a_check_declares_no_code_for_is_the_checks_fault() -> None:
    with pytest.raises(UndeclaredError, match="inconsistent"):
        judge(job(Silent), TARGET, Outcome((seen("p=none", DISPUTE),)), Accepted(BEFORE))


def after_look(job: Job, look: Look, baselines: Baselines, *, at: float) -> Baseline | None:
    (judged,) = judge(job, TARGET, Outcome((look,)), baselines)
    return baseline_after(job, TARGET, judged, baselines, at=at)


def test_a_dispute_changes_neither_what_was_seen_nor_what_is_accepted() -> None:
    """And is no first sight."""
    look = seen("p=none", DISPUTE)
    assert after_look(job(), look, Accepted(BEFORE), at=20.0) == replace(
        BEFORE, classification="inconsistent", reason=DISPUTE
    )
    assert after_look(job(), look, NoBaselines(), at=20.0) is None


def test_once_the_servers_agree_again_what_they_say_is_held_against_what_was_accepted() -> None:
    disputed = replace(BEFORE, classification="inconsistent", reason=DISPUTE)
    assert after_look(job(), seen("p=reject"), Accepted(disputed), at=20.0) == BEFORE
    after = after_look(job(), seen("p=none"), Accepted(disputed), at=20.0)
    assert after == replace(
        BEFORE,
        seen="p=none",
        changed_at=20.0,
        classification="weakened",
        reason="p=reject → p=none",
    )


def test_the_first_sight_is_accepted_and_said_to_be_that() -> None:
    first = after_look(job(), seen("p=none"), NoBaselines(), at=20.0)
    assert first == Baseline(
        "watcher", "example.com", "record", "p=none", 20.0, "p=none", 20.0, "", "", FIRST_SIGHT
    )
    assert after_look(job(), seen("p=none"), Accepted(first), at=30.0) == first


def test_what_the_configuration_gives_is_accepted_by_the_configuration() -> None:
    """At the look that first knows of it, in whoever's place; once it no longer says so, it stays."""
    given = job(example_com="p=quarantine")
    first = after_look(given, seen("p=none"), NoBaselines(), at=20.0)
    assert first is not None
    assert (first.accepted, first.accepted_by, first.accepted_at) == (
        "p=quarantine",
        CONFIGURATION,
        20.0,
    )
    assert (first.seen, first.classification) == ("p=none", "weakened")
    later = after_look(given, seen("p=none"), Accepted(first), at=30.0)
    assert later == first
    instead = after_look(given, seen("p=reject"), Accepted(BEFORE), at=30.0)
    assert instead is not None
    assert (instead.accepted_by, instead.accepted_reason, instead.accepted_at) == (
        CONFIGURATION,
        "",
        30.0,
    )
    dropped = after_look(job(), seen("p=none"), Accepted(first), at=40.0)
    assert dropped == first


@pytest.mark.parametrize(
    ("given", "subject", "fix"),
    [
        ({}, "record", "`deliverability drift accept watcher example.com`"),
        ({}, "s 1", "`deliverability drift accept watcher example.com 's 1'`"),
        ({"example_com": "p=reject"}, "record", "`checks.watcher.baselines`"),
    ],
)
def test_the_fix_is_what_really_accepts(given: dict[str, str], subject: str, fix: str) -> None:
    class Any(Accepted):
        def baseline(self, check: str, target: str, subject: str) -> Baseline | None:
            return BEFORE

    look = Look.known(subject, record="p=none")
    (judged,) = judge(job(**given), TARGET, Outcome((look,)), Any(BEFORE))
    assert fix in judged.findings[0].finding.fix


@pytest.mark.parametrize(
    ("accepted", "otherwise"),
    [
        (BEFORE, "otherwise publish again what was accepted: p=reject"),
        (replace(BEFORE, accepted=""), "otherwise take it away again: none was accepted"),
    ],
)
def test_the_fix_of_a_change_nobody_meant_is_the_record_itself(
    accepted: Baseline, otherwise: str
) -> None:
    (judged,) = judge(job(), TARGET, Outcome((seen("p=none"),)), Accepted(accepted))
    assert judged.findings[0].finding.fix.endswith(otherwise)


WEAKER = replace(BEFORE, seen="p=none", changed_at=20.0, classification="weakened", reason="r")


@pytest.mark.parametrize(
    ("look", "before", "news"),
    [
        (seen("p=quarantine"), BEFORE, {("record", "changed")}),
        (seen("p=none"), BEFORE, {("record", "weakened")}),
        (seen("p=quarantine"), WEAKER, {("record", "changed")}),
        (seen("p=none"), WEAKER, set()),
        (seen("p=reject"), WEAKER, set()),
        (seen("p=none", DISPUTE), BEFORE, set()),
        (seen("p=none"), None, set()),
    ],
)
def test_a_change_of_any_severity_waits_to_be_confirmed_and_a_return_does_not(
    look: Look, before: Baseline | None, news: set[tuple[str, str]]
) -> None:
    (judged,) = judge(job(), TARGET, Outcome((look,)), Accepted(before))
    assert newly_drifted(judged, before) == news


@pytest.mark.parametrize(("weight", "severity"), [(1.0, "critical"), (0.0, "warning")])
def test_what_does_not_count_for_the_status_wakes_nobody_when_it_changes(
    weight: float, severity: str
) -> None:
    look = Look.known("record", record="p=none", weight=weight)
    (judged,) = judge(job(), TARGET, Outcome((look,)), Accepted(BEFORE))
    assert [finding.severity for finding in judged.findings] == [severity]


@pytest.mark.parametrize(
    ("baselines", "codes"),
    [
        (Accepted(BEFORE), ["watcher.odd", "watcher.vanished"]),
        (NoBaselines(), ["watcher.missing", "watcher.odd"]),
    ],
)
def test_that_a_record_is_gone_is_told_once(baselines: Baselines, codes: list[str]) -> None:
    """By drift, which knows what it was; one that never was is merely missing."""
    found = (Finding("missing", "no record", fix="publish one"), Finding("odd", "odd", fix="-"))
    look = Look.known("record", found, record="")
    (judged,) = judge(job(), TARGET, Outcome((look,)), baselines)
    assert [finding.code for finding in judged.findings] == codes
