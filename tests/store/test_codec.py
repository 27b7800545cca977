"""Kept states and baselines survive the way through text exactly."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Finding, Sample, Severity, Status
from monitor.store.codec import (
    decode_baseline,
    decode_change,
    decode_kept,
    decode_roster,
    encode_baseline,
    encode_change,
    encode_kept,
    encode_roster,
    roster_key,
)
from monitor.store.kept import Baseline, Change, Course, Kept, KeptFinding, KeptSubject
from monitor.store.records import ChangeKind, RecordChange

# Whatever a server sends ends in evidence: surrogates and control characters included.
texts = st.text(st.characters(), max_size=20)
numbers = st.floats(allow_nan=False) | st.integers(-(2**63), 2**63)
severities = st.sampled_from(Severity)

samples = st.builds(Sample, texts, numbers, st.dictionaries(texts, texts, max_size=2))
findings = st.builds(Finding, texts, texts, texts, texts, st.none() | severities)
subjects = st.builds(
    KeptSubject,
    subject=texts,
    known_at=st.none() | numbers,
    findings=st.lists(
        st.builds(KeptFinding, findings, texts, severities.map(str), numbers), max_size=2
    ).map(tuple),
    samples=st.lists(samples, max_size=2).map(tuple),
    record=st.none() | texts,
    unknown_reason=texts,
    weight=numbers,
)
changes = st.builds(
    Change, numbers, st.sampled_from(Status), st.lists(texts, max_size=2).map(tuple)
)
courses = st.builds(
    Course,
    texts,
    texts,
    numbers,
    numbers,
    st.integers(0, 100),
    st.none() | numbers,
    st.none() | numbers,
)
states = st.builds(
    Kept,
    check=texts,
    target=texts,
    domain=texts,
    status=st.sampled_from(Status),
    status_since=numbers,
    looked_at=numbers,
    known_at=st.none() | numbers,
    subjects=st.dictionaries(texts, subjects, max_size=2),
    clean=st.integers(0, 1000),
    clean_weight=numbers,
    roster=st.frozensets(texts, max_size=3),
    samples=st.lists(samples, max_size=2).map(tuple),
    failure=texts,
    history=st.lists(changes, max_size=2).map(tuple),
    courses=st.lists(courses, max_size=2).map(tuple),
)
baselines = st.builds(
    Baseline, texts, texts, texts, texts, numbers, texts, numbers, texts, texts, texts, texts
)
record_changes = st.builds(
    RecordChange, numbers, st.sampled_from(ChangeKind), texts, texts, texts, texts
)


@settings(max_examples=100)
@given(states)
def test_kept_states_round_trip(kept: Kept) -> None:
    again = decode_kept(encode_kept(kept), {roster_key(kept.roster): kept.roster})
    assert again == kept
    # Equality does not tell a text from a StrEnum.
    assert isinstance(again.status, Status)
    assert all(isinstance(change.status, Status) for change in again.history)
    own = [
        kept.finding.severity for subject in again.subjects.values() for kept in subject.findings
    ]
    assert all(severity is None or isinstance(severity, Severity) for severity in own)
    encode_kept(again).encode("ascii")


@given(st.frozensets(texts, max_size=5))
def test_rosters_round_trip(roster: frozenset[str]) -> None:
    assert decode_roster(encode_roster(roster)) == roster


@given(baselines)
def test_baselines_round_trip(baseline: Baseline) -> None:
    assert decode_baseline(encode_baseline(baseline)) == baseline


@given(record_changes)
def test_changes_of_records_round_trip(change: RecordChange) -> None:
    again = decode_change(encode_change(change))
    assert again == change
    assert isinstance(again.kind, ChangeKind)


def test_a_value_that_is_no_number_round_trips() -> None:
    """NaN is a legal sample (an average of nothing); JSON's own grammar has no word for it."""
    kept = Kept("c", "t", "d", Status.OK, 1.0, 1.0, 1.0, samples=(Sample("g", math.nan),))
    assert math.isnan(decode_kept(encode_kept(kept), {}).samples[0].value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"check": 1}', "nonsense"])
def test_text_that_is_no_state_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode_kept(text, {})
