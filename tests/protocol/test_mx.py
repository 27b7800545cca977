import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import mx
from monitor.protocol.mx import MxHost


def test_hosts_are_sorted_by_preference_and_folded() -> None:
    judged = mx.judge(["20 b.example.com", "10 A.Example.com.", "10 c.example.com"])
    assert judged.hosts == (
        MxHost(10, "a.example.com"),
        MxHost(10, "c.example.com"),
        MxHost(20, "b.example.com"),
    )
    assert (judged.null, judged.problems) == (False, ())


@pytest.mark.parametrize("text", ["0 .", "0 ", "0"])
def test_a_null_mx_says_that_no_mail_is_taken(text: str) -> None:
    judged = mx.judge([text])
    assert (judged.hosts, judged.null, judged.problems) == ((), True, ())


@pytest.mark.parametrize(
    ("records", "codes", "hosts"),
    [
        (["0 .", "10 a.example"], ["null_with_others"], 1),
        (["10 ."], ["null_preference"], 0),
        (["10 192.0.2.1"], ["address"], 0),
        (["10 2001:db8::1"], ["address"], 0),
        (["10 [192.0.2.1]"], ["address"], 0),
        (["10 a_b.example"], ["name"], 0),
        (["10 a..example"], ["name"], 0),
        (["10 a.example", "20 A.example"], ["duplicate"], 1),
        (["x a.example"], ["syntax"], 0),
        (["65536 a.example"], ["syntax"], 0),
        ([], [], 0),
    ],
)
def test_what_is_wrong_is_named(records: list[str], codes: list[str], hosts: int) -> None:
    judged = mx.judge(records)
    assert [problem.code for problem in judged.problems] == codes
    assert len(judged.hosts) == hosts


def test_of_two_preferences_of_a_host_the_better_counts() -> None:
    assert mx.judge(["20 a.example", "10 a.example"]).hosts == (MxHost(10, "a.example"),)


def test_the_highest_preference() -> None:
    assert mx.judge(["65535 a.example"]).hosts == (MxHost(65535, "a.example"),)


@given(st.lists(st.text(max_size=30) | st.text("0123. ab[:]-_").map("10 ".__add__), max_size=4))
@settings(max_examples=200)
def test_any_records_are_judged(records: list[str]) -> None:
    judged = mx.judge(records)
    assert list(judged.hosts) == sorted(judged.hosts)
    assert judged.hosts or judged.null or judged.problems or not records
