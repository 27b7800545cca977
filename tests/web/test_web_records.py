"""Records and their histories as people read them."""

import pytest

from monitor.store.records import ChangeKind, RecordChange
from monitor.web.records import NO_RECORD, TERMS_SHOWN, Step, accepted, shown_diff, steps

SIGNS = {"kept": " ", "removed": "-", "added": "+"}


def lines(terms):
    return [SIGNS[term.state] + term.text for term in terms]


@pytest.mark.parametrize(
    ("by", "reason", "said"),
    [
        ("first sight", "", "accepted on first sight"),
        ("configuration", "", "accepted by the configuration"),
        ("", "", "accepted (by whom is not recorded)"),
        ("Alice", "", "accepted by Alice"),
        ("Al\u202eice", "why\x1b", "accepted by Al\\u202eice: why\\x1b"),
    ],
)
def test_who_accepted_is_always_said(by, reason, said):
    assert accepted(by, reason) == said


def test_a_history_reads_from_the_newest_step_to_the_oldest():
    """A change is told against what was seen before it, whatever was accepted in between."""
    history = [
        RecordChange(1.0, ChangeKind.FIRST_SEEN, "a; b", by="first sight"),
        RecordChange(2.0, ChangeKind.CHANGED, "a; c", "changed", "b → c"),
        RecordChange(3.0, ChangeKind.ACCEPTED, "a; c", reason="planned", by="Alice"),
        RecordChange(4.0, ChangeKind.ACCEPTED, "x", by="configuration"),
        RecordChange(5.0, ChangeKind.CHANGED, "", "vanished", "gone"),
        RecordChange(6.0, ChangeKind.CHANGED, "x"),
    ]
    assert [(step.said, lines(step.terms)) for step in steps(history)] == [
        ("changed, as accepted", [f"-{NO_RECORD}", "+x"]),
        ("changed, vanished: gone", ["-a", "-c", f"+{NO_RECORD}"]),
        ("accepted by the configuration", [" x"]),
        ("accepted by Alice: planned", []),
        ("changed: b → c", ["-b", "+c"]),
        ("first seen, accepted on first sight", [" a", " b"]),
    ]


def test_a_history_that_was_cut_begins_with_the_whole_record():
    [step] = steps([RecordChange(1.0, ChangeKind.CHANGED, "a; b", "weakened", "r")])
    said = "changed, weakened: r"
    assert step == Step(1.0, ChangeKind.CHANGED, said, shown_diff("a; b", "a; b"))


def test_long_records_are_cut_and_what_changed_is_shown_first():
    many = "v=spf1 " + " ".join(f"a:{number}" for number in range(3 * TERMS_SHOWN))
    assert lines(shown_diff(many, many))[-1] == f" … {2 * TERMS_SHOWN + 1} more terms"
    assert lines(shown_diff(many, f"{many} -all")) == ["+-all"]
    [cut] = lines(shown_diff("k" * 600, "k" * 600))
    assert len(cut) == 502
    assert lines(shown_diff("", "")) == [f" {NO_RECORD}"]


def test_terms_come_out_harmless():
    assert lines(shown_diff("a\x1b", "a\u202e")) == ["-a\\x1b", "+a\\u202e"]
