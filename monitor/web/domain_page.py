"""One domain in detail: its results, its watched records, what changed lately."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.model import Classification, Domain
from monitor.protocol.record_diff import DiffTerm
from monitor.store.history import RecordKey, TargetKey
from monitor.store.kept import Baseline, Kept, KeptSubject
from monitor.store.records import RecordChange
from monitor.web.backend import Snapshot
from monitor.web.overview import Blindness, grouped, headline
from monitor.web.records import NO_RECORD, Step, accepted, shown_diff, steps
from monitor.web.text import one_line, visible
from monitor.web.view import (
    Cell,
    FindingView,
    ResultView,
    State,
    by_severity,
    cells,
    results,
    worst_state,
)

_CHANGES_SHOWN = 20
_RECORD_SHOWN = 2000

Histories = Mapping[RecordKey, Sequence[RecordChange]] | None
"""The histories of records, oldest first; None where they cannot be read now."""


@dataclass(frozen=True, slots=True)
class RecordView:
    """A watched record. `digest` names exactly what is seen, so that nothing else can be accepted.

    `accepted` is the accepted record, `said` who accepted it and why. `terms` is what is seen now,
    against what was accepted; `given` where the configuration says what is accepted, and nobody else can;
    `history` is None where it cannot be read.
    """

    check: str
    target: str
    subject: str
    accepted: str
    accepted_at: float
    said: str
    changed_at: float
    classification: str
    reason: str
    terms: tuple[DiffTerm, ...]
    acceptable: bool
    given: bool
    digest: str
    history: tuple[Step, ...] | None


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change of a result's status or findings."""

    at: float
    check: str
    target: str
    state: State
    codes: tuple[str, ...]


class Verdict(StrEnum):
    """Of one requirement."""

    MET = "met"
    NOT_MET = "not met"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class RequirementView:
    """A row of a check that is a table: who requires what, whether it is met, and why it is not known."""

    who: str
    what: str
    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class CheckSection:
    """A check's results for the domain, and the targets that it has not looked at yet.

    `requirements` has the rows by target, for a check that is a table.
    """

    name: str
    title: str
    cell: Cell
    results: tuple[ResultView, ...]
    waiting: tuple[str, ...]
    requirements: Mapping[str, tuple[RequirementView, ...]]


@dataclass(frozen=True, slots=True)
class DomainPage:
    """All that is known of one domain; `headline` says it in one sentence."""

    domain: Domain
    state: State
    headline: str
    sections: tuple[CheckSection, ...]
    findings: tuple[FindingView, ...]
    blindness: tuple[Blindness, ...]
    records: tuple[RecordView, ...]
    changes: tuple[ChangeView, ...]


def _section(
    snapshot: Snapshot, check: str, cell: Cell, own: Sequence[ResultView], waiting: Sequence[str]
) -> CheckSection:
    about = snapshot.checks[check].about if check in snapshot.checks else None
    shown = tuple(result for result in own if result.kept.check == check)
    tabled = shown if about is not None and about.tabled else ()
    return CheckSection(
        name=check,
        title=about.title if about else check,
        cell=cell,
        results=shown,
        waiting=tuple(waiting),
        requirements={one.kept.target: _requirements(one.kept) for one in tabled},
    )


def _requirements(kept: Kept) -> tuple[RequirementView, ...]:
    """The rows of a result whose subjects read `who: what`, those of each party together."""
    rows = [_requirement(subject) for subject in kept.subjects.values()]
    parties = list(dict.fromkeys(row.who for row in rows))
    return tuple(sorted(rows, key=lambda row: parties.index(row.who)))


def _requirement(subject: KeptSubject) -> RequirementView:
    who, _, what = one_line(subject.subject).partition(": ")
    if subject.findings:
        return RequirementView(who, what, Verdict.NOT_MET, "")
    if not subject.known:
        return RequirementView(who, what, Verdict.NOT_KNOWN, one_line(subject.unknown_reason))
    return RequirementView(who, what, Verdict.MET, "")


def record_targets(snapshot: Snapshot, name: str) -> list[TargetKey]:
    """The targets of a domain that have watched records."""
    own = {(kept.check, kept.target) for kept in snapshot.kept if kept.domain == name}
    watched = {(baseline.check, baseline.target) for baseline in snapshot.baselines}
    return sorted(own & watched)


def domain_page(snapshot: Snapshot, name: str, histories: Histories) -> DomainPage | None:
    """The page of a configured domain; None where `name` is none."""
    domain = next((domain for domain in snapshot.domains if domain.name == name), None)
    if domain is None:
        return None
    own = [result for result in results(snapshot) if result.kept.domain == name]
    waiting = [(check, target) for check, target, other in snapshot.waiting if other == name]
    by_check = cells(snapshot, own).get(name, {})
    return DomainPage(
        domain=domain,
        state=worst_state(cell.state for cell in by_check.values()),
        headline="; ".join(headline(own, len(waiting))),
        sections=tuple(
            _section(snapshot, check, cell, own, [t for other, t in waiting if other == check])
            for check, cell in by_check.items()
        ),
        findings=tuple(by_severity(f for result in own for f in result.findings)),
        blindness=grouped(spot for result in own for spot in result.blind_spots),
        records=_records(snapshot, own, histories),
        changes=_changes(own),
    )


def digest(record: str) -> str:
    """Names a record exactly, whatever characters it has; forms change line ends and control characters."""
    return hashlib.sha256(record.encode("utf-8", "surrogatepass")).hexdigest()


def _records(
    snapshot: Snapshot, own: Sequence[ResultView], histories: Histories
) -> tuple[RecordView, ...]:
    targets = {(result.kept.check, result.kept.target) for result in own}
    views = [
        _record(baseline, histories, given=_given(snapshot, baseline))
        for baseline in snapshot.baselines
        if (baseline.check, baseline.target) in targets
    ]
    return tuple(
        sorted(views, key=lambda one: (not one.classification, one.check, one.target, one.subject))
    )


def _given(snapshot: Snapshot, baseline: Baseline) -> bool:
    """Whether the configuration says what is accepted."""
    config = snapshot.checks.get(baseline.check)
    return config is not None and config.given(baseline.target, baseline.subject) is not None


def _record(baseline: Baseline, histories: Histories, *, given: bool) -> RecordView:
    key = (baseline.check, baseline.target, baseline.subject)
    inconsistent = baseline.classification == Classification.INCONSISTENT
    return RecordView(
        check=baseline.check,
        target=baseline.target,
        subject=baseline.subject,
        accepted=visible(baseline.accepted, limit=_RECORD_SHOWN) or NO_RECORD,
        accepted_at=baseline.accepted_at,
        said=accepted(baseline.accepted_by, baseline.accepted_reason),
        changed_at=baseline.changed_at,
        classification=baseline.classification,
        reason=one_line(baseline.reason),
        terms=shown_diff(baseline.accepted, baseline.seen),
        acceptable=bool(baseline.classification) and not inconsistent and not given,
        given=given,
        digest=digest(baseline.seen),
        history=None if histories is None else steps(histories.get(key, ())),
    )


def _changes(own: Sequence[ResultView]) -> tuple[ChangeView, ...]:
    changes = [
        ChangeView(
            change.at,
            result.kept.check,
            result.kept.target,
            State(change.status.value),
            change.codes,
        )
        for result in own
        for change in result.kept.history
    ]
    return tuple(sorted(changes, key=lambda one: -one.at)[:_CHANGES_SHOWN])
