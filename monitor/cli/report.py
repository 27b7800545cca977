"""The results of one look at everything, and the status that they add up to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.model import Severity, Status
from monitor.runner.execute import OnceResult
from monitor.store.kept import Kept, KeptFinding

GRAVITY = (Status.CRITICAL, Status.UNKNOWN, Status.WARNING, Status.OK)
"""Critical wins over unknown, unknown over warning."""

EXIT_CODES = {Status.OK: 0, Status.WARNING: 1, Status.CRITICAL: 2, Status.UNKNOWN: 3}
"""As monitoring plugins have them."""

_SEVERITIES = list(Severity)


@dataclass(frozen=True, slots=True)
class Result:
    """One check on one target.

    Attributes:
        findings: the gravest first.
        blind: why something could not be told, each reason once, with the subjects that it is about.
        known, subjects: how many subjects could be told, of how many.
        records: the records seen that are watched.
        seconds: how long it took.
    """

    check: str
    target: str
    status: Status
    findings: tuple[KeptFinding, ...] = ()
    blind: tuple[str, ...] = ()
    known: int = 0
    subjects: int = 0
    records: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one look.

    `own_trouble` is what lies with ourselves; "" where nothing does. `cut_off`: it is our network or our
    resolver, so that whatever could not be told at all is for that reason.
    """

    target: str
    results: tuple[Result, ...]
    seconds: float
    own_trouble: str = ""
    notes: tuple[str, ...] = ()
    cut_off: bool = False

    @property
    def status(self) -> Status:
        """The gravest; unknown where nothing was looked at."""
        found = {result.status for result in self.results}
        return next((status for status in GRAVITY if status in found), Status.UNKNOWN)

    def by_gravity(self) -> list[Result]:
        """The results, the gravest first, else by check and target."""
        return sorted(self.results, key=lambda r: (GRAVITY.index(r.status), r.check, r.target))

    def kept_from(self, result: Result) -> bool:
        """Whether nothing of a result could be told, for our own trouble."""
        return self.cut_off and result.status is Status.UNKNOWN and not result.known


def result_of(found: OnceResult) -> Result:
    """The result of one check on one target."""
    kept = found.kept
    findings = {
        (f.code, f.finding.summary, f.finding.evidence): f
        for subject in kept.subjects.values()
        for f in subject.findings
    }
    return Result(
        check=kept.check,
        target=kept.target,
        status=kept.status,
        findings=tuple(
            sorted(findings.values(), key=lambda f: _SEVERITIES.index(Severity(f.severity)))
        ),
        blind=_blind(kept),
        known=kept.clean + sum(subject.known for subject in kept.subjects.values()),
        subjects=kept.clean + len(kept.subjects),
        records=tuple(s.record for s in kept.subjects.values() if s.record),
        seconds=found.seconds,
    )


def unlooked(check: str, target: str, reason: str, seconds: float) -> Result:
    """A check on a target that gave no result."""
    return Result(check, target, Status.UNKNOWN, blind=(reason,), seconds=seconds)


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "target": report.target,
        "status": report.status,
        **({"own_trouble": report.own_trouble} if report.own_trouble else {}),
        "results": [_result_json(result) for result in report.by_gravity()],
    }


def _result_json(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = {
        "check": result.check,
        "target": result.target,
        "status": result.status,
        "findings": [
            {
                "code": kept.code,
                "severity": kept.severity,
                "summary": kept.finding.summary,
                "evidence": kept.finding.evidence,
                "fix": kept.finding.fix,
            }
            for kept in result.findings
        ],
        "seconds": round(result.seconds, 3),
    }
    if result.blind:
        document["not_known"] = list(result.blind)
    if result.status is Status.UNKNOWN:
        document["reason"] = "; ".join(result.blind) or "nothing was looked at"
    return document


def _blind(kept: Kept) -> tuple[str, ...]:
    if kept.failure:
        return (kept.failure,)
    by_reason: dict[str, list[str]] = {}
    for subject in kept.subjects.values():
        if not subject.known:
            by_reason.setdefault(subject.unknown_reason, []).append(subject.subject)
    return tuple(_about(subjects, reason) for reason, subjects in by_reason.items())


def _about(subjects: Iterable[str], reason: str) -> str:
    """The reason, after the subjects that it does not name itself."""
    named = [subject for subject in subjects if subject and not _names(reason, subject)]
    return f"{', '.join(named)}: {reason}" if named else reason


def _names(reason: str, subject: str) -> bool:
    """As words of their own: `records` does not name the subject `record`."""
    return re.search(rf"(?<![\w-]){re.escape(subject)}(?![\w-])", reason) is not None
