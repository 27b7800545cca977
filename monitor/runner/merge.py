"""Pure: how an outcome changes what is kept. What was known stays until a known look clears it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.check import About, SubjectState, worst_severity
from monitor.model import Drift, Look, LookState, Outcome, Sample, Severity, Status
from monitor.runner.course import courses_after, held_open
from monitor.store.kept import HOLD_SECONDS, Change, Kept, KeptFinding, KeptSubject

HISTORY_LENGTH = 20
NEVER_ASKED = "not asked yet"
AWAITING = "seen once, awaiting confirmation"


@dataclass(frozen=True, slots=True)
class JudgedLook:
    """A look whose findings have their full codes and severities; `drift` is that of its record."""

    look: Look
    findings: tuple[KeptFinding, ...] = ()
    drift: Drift | None = None

    @property
    def bad(self) -> frozenset[tuple[str, str]]:
        """What would page or open a ticket: (code, severity)."""
        return _bad(self.findings)


@dataclass(frozen=True, slots=True)
class _Clean:
    """The known, clean subjects that are not kept one by one; `roster` as in `Kept`."""

    number: int = 0
    weight: float = 0.0
    roster: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kept: Kept | None) -> "_Clean":
        return cls(kept.clean, kept.clean_weight, kept.roster) if kept else cls()


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: what it learnt and when. `outcome.looks` are the looks of `judged`."""

    check: str
    target: str
    domain: str
    at: float
    outcome: Outcome
    judged: tuple[JudgedLook, ...]


def worse(kept: Kept | None, judged: JudgedLook) -> frozenset[tuple[str, str]]:
    """The critical and warning findings of the look that are not yet counted, as (code, severity)."""
    prior = kept.subjects.get(judged.look.subject) if kept else None
    return judged.bad - (_bad(prior.findings) if prior else frozenset())


def cleared(kept: Kept | None, judged: JudgedLook) -> frozenset[tuple[str, str]]:
    """The open critical and warning findings that the look no longer shows, as (code, severity).

    Without those that stay open although that was confirmed: they flap.
    """
    prior = kept.subjects.get(judged.look.subject) if kept else None
    if kept is None or prior is None:
        return frozenset()
    return frozenset(
        (code, severity)
        for code, severity in _bad(prior.findings) - judged.bad
        if (course := kept.course(prior.subject, code)) is None or course.gone_at is None
    )


def tells_news(kept: Kept | None, outcome: Outcome, about: About) -> bool:
    """Whether a look says anything else of its subject than what is kept, or a finding's subject is gone."""
    if kept is None or kept.failure:
        return True
    drift = set(about.drift_codes.values())
    for look in outcome.looks:
        prior = kept.subjects.get(look.subject, KeptSubject(look.subject, None))
        is_new = look.subject not in kept.subjects and not kept.is_clean(look.subject)
        before = {each.finding.code for each in prior.findings} - drift
        match look.state:
            case LookState.UNKNOWN if prior.known:
                return True
            case LookState.KNOWN if is_new or not prior.known or look.record != prior.record:
                return True
            case LookState.KNOWN if {finding.code for finding in look.findings} != before:
                return True
    subjects = {look.subject for look in outcome.looks}
    return any(prior.findings for name, prior in kept.subjects.items() if name not in subjects)


def merge(kept: Kept | None, run: Run, *, awaiting: frozenset[str], about: About) -> Kept:
    """What is kept after `run`. Looks at the subjects in `awaiting` tell what is not confirmed, and do not count yet."""
    if run.outcome.failure is not None:
        return _after_failure(kept, run, about)
    subjects: dict[str, KeptSubject] = {}
    clean: list[Look] = []
    for judged in run.judged:
        after = _subject_after(kept, judged, awaiting=awaiting, about=about, at=run.at)
        if after is None:
            clean.append(judged.look)
        else:
            subjects[after.subject] = after
    looked_at = frozenset(judged.look.subject for judged in run.judged)
    if kept and run.outcome.incomplete:
        for name in sorted({*kept.subjects, *kept.roster} - looked_at):
            missing = kept.subjects.get(name, KeptSubject(name, kept.known_at))
            blind = replace(missing, unknown_reason=run.outcome.incomplete)
            subjects[name] = _held(blind, run.at)
    return _finished(
        kept,
        run,
        about,
        subjects=subjects,
        # Where none is clean the names would be kept for nothing.
        clean=_Clean(len(clean), sum(look.weight for look in clean), looked_at)
        if clean
        else _Clean(),
        samples=run.outcome.samples,
        found=_found(run.judged, awaiting),
    )


def without_drift(kept: Kept, subject: str, about: About, *, at: float) -> Kept:
    """What is kept once the record of `subject` is accepted as it is seen.

    Its drift goes at once: the next look may be blind, and nobody should be paged by what was accepted.
    """
    told = kept.subjects.get(subject)
    if told is None:
        return kept
    drift = _drift_codes(about)
    rest = tuple(finding for finding in told.findings if finding.code not in drift)
    subjects = {**kept.subjects, subject: replace(told, findings=rest)}
    status = about.roll_up(_states(subjects, _Clean.of(kept), failed=bool(kept.failure)))
    return replace(
        kept,
        status=status,
        status_since=kept.status_since if status is kept.status else at,
        subjects=subjects,
        history=_history(kept, subjects, status, at),
        courses=courses_after(kept, subjects, {}, at=at),
    )


