"""Watched records: accepting what is seen, and the history of what was seen and accepted. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from monitor.model import Classification
from monitor.store.kept import CONFIGURATION, FIRST_SIGHT, Baseline

NAME_LENGTH: Final = 100
"""Characters of the name of who accepts."""

REASON_LENGTH: Final = 500
"""Characters of the reason given."""

HISTORY_LENGTH: Final = 100
"""Changes kept of one record, the newest."""

HISTORY_TEXT: Final = 4096
"""Characters of a record that are kept in its history."""


class ChangeKind(StrEnum):
    """What a change in a record's history is."""

    FIRST_SEEN = "first_seen"
    CHANGED = "changed"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One change in the history of a watched record; times in epoch seconds.

    `text` is the record as it was then seen, or accepted: untrusted, "" where there was none, cut to
    `HISTORY_TEXT`. Of a change `classification` and `reason` say how it differed from what was accepted,
    "" where it did not; of an acceptance `by` and `reason` are as in `Baseline`.
    """

    at: float
    kind: ChangeKind
    text: str
    classification: str = ""
    reason: str = ""
    by: str = ""


class AcceptanceError(Exception):
    """It cannot be accepted so; the text says why."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepts a record, and why: each one line, "" where it is not said. Made by `Acceptance.of`."""

    by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, by: str, reason: str) -> "Acceptance":
        """From what a person typed; line ends and other white space become single spaces.

        Raises:
            AcceptanceError: one is too long, or the name is one that the monitor gives itself.
        """
        by, reason = " ".join(by.split()), " ".join(reason.split())
        if len(by) > NAME_LENGTH:
            raise AcceptanceError(f"who accepts has at most {NAME_LENGTH} characters")
        if len(reason) > REASON_LENGTH:
            raise AcceptanceError(f"the reason has at most {REASON_LENGTH} characters")
        if by.casefold() in {FIRST_SIGHT, CONFIGURATION}:
            raise AcceptanceError(f"{by!r} is nobody's name: say who accepts")
        return cls(by, reason)


def accept(baseline: Baseline | None, seen: str, acceptance: Acceptance, *, at: float) -> Baseline:
    """The baseline once `seen`, what a person looked at, is accepted.

    Raises:
        AcceptanceError: it is not what is seen now, or nothing differs that could be accepted.
    """
    if baseline is None or not baseline.classification:
        raise AcceptanceError("it does not differ from what is accepted")
    if baseline.classification == Classification.INCONSISTENT:
        raise AcceptanceError(
            f"nobody can say what the record is ({baseline.reason}): mend that first"
        )
    if baseline.seen != seen:
        raise AcceptanceError("it changed again: look at it first")
    return replace(
        baseline,
        accepted=seen,
        accepted_at=at,
        accepted_by=acceptance.by,
        accepted_reason=acceptance.reason,
        classification="",
        reason="",
    )


def beginning(baseline: Baseline) -> tuple[RecordChange, ...]:
    """The history of a record of which no change is kept yet: what its baseline alone tells, oldest first."""
    by_sight = baseline.accepted_by == FIRST_SIGHT
    first = RecordChange(
        baseline.accepted_at,
        ChangeKind.FIRST_SEEN if by_sight else ChangeKind.ACCEPTED,
        _cut(baseline.accepted),
        reason=baseline.accepted_reason,
        by=baseline.accepted_by,
    )
    if baseline.seen == baseline.accepted:
        return (first,)
    at_once = not by_sight and baseline.changed_at <= baseline.accepted_at
    return (first, _seen(baseline, ChangeKind.FIRST_SEEN if at_once else ChangeKind.CHANGED))


def changes(before: Baseline, after: Baseline) -> tuple[RecordChange, ...]:
    """What a record's history gains when its baseline becomes `after`, oldest first."""
    gained = []
    if _acceptance_of(before) != _acceptance_of(after):
        gained.append(
            RecordChange(
                after.accepted_at,
                ChangeKind.ACCEPTED,
                _cut(after.accepted),
                reason=after.accepted_reason,
                by=after.accepted_by,
            )
        )
    if before.seen != after.seen:
        gained.append(_seen(after, ChangeKind.CHANGED))
    return tuple(gained)


def with_seen_before(
    history: Iterable[RecordChange],
) -> Iterator[tuple[RecordChange, str | None]]:
    """Each change of a history, oldest first, with the record as it was seen before; None: that is not known."""
    seen: str | None = None
    for change in history:
        yield change, seen
        if change.kind is not ChangeKind.ACCEPTED or seen is None:
            seen = change.text


def _seen(baseline: Baseline, kind: ChangeKind) -> RecordChange:
    return RecordChange(
        baseline.changed_at,
        kind,
        _cut(baseline.seen),
        baseline.classification,
        baseline.reason,
    )


def _acceptance_of(baseline: Baseline) -> tuple[str, float, str]:
    return baseline.accepted, baseline.accepted_at, baseline.accepted_by


def _cut(text: str) -> str:
    return text if len(text) <= HISTORY_TEXT else f"{text[: HISTORY_TEXT - 1]}…"
