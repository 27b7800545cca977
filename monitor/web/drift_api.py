"""Watched records in the JSON API: what differs, every record, a record's history, accepting."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from monitor.protocol.record_diff import diff
from monitor.store.history import RecordKey
from monitor.store.kept import Baseline
from monitor.store.records import (
    Acceptance,
    AcceptanceError,
    ChangeKind,
    RecordChange,
    with_seen_before,
)
from monitor.web.backend import Snapshot
from monitor.web.text import iso, one_line

Filters = Mapping[str, str]

_NEEDED: Final = frozenset({"check", "target", "subject", "seen"})
_OPTIONAL: Final = frozenset({"by", "reason"})


def drift_json(snapshot: Snapshot, filters: Filters) -> dict[str, Any]:
    """The watched records that differ from what was accepted."""
    return {"drift": [_record(one) for one in _chosen(snapshot, filters) if one.classification]}


def records_json(snapshot: Snapshot, filters: Filters) -> dict[str, Any]:
    """Every watched record, or those that the filters leave."""
    return {"records": [_record(one) for one in _chosen(snapshot, filters)]}


def history_json(histories: Mapping[RecordKey, Sequence[RecordChange]]) -> dict[str, Any]:
    """The changes of records, the newest first."""
    told = [
        {"check": check, "target": target, "subject": subject} | _change(change, before)
        for (check, target, subject), history in histories.items()
        for change, before in with_seen_before(history)
    ]
    told.reverse()  # of one instant (the configuration accepts, a change is seen) the later comes first
    return {"history": sorted(told, key=lambda one: one["at"], reverse=True)}


def accept_request(body: bytes) -> tuple[dict[str, str], Acceptance]:
    """What to accept, by whom and why.

    Raises:
        web.HTTPBadRequest: the body is none of that.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is not JSON") from None
    if (
        not isinstance(data, dict)
        or not _NEEDED <= set(data) <= _NEEDED | _OPTIONAL
        or not all(isinstance(value, str) for value in data.values())
    ):
        needed, optional = ", ".join(sorted(_NEEDED)), " and ".join(sorted(_OPTIONAL))
        raise web.HTTPBadRequest(
            text=f"the body must have the texts {needed}, and may have {optional}"
        )
    try:
        acceptance = Acceptance.of(data.pop("by", ""), data.pop("reason", ""))
    except AcceptanceError as error:
        raise web.HTTPBadRequest(text=one_line(str(error))) from None
    return data, acceptance


def _chosen(snapshot: Snapshot, filters: Filters) -> list[Baseline]:
    return [
        one
        for one in snapshot.baselines
        if all(getattr(one, name) == value for name, value in filters.items())
    ]


def _record(one: Baseline) -> dict[str, Any]:
    # Whole and exact, since `seen` is sent back to accept it; JSON's own escapes keep it harmless.
    return {
        "check": one.check,
        "target": one.target,
        "subject": one.subject,
        "classification": one.classification,
        "reason": one_line(one.reason),
        "accepted": one.accepted,
        "accepted_at": iso(one.accepted_at),
        "accepted_by": one.accepted_by,
        "accepted_reason": one.accepted_reason,
        "seen": one.seen,
        "changed_at": iso(one.changed_at),
        "diff": _diff(one.accepted, one.seen),
    }


def _change(change: RecordChange, before: str | None) -> dict[str, Any]:
    changed = before is not None and change.kind is ChangeKind.CHANGED
    return {
        "at": iso(change.at),
        "kind": change.kind,
        "text": change.text,
        "classification": change.classification,
        "reason": one_line(change.reason),
        "by": change.by,
        "diff": _diff(before or "", change.text) if changed else [],
    }


def _diff(before: str, after: str) -> list[dict[str, str]]:
    return [{"state": term.state, "term": term.text} for term in diff(before, after)]
