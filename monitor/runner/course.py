"""Pure: how findings come, go and come back. What flaps stays open until looks have found nothing for hours."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from monitor.model import Severity
from monitor.store.kept import (
    FLAPPING_SECONDS,
    REMEMBERED,
    REMEMBERED_SECONDS,
    STEADY_SECONDS,
    Course,
    Kept,
    KeptFinding,
    KeptSubject,
)

FindingKey = tuple[str, str]
"""(subject, code)."""


def held_open(
    kept: Kept, subject: KeptSubject, settled: Collection[str], *, at: float
) -> tuple[KeptFinding, ...]:
    """The findings of a subject that stay open although a look that counts did not find them: they flap.

    `settled` are the codes that it did find, and those that are never held.
    """
    if not kept.courses:
        return ()
    return tuple(
        finding
        for finding in subject.findings
        if finding.severity != Severity.INFO
        and finding.code not in settled
        and _holds(kept.course(subject.subject, finding.code), at)
    )


def courses_after(
    kept: Kept | None,
    subjects: Mapping[str, KeptSubject],
    found: Mapping[str, frozenset[str]],
    *,
    at: float,
) -> tuple[Course, ...]:
    """The courses once `subjects` are kept.

    `found`: the codes, by subject, of all subjects at which a look counted.
    """
    before = _open(kept.subjects) if kept else {}
    if kept is None or not (before or kept.courses):
        return ()
    now = _open(subjects)
    courses = {(one.subject, one.code): one for one in kept.courses}
    for key, (subject, since) in before.items():
        looked = key[0] in found and key[1] not in found[key[0]]
        course = courses.get(key)
        if (looked or key not in now) and (course is None or course.gone_at is None):
            last = since if subject.known_at is None else subject.known_at
            course = course or Course(*key, first_seen=since, last_seen=last)
            courses[key] = replace(course, last_seen=last, gone_at=at)
    for key, course in courses.items():
        if key in now and key[1] in found.get(key[0], ()) and course.gone_at is not None:
            soon = at - course.gone_at <= FLAPPING_SECONDS
            courses[key] = replace(
                course,
                returns=course.returns + 1,
                flapped_at=at if soon else course.flapped_at,
                gone_at=None,
            )
    return _remembered(courses, now, at)


def _holds(course: Course | None, at: float) -> bool:
    if course is None or not course.flaps(at):
        return False
    return course.gone_at is None or at - course.gone_at < STEADY_SECONDS


def _open(
    subjects: Mapping[str, KeptSubject],
) -> dict[FindingKey, tuple[KeptSubject, float]]:
    """The open findings that matter: their subjects, and since when they are open."""
    return {
        (subject.subject, finding.code): (subject, finding.since)
        for subject in subjects.values()
        for finding in subject.findings
        if finding.severity != Severity.INFO
    }


def _remembered(
    courses: Mapping[FindingKey, Course], now: Collection[FindingKey], at: float
) -> tuple[Course, ...]:
    """Those of what is open, and the last ones of what went."""
    gone = [
        (course.gone_at, key)
        for key, course in courses.items()
        if key not in now
        and course.gone_at is not None
        and at - course.gone_at <= REMEMBERED_SECONDS
    ]
    last = {key for _, key in sorted(gone)[-REMEMBERED:]}
    return tuple(course for key, course in courses.items() if key in now or key in last)
