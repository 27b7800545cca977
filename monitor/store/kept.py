"""What is kept of a check on a target: per subject the last known state, held until a known look clears it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.check import PastResult
from monitor.model import Finding, Sample, Status

HOLD_SECONDS = 7 * 86400
"""How long a finding stays shown after it was last seen, where nobody could look since."""

FLAPPING_SECONDS = 86400.0
"""What comes back within a day of its going flaps, for a day. The cause of a listing is not mended and undone and
mended in a day: either it never went, or looks that found nothing are worth little there."""

STEADY_SECONDS = 6 * 3600.0
"""How long looks find nothing before what flaps is closed: several sweeps at the usual interval of an hour, and
more than a night's half, so that nobody is woken twice by it. A list that swings more slowly than that is news."""

REMEMBERED_SECONDS = 30 * 86400.0
"""How long the course of a finding is kept after it went."""

REMEMBERED = 100
"""How many courses of what went are kept of a target, at most."""

FIRST_SIGHT = "first sight"
"""Who accepted a record that nobody accepted: the first state seen is taken for the right one."""

CONFIGURATION = "configuration"
"""Who accepted a record that `checks.<name>.baselines` gives."""


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """A finding with its severity decided and its full code (`dmarc.policy_weakened`); `since` in epoch seconds."""

    finding: Finding
    code: str
    severity: str
    since: float


@dataclass(frozen=True, slots=True)
class KeptSubject:
    """One subject. Subjects that are known, clean and carry nothing are not kept one by one.

    Attributes:
        known_at: when it was last known (epoch seconds); None where it never was.
        unknown_reason: why the last look could not tell; "" where it could.
        record: the record last seen ("" absent); None where the check watches none.
    """

    subject: str
    known_at: float | None
    findings: tuple[KeptFinding, ...] = ()
    samples: tuple[Sample, ...] = ()
    record: str | None = None
    unknown_reason: str = ""
    weight: float = 1.0

    @property
    def known(self) -> bool:
        """True where the last look could tell."""
        return self.unknown_reason == ""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the short history."""

    at: float
    status: Status
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """How a finding came and went: kept of what once was no longer found, critical or warning. Epoch seconds.

    Attributes:
        first_seen: when it first counted.
        last_seen: the last look that found it before `gone_at`; while it is found its subject says when.
        returns: how often it was found again after looks that counted did not find it.
        flapped_at: when it last came back within `FLAPPING_SECONDS`; None where it never did.
        gone_at: since when looks that count do not find it; None while they do. A finding that flaps stays open
            for `STEADY_SECONDS` of that.
    """

    subject: str
    code: str
    first_seen: float
    last_seen: float
    returns: int = 0
    flapped_at: float | None = None
    gone_at: float | None = None

    def flaps(self, at: float) -> bool:
        """Whether it is a day or less since it came back so soon."""
        return self.flapped_at is not None and at - self.flapped_at <= FLAPPING_SECONDS


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a check on a target.

    Attributes:
        clean, clean_weight: how many known, clean subjects there are besides `subjects`, and their weight.
        roster: the names of all subjects of the last run that could look; empty where none of them was clean, or
            an earlier version wrote it. One object of many targets.
        looked_at: the last run; known_at: the last run whose status was not unknown (None: never).
        failure: why the last run as a whole could not look; "" where it could.
        samples: of the outcome as a whole.
        history: the last changes, newest first.
        courses: of findings that went, whether they came back or not.
    """

    check: str
    target: str
    domain: str
    status: Status
    status_since: float
    looked_at: float
    known_at: float | None
    subjects: Mapping[str, KeptSubject] = field(default_factory=dict)
    clean: int = 0
    clean_weight: float = 0.0
    roster: frozenset[str] = frozenset()
    samples: tuple[Sample, ...] = ()
    failure: str = ""
    history: tuple[Change, ...] = ()
    courses: tuple[Course, ...] = ()

    def is_clean(self, subject: str) -> bool:
        """Whether it is one of the `clean`."""
        return subject in self.roster and subject not in self.subjects

    def course(self, subject: str, code: str) -> Course | None:
        """The course of a finding; None where it never went."""
        for one in self.courses:
            if (one.subject, one.code) == (subject, code):
                return one
        return None

    def last_seen(self, subject: KeptSubject, finding: KeptFinding) -> float:
        """When an open finding was last found."""
        course = self.course(subject.subject, finding.code)
        if course is not None and course.gone_at is not None:
            return course.last_seen
        return finding.since if subject.known_at is None else subject.known_at


def past_result(kept: Kept) -> PastResult:
    """What is kept, as other checks may read it."""
    by_subject = {
        subject.subject: tuple(sorted({finding.code for finding in subject.findings}))
        for subject in kept.subjects.values()
        if subject.findings
    }
    return PastResult(
        check=kept.check,
        target=kept.target,
        status=kept.status,
        codes=tuple(sorted({code for codes in by_subject.values() for code in codes})),
        by_subject=by_subject,
        blind=frozenset(s.subject for s in kept.subjects.values() if not s.known),
    )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The accepted state of a watched record of one subject, and the last state seen.

    `classification` and `reason` say how `seen` differs ("" where it does not); `changed_at` is when
    `seen` last became what it is. `accepted_by` is a person, `FIRST_SIGHT`, `CONFIGURATION`, or "" where
    nobody gave a name; `accepted_reason` is that person's, "" where none was given.
    """

    check: str
    target: str
    subject: str
    accepted: str
    accepted_at: float
    seen: str
    changed_at: float
    classification: str = ""
    reason: str = ""
    accepted_by: str = ""
    accepted_reason: str = ""
