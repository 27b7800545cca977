"""What is kept, read for people: states, open findings, blind spots. Pure; texts from outside come out harmless."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from monitor.model import Severity, Status
from monitor.store.kept import STEADY_SECONDS, Course, Kept, KeptFinding, KeptSubject
from monitor.web.backend import Snapshot
from monitor.web.text import clock, counted, one_line, span, visible


class State(StrEnum):
    """What is shown of one or several results: a status, or that nobody looked yet; the worst first."""

    CRITICAL = "critical"
    UNKNOWN = "unknown"
    WARNING = "warning"
    WAITING = "waiting"
    OK = "ok"


SEVERITIES: Final = tuple(severity.value for severity in Severity)
"""The worst first."""

_OVERDUE_INTERVALS: Final = 3
_OVERDUE_GRACE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class FindingView:
    """One open finding. Times in epoch seconds; `held` where the last look did not find it, or could not tell.

    `since` is when it opened, `first_seen` when it first did; `returns` is how often it was found again after it
    was gone, and `flaps` whether it still may be. `story` says that in words, "" where it never went.
    """

    code: str
    severity: str
    summary: str
    evidence: str
    fix: str
    check: str
    target: str
    domain: str
    subject: str
    since: float
    last_seen: float
    held: bool
    first_seen: float
    returns: int = 0
    flaps: bool = False
    story: str = ""


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """What could not be seen, and why. `subject` is "" for the whole run; `matters` not where it only informs."""

    check: str
    target: str
    domain: str
    subject: str
    reason: str
    matters: bool


@dataclass(frozen=True, slots=True)
class ResultView:
    """A check on a target: its state now, what it found and what it could not see."""

    kept: Kept
    state: State
    findings: tuple[FindingView, ...]
    blind_spots: tuple[BlindSpot, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A check on all targets of a domain: the worst state and how many targets are in each."""

    state: State
    counts: Mapping[State, int]

    @property
    def total(self) -> int:
        """How many targets there are."""
        return sum(self.counts.values())

    @property
    def worst(self) -> int:
        """How many targets are in the state shown."""
        return self.counts[self.state]


def worst_state(states: Iterable[State]) -> State:
    """The worst of them; `unknown` where there is none: nothing looked at is not `ok`."""
    present = set(states)
    return next((state for state in State if state in present), State.UNKNOWN)


def results(snapshot: Snapshot) -> list[ResultView]:
    """Every result, in the order of domain, check, target."""
    ordered = sorted(snapshot.kept, key=lambda kept: (kept.domain, kept.check, kept.target))
    return [result(kept, snapshot) for kept in ordered]


def cells(snapshot: Snapshot, shown: Iterable[ResultView]) -> dict[str, dict[str, Cell]]:
    """The cells by domain and check; a check that has no target of a domain has no cell there."""
    found: dict[tuple[str, str], list[State]] = {}
    for one in shown:
        found.setdefault((one.kept.domain, one.kept.check), []).append(one.state)
    for check, _target, domain in snapshot.waiting:
        found.setdefault((domain, check), []).append(State.WAITING)
    table: dict[str, dict[str, Cell]] = {}
    for (domain, check), states in sorted(found.items()):
        counts = {state: states.count(state) for state in State if state in states}
        table.setdefault(domain, {})[check] = Cell(worst_state(states), counts)
    return table


def gone(kept: Kept) -> list[Course]:
    """The courses of findings that are not open any more, the last one first."""
    open_now = {(s.subject, f.code) for s in kept.subjects.values() for f in s.findings}
    past = [one for one in kept.courses if (one.subject, one.code) not in open_now]
    return sorted(past, key=lambda one: one.last_seen, reverse=True)


def by_severity(findings: Iterable[FindingView]) -> list[FindingView]:
    """The worst first, then by domain, check and target."""
    return sorted(
        findings,
        key=lambda one: (
            SEVERITIES.index(one.severity),
            one.domain,
            one.check,
            one.target,
            one.subject,
            one.code,
        ),
    )


def result(kept: Kept, snapshot: Snapshot) -> ResultView:
    """One result as it is at `snapshot.at`: what nobody has looked at for too long is `unknown`."""
    late = _overdue(kept, snapshot)
    state = State(kept.status.value)
    if late and state in {State.OK, State.WARNING}:
        state = State.UNKNOWN
    return ResultView(
        kept,
        state,
        tuple(
            _finding(kept, subject, finding, at=snapshot.at)
            for subject in kept.subjects.values()
            for finding in subject.findings
        ),
        tuple(_blind_spots(kept, late, tabled=_is_tabled(kept, snapshot))),
    )


def _overdue(kept: Kept, snapshot: Snapshot) -> str:
    """Why the result is too old to be believed; "" where it is not."""
    config = snapshot.checks.get(kept.check)
    age = snapshot.at - kept.looked_at
    if config is None or age <= _OVERDUE_INTERVALS * config.interval + _OVERDUE_GRACE_SECONDS:
        return ""
    return f"nobody has looked for {span(age)}; every {span(config.interval)} was the plan"


def _finding(kept: Kept, subject: KeptSubject, one: KeptFinding, *, at: float) -> FindingView:
    course = kept.course(subject.subject, one.code)
    gone = course is not None and course.gone_at is not None
    return FindingView(
        code=one.code,
        severity=one.severity,
        summary=one_line(one.finding.summary),
        evidence=visible(one.finding.evidence),
        fix=visible(one.finding.fix, limit=2000),
        check=kept.check,
        target=kept.target,
        domain=kept.domain,
        subject=one_line(subject.subject),
        since=one.since,
        last_seen=kept.last_seen(subject, one),
        held=gone or not subject.known or bool(kept.failure),
        first_seen=one.since if course is None else course.first_seen,
        returns=0 if course is None else course.returns,
        flaps=course is not None and course.flaps(at),
        story="" if course is None else _story(course, at),
    )


def _story(course: Course, at: float) -> str:
    """How a finding came and went, for people."""
    told = f"first seen {clock(course.first_seen)}"
    if course.returns:
        told += f", came back {counted(course.returns, 'time')}"
    if course.flaps(at):
        told += f"; it flaps, so it stays open until it was not found for {span(STEADY_SECONDS)}"
        if course.gone_at is not None:
            told += f" (not found since {clock(course.gone_at)})"
    return told


def _is_tabled(kept: Kept, snapshot: Snapshot) -> bool:
    return kept.check in snapshot.checks and snapshot.checks[kept.check].about.tabled


def _blind_spots(kept: Kept, late: str, *, tabled: bool) -> Iterator[BlindSpot]:
    def spot(subject: str, reason: str, *, matters: bool = True) -> BlindSpot:
        return BlindSpot(
            kept.check, kept.target, kept.domain, one_line(subject), one_line(reason), matters
        )

    if late:
        yield spot("", late)
    if kept.failure:
        # Its subjects say the same.
        yield spot("", kept.failure)
        return
    subjects = [subject for subject in kept.subjects.values() if not subject.known]
    for subject in subjects:
        if tabled and subject.weight == 0:
            continue  # the table says who can see it; nobody here ever can
        yield spot(subject.subject, subject.unknown_reason, matters=subject.weight > 0)
    if kept.status is Status.UNKNOWN and not subjects and not late:
        yield spot("", "the check found nothing to look at")