def _subject_after(
    kept: Kept | None,
    judged: JudgedLook,
    *,
    awaiting: frozenset[str],
    about: About,
    at: float,
) -> KeptSubject | None:
    """The subject after one look; None where it is known, clean and carries nothing."""
    look = judged.look
    prior = kept.subjects.get(look.subject) if kept else None
    if look.state is LookState.UNKNOWN:
        return _blind(prior, kept, look, at)
    if look.state is LookState.NOT_DUE or look.subject in awaiting:
        if prior is not None:
            # The configuration may count it otherwise now; what awaits confirmation changes nothing yet.
            weight = look.weight if look.state is LookState.NOT_DUE else prior.weight
            return replace(prior, weight=weight)
        if _was_clean(kept, look.subject):
            return None
        reason = NEVER_ASKED if look.state is LookState.NOT_DUE else AWAITING
        return KeptSubject(look.subject, None, unknown_reason=reason, weight=look.weight)
    held: tuple[KeptFinding, ...] = ()
    if about.confirms_clearing and kept and prior:
        # A drift ends with its record, which has a history of its own.
        settled = {finding.code for finding in judged.findings} | _drift_codes(about)
        held = held_open(kept, prior, settled, at=at)
    if not judged.findings and not held and not look.samples and look.record is None:
        return None
    since = {f.code: f.since for f in prior.findings} if prior else {}
    return KeptSubject(
        subject=look.subject,
        known_at=at,
        findings=(*(replace(f, since=since.get(f.code, at)) for f in judged.findings), *held),
        # What is shown as open is shown with its numbers.
        samples=look.samples or (prior.samples if held and prior else ()),
        record=look.record,
        weight=look.weight,
    )


def _was_clean(kept: Kept | None, subject: str) -> bool:
    return kept is not None and not kept.failure and kept.is_clean(subject)


def _drift_codes(about: About) -> frozenset[str]:
    return frozenset(f"{about.name}.{code}" for code in about.drift_codes.values())


def _blind(prior: KeptSubject | None, kept: Kept | None, look: Look, at: float) -> KeptSubject:
    if prior is None:
        last = kept.known_at if kept and _was_clean(kept, look.subject) else None
        return KeptSubject(look.subject, last, unknown_reason=look.reason, weight=look.weight)
    return _held(replace(prior, unknown_reason=look.reason, weight=look.weight), at)


def _held(subject: KeptSubject, at: float) -> KeptSubject:
    """What was known stays shown, at most `HOLD_SECONDS`."""
    if subject.known_at is not None and at - subject.known_at > HOLD_SECONDS:
        return replace(subject, findings=(), samples=(), known_at=None)
    return subject


def _after_failure(kept: Kept | None, run: Run, about: About) -> Kept:
    reason = run.outcome.failure or ""
    subjects = {
        name: _held(replace(subject, unknown_reason=reason), run.at)
        for name, subject in (kept.subjects if kept else {}).items()
    }
    samples = kept.samples if kept else ()
    if kept and kept.known_at is not None and run.at - kept.known_at > HOLD_SECONDS:
        samples = ()
    return _finished(
        kept, run, about, subjects=subjects, clean=_Clean.of(kept), samples=samples, found={}
    )


def _finished(
    kept: Kept | None,
    run: Run,
    about: About,
    *,
    subjects: Mapping[str, KeptSubject],
    clean: _Clean,
    samples: tuple[Sample, ...],
    found: Mapping[str, frozenset[str]],
) -> Kept:
    failed = run.outcome.failure is not None
    states = _states(subjects, clean, failed=failed)
    status = Status.UNKNOWN if failed and not states else about.roll_up(states)
    seen_now = about.roll_up([replace(s, worst=s.worst if s.known else None) for s in states])
    known_at = kept.known_at if kept else None
    if not failed and seen_now is not Status.UNKNOWN:
        known_at = run.at
    return Kept(
        check=run.check,
        target=run.target,
        domain=run.domain,
        status=status,
        status_since=kept.status_since if kept and kept.status is status else run.at,
        looked_at=run.at,
        known_at=known_at,
        subjects=subjects,
        clean=clean.number,
        clean_weight=clean.weight,
        roster=clean.roster,
        samples=samples,
        failure=run.outcome.failure or "",
        history=_history(kept, subjects, status, run.at),
        courses=courses_after(kept, subjects, found, at=run.at),
    )


def _found(judged: Sequence[JudgedLook], awaiting: frozenset[str]) -> dict[str, frozenset[str]]:
    """What the looks that count found that matters: codes by subject."""
    return {
        look.look.subject: frozenset(code for code, _ in look.bad)
        for look in judged
        if look.look.state is LookState.KNOWN and look.look.subject not in awaiting
    }


def _states(
    subjects: Mapping[str, KeptSubject], clean: _Clean, *, failed: bool
) -> list[SubjectState]:
    states = [_state(subject) for subject in subjects.values()]
    if clean.number:
        states.append(SubjectState("", not failed, None, clean.weight))
    return states


def _history(
    kept: Kept | None, subjects: Mapping[str, KeptSubject], status: Status, at: float
) -> tuple[Change, ...]:
    codes = _codes(subjects)
    before = kept.history if kept else ()
    if kept is not None and kept.status is status and _codes(kept.subjects) == codes:
        return before
    return (Change(at, status, codes), *before)[:HISTORY_LENGTH]


def _state(subject: KeptSubject) -> SubjectState:
    worst = worst_severity([Severity(f.severity) for f in subject.findings])
    return SubjectState(subject.subject, subject.known, worst, subject.weight)


def _codes(subjects: Mapping[str, KeptSubject]) -> tuple[str, ...]:
    return tuple(sorted({f.code for s in subjects.values() for f in s.findings}))


def _bad(findings: Sequence[KeptFinding]) -> frozenset[tuple[str, str]]:
    return frozenset((f.code, f.severity) for f in findings if f.severity != Severity.INFO)
