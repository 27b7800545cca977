"""From a check's outcome to judged looks: full codes, severities, and drift against the accepted record."""

import shlex
from dataclasses import dataclass, replace
from typing import Protocol

from monitor.check import WatchesRecords
from monitor.model import Classification, Drift, Finding, Look, LookState, Outcome, Severity, Target
from monitor.runner.job import Job
from monitor.runner.merge import JudgedLook
from monitor.store.kept import CONFIGURATION, FIRST_SIGHT, Baseline, KeptFinding


@dataclass(frozen=True, slots=True)
class UndeclaredError(Exception):
    """A check returned a code or a gauge that is not in its `About`."""

    what: str

    def __str__(self) -> str:
        return f"the check returned {self.what}, which its About does not declare"


class Baselines(Protocol):
    """Where the accepted records are."""

    def baseline(self, check: str, target: str, subject: str) -> Baseline | None:
        """The accepted record of a subject, and the last one seen."""
        ...


class NoBaselines:
    """Nothing was accepted yet: a one-shot look knows no drift."""

    def baseline(self, check: str, target: str, subject: str) -> Baseline | None:  # noqa: ARG002
        """None, always."""
        return None


def judge(
    job: Job, target: Target, outcome: Outcome, baselines: Baselines
) -> tuple[JudgedLook, ...]:
    """The looks of an outcome, judged.

    Raises:
        UndeclaredError: a code or a gauge is not declared.
    """
    gauges = {gauge.name for gauge in job.about.gauges}
    for sample in (*outcome.samples, *(s for look in outcome.looks for s in look.samples)):
        if sample.gauge not in gauges:
            raise UndeclaredError(f"the gauge {sample.gauge!r}")
    return tuple(_judged(job, target, look, baselines) for look in outcome.looks)


def _judged(job: Job, target: Target, look: Look, baselines: Baselines) -> JudgedLook:
    drift = drift_of(job, target, look, baselines)
    findings = look.findings
    if drift is not None:
        accepted = _accepted(job, target, look, baselines) or ""
        if drift.classification is Classification.VANISHED:
            # Told once: whoever reads how to publish a first record would not look for the one that was.
            findings = tuple(one for one in findings if one.code not in job.about.absent)
        findings = (*findings, _drift_finding(job, target, drift, look, accepted))
    return JudgedLook(look, tuple(_kept(job, finding) for finding in findings), drift)


def drift_of(job: Job, target: Target, look: Look, baselines: Baselines) -> Drift | None:
    """How the record seen differs from the accepted one; None where it does not, or none is accepted yet.

    Where the authoritative servers disagree nobody can say what the record is: that is told, and no change.
    """
    if look.state is not LookState.KNOWN or look.record is None:
        return None
    if look.disputed:
        return Drift(Classification.INCONSISTENT, look.disputed)
    accepted = _accepted(job, target, look, baselines)
    if accepted is None or accepted == look.record:
        return None
    watcher: WatchesRecords = job.check  # type: ignore[assignment]
    return watcher.classify(accepted, look.record)


def baseline_after(
    job: Job, target: Target, judged: JudgedLook, baselines: Baselines, *, at: float
) -> Baseline | None:
    """The baseline once a known look counts; None where no record is watched.

    The first state seen is accepted, unless the configuration gives one; the baseline says so. What is
    disputed is no state that was seen.
    """
    look, drift = judged.look, judged.drift
    if look.record is None:
        return None
    before = baselines.baseline(job.name, target.name, look.subject)
    if look.disputed:
        return before and replace(
            before, classification=Classification.INCONSISTENT, reason=look.disputed
        )
    base = before or Baseline(
        check=job.name,
        target=target.name,
        subject=look.subject,
        accepted=look.record,
        accepted_at=at,
        accepted_by=FIRST_SIGHT,
        seen=look.record,
        changed_at=at,
    )
    given = job.config.given(target.name, look.subject)
    if given is not None and (base.accepted, base.accepted_by) != (given, CONFIGURATION):
        base = replace(
            base,
            accepted=given,
            accepted_at=at,
            accepted_by=CONFIGURATION,
            accepted_reason="",
        )
    return replace(
        base,
        seen=look.record,
        changed_at=base.changed_at if base.seen == look.record else at,
        classification=drift.classification if drift else "",
        reason=drift.reason if drift else "",
    )


def newly_drifted(judged: JudgedLook, before: Baseline | None) -> frozenset[tuple[str, str]]:
    """The drift of a record that last was seen otherwise, as something to confirm; empty where there is none.

    It is confirmed whatever its severity, since it is kept in the record's history.
    """
    drift = judged.drift
    if drift is None or drift.classification is Classification.INCONSISTENT:
        return frozenset()
    if before is not None and before.seen == judged.look.record:
        return frozenset()
    return frozenset({("record", drift.classification)})


def _accepted(job: Job, target: Target, look: Look, baselines: Baselines) -> str | None:
    given = job.config.given(target.name, look.subject)
    if given is not None:
        return given
    stored = baselines.baseline(job.name, target.name, look.subject)
    return stored.accepted if stored else None


def _drift_finding(job: Job, target: Target, drift: Drift, look: Look, accepted: str) -> Finding:
    try:
        code = job.about.drift_codes[drift.classification]
    except KeyError:
        raise UndeclaredError(f"the drift {drift.classification.value!r}") from None
    fix = _drift_fix(job, target, drift, look.subject, accepted)
    usual = next((one.severity for one in job.about.codes if one.name == code), None)
    # What takes nothing from the target's status wakes nobody when it changes.
    lesser = usual is Severity.CRITICAL and look.weight == 0
    return Finding(
        code,
        drift.reason,
        fix=fix,
        evidence=look.record or "",
        severity=Severity.WARNING if lesser else None,
    )


def _drift_fix(job: Job, target: Target, drift: Drift, subject: str, accepted: str) -> str:
    if drift.classification is Classification.INCONSISTENT:
        return "See to it that every name server of the zone has the same data (zone transfers, serial numbers)."
    otherwise = f"otherwise {drift.fix or _back_to(accepted)}"
    if job.config.given(target.name, subject) is not None:
        return f"If this change was intended, say so in `checks.{job.name}.baselines`; {otherwise}"
    words = [job.name, target.name, *([] if subject == "record" else [subject])]
    return f"If this change was intended, `deliverability drift accept {shlex.join(words)}`; {otherwise}"


def _back_to(accepted: str) -> str:
    if not accepted:
        return "take it away again: none was accepted"
    return f"publish again what was accepted: {accepted}"


def _kept(job: Job, finding: Finding) -> KeptFinding:
    try:
        severity = job.severity_of(finding)
    except KeyError:
        raise UndeclaredError(f"the code {finding.code!r}") from None
    return KeptFinding(finding, f"{job.name}.{finding.code}", severity, since=0.0)
