"""Kept states, rosters, baselines and records' changes as JSON text and back, exactly.

Fields at their default are left out, so that the many quiet targets stay small. Text is ASCII with
escapes: whatever a server sent (lone surrogates, control characters) comes back as it was.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from monitor.model import Finding, Sample, Severity, Status
from monitor.store.kept import Baseline, Change, Course, Kept, KeptFinding, KeptSubject
from monitor.store.records import ChangeKind, RecordChange

_Json = dict[str, Any]


def encode_kept(kept: Kept) -> str:
    """JSON text; of the roster its key. Raises TypeError where a check put something into a sample that JSON has no word for."""
    fields: _Json = {
        "check": kept.check,
        "target": kept.target,
        "domain": kept.domain,
        "status": kept.status,
        "status_since": kept.status_since,
        "looked_at": kept.looked_at,
        "known_at": kept.known_at,
    }
    optional: _Json = {
        "subjects": [_subject_out(key, subject) for key, subject in kept.subjects.items()],
        "clean": kept.clean,
        "clean_weight": kept.clean_weight,
        "roster": roster_key(kept.roster) if kept.roster else "",
        "samples": [_sample_out(sample) for sample in kept.samples],
        "failure": kept.failure,
        "history": [[change.at, change.status, list(change.codes)] for change in kept.history],
        "courses": [_course_out(course) for course in kept.courses],
    }
    return _text(fields | _filled(optional))


def decode_kept(text: str, rosters: Mapping[str, frozenset[str]]) -> Kept:
    """What `encode_kept` was given; `rosters` by their keys, one that is missing there is empty.

    Raises ValueError, KeyError or TypeError where the text is not one of its.
    """
    fields = _object(text)
    return Kept(
        check=fields["check"],
        target=fields["target"],
        domain=fields["domain"],
        status=Status(fields["status"]),
        status_since=fields["status_since"],
        looked_at=fields["looked_at"],
        known_at=fields["known_at"],
        subjects=dict(_subject_in(item) for item in fields.get("subjects", ())),
        clean=fields.get("clean", 0),
        clean_weight=fields.get("clean_weight", 0.0),
        roster=rosters.get(fields.get("roster", ""), frozenset()),
        samples=tuple(_sample_in(item) for item in fields.get("samples", ())),
        failure=fields.get("failure", ""),
        history=tuple(
            Change(at, Status(status), tuple(codes))
            for at, status, codes in fields.get("history", ())
        ),
        courses=tuple(Course(**item) for item in fields.get("courses", ())),
    )


@lru_cache(256)  # very many targets have the same
def roster_key(roster: frozenset[str]) -> str:
    """What kept states name a roster by: a hash of its text."""
    return hashlib.blake2b(encode_roster(roster).encode(), digest_size=12).hexdigest()


def encode_roster(roster: frozenset[str]) -> str:
    """JSON text, the same for the same names."""
    return json.dumps(sorted(roster), separators=(",", ":"))


def decode_roster(text: str) -> frozenset[str]:
    """What `encode_roster` was given. Raises ValueError or TypeError where the text is not one of its."""
    return frozenset(json.loads(text))


def encode_baseline(baseline: Baseline) -> str:
    """JSON text."""
    return _text(
        {
            "check": baseline.check,
            "target": baseline.target,
            "subject": baseline.subject,
            "accepted": baseline.accepted,
            "accepted_at": baseline.accepted_at,
            "seen": baseline.seen,
            "changed_at": baseline.changed_at,
            "classification": baseline.classification,
            "reason": baseline.reason,
        }
        | _filled(
            {
                "accepted_by": baseline.accepted_by,
                "accepted_reason": baseline.accepted_reason,
            }
        )
    )


def decode_baseline(text: str) -> Baseline:
    """What `encode_baseline` was given. Raises ValueError or TypeError where the text is not one of its."""
    fields = _object(text)
    # The same few names in every record: one text of each in memory.
    return Baseline(**fields | {"accepted_by": sys.intern(fields.get("accepted_by", ""))})


def encode_change(change: RecordChange) -> str:
    """JSON text."""
    fields: _Json = {"at": change.at, "kind": change.kind, "text": change.text}
    optional: _Json = {
        "classification": change.classification,
        "reason": change.reason,
        "by": change.by,
    }
    return _text(fields | _filled(optional))


def decode_change(text: str) -> RecordChange:
    """What `encode_change` was given. Raises ValueError, KeyError or TypeError where the text is not one of its."""
    fields = _object(text)
    return RecordChange(**fields | {"kind": ChangeKind(fields["kind"])})


def _subject_out(key: str, subject: KeptSubject) -> _Json:
    optional: _Json = {
        "findings": [_finding_out(finding) for finding in subject.findings],
        "samples": [_sample_out(sample) for sample in subject.samples],
        "unknown_reason": subject.unknown_reason,
    }
    fields = {"key": key, "subject": subject.subject, "known_at": subject.known_at} | _filled(
        optional
    )
    if subject.record is not None:
        fields["record"] = subject.record
    if subject.weight != 1:
        fields["weight"] = subject.weight
    return fields


def _subject_in(fields: _Json) -> tuple[str, KeptSubject]:
    subject = KeptSubject(
        subject=fields["subject"],
        known_at=fields["known_at"],
        findings=tuple(_finding_in(item) for item in fields.get("findings", ())),
        samples=tuple(_sample_in(item) for item in fields.get("samples", ())),
        record=fields.get("record"),
        unknown_reason=fields.get("unknown_reason", ""),
        weight=fields.get("weight", 1.0),
    )
    return fields["key"], subject


def _course_out(course: Course) -> _Json:
    fields: _Json = {
        "subject": course.subject,
        "code": course.code,
        "first_seen": course.first_seen,
        "last_seen": course.last_seen,
    }
    optional: _Json = {"returns": course.returns}
    # A time of 0 is a time.
    times: _Json = {"flapped_at": course.flapped_at, "gone_at": course.gone_at}
    given = {name: at for name, at in times.items() if at is not None}
    return fields | _filled(optional) | given


def _finding_out(kept: KeptFinding) -> _Json:
    finding = kept.finding
    optional: _Json = {
        "fix": finding.fix,
        "evidence": finding.evidence,
        "own": finding.severity or "",
    }
    return {
        "short": finding.code,
        "summary": finding.summary,
        "code": kept.code,
        "severity": kept.severity,
        "since": kept.since,
    } | _filled(optional)


def _finding_in(fields: _Json) -> KeptFinding:
    own = fields.get("own")
    finding = Finding(
        code=fields["short"],
        summary=fields["summary"],
        fix=fields.get("fix", ""),
        evidence=fields.get("evidence", ""),
        severity=Severity(own) if own else None,
    )
    return KeptFinding(finding, fields["code"], fields["severity"], fields["since"])


def _sample_out(sample: Sample) -> list[Any]:
    return [sample.gauge, sample.value, dict(sample.labels)]


def _sample_in(item: list[Any]) -> Sample:
    gauge, value, labels = item
    return Sample(gauge, value, labels)


def _filled(fields: Mapping[str, Any]) -> _Json:
    return {name: value for name, value in fields.items() if value}


def _text(fields: _Json) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _object(text: str) -> _Json:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError(f"a JSON object expected, not {type(fields).__name__}")
    return fields
