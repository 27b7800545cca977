"""Watched records and their histories, as people read them; texts from outside come out harmless."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.protocol.record_diff import DiffTerm, TermState, diff
from monitor.store.kept import CONFIGURATION, FIRST_SIGHT
from monitor.store.records import ChangeKind, RecordChange, with_seen_before
from monitor.web.text import SHOWN, counted, one_line

NO_RECORD: Final = "(no record)"

TERMS_SHOWN: Final = 60
"""Terms of a difference that are shown."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a record's history (epoch seconds): what happened, and how the record differs from before.

    `terms` has only what was removed and added by a change; the whole record where it was first seen, or
    where something else was accepted than is seen.
    """

    at: float
    kind: ChangeKind
    said: str
    terms: tuple[DiffTerm, ...]


def steps(history: Sequence[RecordChange]) -> tuple[Step, ...]:
    """A history, oldest first, as its steps, newest first."""
    found = [
        Step(change.at, change.kind, _said(change), _terms(change, seen))
        for change, seen in with_seen_before(history)
    ]
    return tuple(reversed(found))


def accepted(by: str, reason: str) -> str:
    """Who accepted a record, and why: `accepted by Alice: moved to another ESP`, `accepted on first sight`."""
    who = {
        FIRST_SIGHT: "on first sight",
        CONFIGURATION: "by the configuration",
        "": "(by whom is not recorded)",
    }.get(by, f"by {one_line(by)}")
    return f"accepted {who}: {one_line(reason)}" if reason else f"accepted {who}"


def shown_diff(before: str, after: str, *, limit: int = SHOWN) -> tuple[DiffTerm, ...]:
    """The difference of two records for people: at most `TERMS_SHOWN` terms of `limit` characters."""
    found = diff(before, after)
    if len(found) > TERMS_SHOWN:
        found = _without_kept(found) or found
    shown = [DiffTerm(term.state, one_line(term.text, limit=limit)) for term in found]
    if not before and not after:
        shown = [DiffTerm(TermState.KEPT, NO_RECORD)]
    if not before and after:
        shown.insert(0, DiffTerm(TermState.REMOVED, NO_RECORD))
    if before and not after:
        shown.append(DiffTerm(TermState.ADDED, NO_RECORD))
    more = len(shown) - TERMS_SHOWN
    if more > 0:
        rest = DiffTerm(TermState.KEPT, f"… {counted(more, 'more term')}")
        shown = [*shown[:TERMS_SHOWN], rest]
    return tuple(shown)


def _said(change: RecordChange) -> str:
    match change.kind:
        case ChangeKind.FIRST_SEEN if change.by:
            return f"first seen, {accepted(change.by, change.reason)}"
        case ChangeKind.ACCEPTED:
            return accepted(change.by, change.reason)
    word = "first seen" if change.kind is ChangeKind.FIRST_SEEN else "changed"
    if not change.classification:
        return f"{word}, as accepted"
    how = "" if change.classification == word else f", {change.classification}"
    return f"{word}{how}: {one_line(change.reason)}"


def _terms(change: RecordChange, seen: str | None) -> tuple[DiffTerm, ...]:
    if seen is not None and change.kind is ChangeKind.CHANGED:
        return _without_kept(shown_diff(seen, change.text))
    if seen == change.text:
        return ()
    return shown_diff(change.text, change.text)


def _without_kept(terms: tuple[DiffTerm, ...]) -> tuple[DiffTerm, ...]:
    return tuple(term for term in terms if term.state is not TermState.KEPT)
