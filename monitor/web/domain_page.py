"""One domain in detail: its results, its watched records, what changed lately."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.model import Domain
from monitor.store.kept import Baseline
from monitor.web.backend import Snapshot
from monitor.web.overview import Blindness, grouped, headline
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


@dataclass(frozen=True, slots=True)
class RecordView:
    """A watched record. `digest` names exactly what is seen, so that nothing else can be accepted."""

    check: str
    target: str
    subject: str
    accepted: str
    accepted_at: float
    seen: str
    changed_at: float
    classification: str
    reason: str
    digest: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change of a result's status or findings."""

    at: float
    check: str
    target: str
    state: State
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckSection:
    """A check's results for the domain, and the targets that it has not looked at yet."""

    name: str
    title: str
    cell: Cell
    results: tuple[ResultView, ...]
    waiting: tuple[str, ...]


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


def domain_page(snapshot: Snapshot, name: str) -> DomainPage | None:
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
            CheckSection(
                name=check,
                title=snapshot.checks[check].about.title if check in snapshot.checks else check,
                cell=cell,
                results=tuple(result for result in own if result.kept.check == check),
                waiting=tuple(target for other, target in waiting if other == check),
            )
            for check, cell in by_check.items()
        ),
        findings=tuple(by_severity(f for result in own for f in result.findings)),
        blindness=grouped(spot for result in own for spot in result.blind_spots),
        records=_records(snapshot, own),
        changes=_changes(own),
    )


def digest(record: str) -> str:
    """Names a record exactly, whatever characters it has; forms change line ends and control characters."""
    return hashlib.sha256(record.encode("utf-8", "surrogatepass")).hexdigest()


def _records(snapshot: Snapshot, own: Sequence[ResultView]) -> tuple[RecordView, ...]:
    targets = {(result.kept.check, result.kept.target) for result in own}
    views = [
        _record(baseline)
        for baseline in snapshot.baselines
        if (baseline.check, baseline.target) in targets
    ]
    return tuple(
        sorted(views, key=lambda one: (not one.classification, one.check, one.target, one.subject))
    )


def _record(baseline: Baseline) -> RecordView:
    return RecordView(
        check=baseline.check,
        target=baseline.target,
        subject=baseline.subject,
        accepted=visible(baseline.accepted, limit=_RECORD_SHOWN),
        accepted_at=baseline.accepted_at,
        seen=visible(baseline.seen, limit=_RECORD_SHOWN),
        changed_at=baseline.changed_at,
        classification=baseline.classification,
        reason=one_line(baseline.reason),
        digest=digest(baseline.seen),
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
