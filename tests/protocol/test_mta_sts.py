import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import mta_sts
from monitor.protocol.mta_sts import Mode, StsPolicyError, StsRecordError
from tests.protocol.limits import in_time

POLICY = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=STSv1; id=1", True),
        ("v=STSv1 ; id=1", True),
        ("v=STSv1", True),
        ("v=STSv1 id=1", False),
        ("v=STSv12; id=1", False),
        ("V=STSv1; id=1", False),
        (" v=STSv1; id=1", False),
        ("v=spf1 -all", False),
        ("", False),
    ],
)
def test_a_record_is_known_by_its_version(text: str, expected: bool) -> None:
    assert mta_sts.is_record(text) is expected


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("v=STSv1; id=20240101T010101;", []),
        ("v=STSv1;\tid=20240101T010101 ;  ", []),
        ("v=STSv1; a.b-c_d=x:/; id=20240101T010101; ID=-", []),
        ("v=STSv1;id=20240101T010101;id=-", [("duplicate_field", 27)]),
        ("v=STSv1 ;id=20240101T010101", [("space_before_semicolon", 7)]),
    ],
)
def test_unknown_fields_are_ignored_and_of_two_ids_the_first_counts(
    text: str, problems: list[tuple[str, int]]
) -> None:
    record = mta_sts.parse_record(text)
    assert record.id == "20240101T010101"
    assert [(problem.code, problem.offset) for problem in record.problems] == problems


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("v=STSv2; id=1", "version", 0),
        ("v=STSv1", "id", 7),
        ("v=STSv1; id=", "syntax", 9),
        ("v=STSv1; id=a-b", "id", 9),
        ("v=STSv1; id=" + "1" * 33, "id", 9),
        ("v=STSv1;; id=1", "empty_field", 8),
        ("v=STSv1; id=1;;", "empty_field", 14),
        ("v=STSv1; id = 1", "syntax", 9),
        ("v=STSv1; id=1; é=1", "syntax", 15),
        ("v=STSv1; id=1; rest", "syntax", 15),
    ],
)
def test_a_record_of_which_senders_take_nothing_is_refused_with_the_place(
    text: str, code: str, offset: int
) -> None:
    with pytest.raises(StsRecordError) as caught:
        mta_sts.parse_record(text)
    assert (caught.value.code, caught.value.offset) == (code, offset)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_policy_is_read_with_either_line_end_and_in_any_order(end: str) -> None:
    lines = ["mx: MAIL.example.com", "max_age:604800 ", "mx: *.example.net", "version: STSv1"]
    body = end.join([*lines, "x-other: é: 1", "mode: testing", "mx: mail.example.com"])
    for ending in ("", end):
        policy = mta_sts.parse_policy((body + ending).encode())
        assert (policy.mode, policy.max_age) == (Mode.TESTING, 604800)
        assert policy.mx == ("mail.example.com", "*.example.net")
        assert policy.problems == ()


def test_only_the_mode_none_needs_no_mx() -> None:
    assert mta_sts.parse_policy(b"version: STSv1\nmode: none\nmax_age: 0").mx == ()


def test_of_a_field_that_may_not_repeat_the_first_counts_and_blank_lines_are_named() -> None:
    policy = mta_sts.parse_policy((POLICY + "\nmode: none\nmax_age: x\n\nmode: none").encode())
    assert (policy.mode, policy.max_age) == (Mode.ENFORCE, 604800)
    assert [(p.code, p.offset) for p in policy.problems] == [
        ("duplicate_field", 67),
        ("duplicate_field", 78),
        ("blank_line", 66),
    ]


@pytest.mark.parametrize(
    ("body", "code", "offset"),
    [
        (b"", "version", 0),
        (POLICY.replace("STSv1", "stsv1").encode(), "version", 0),
        (POLICY.replace("enforce", "Enforce").encode(), "mode", 15),
        (POLICY.replace("mode: enforce", "Mode: enforce").encode(), "mode", 0),
        (POLICY.replace("604800", "-1").encode(), "max_age", 50),
        (POLICY.replace("604800", "31557601").encode(), "max_age", 50),
        (POLICY.replace("604800", "1" * 5000).encode(), "max_age", 50),
        (POLICY.replace("604800", "٣").encode(), "max_age", 50),
        (POLICY.replace("max_age: 604800\n", "").encode(), "max_age", 0),
        (POLICY.replace("mx: mail.example.com\n", "").encode(), "mx", 45),
        (POLICY.replace("mail.example.com", "*").encode(), "mx", 29),
        (POLICY.replace("mail.example.com", "m*.example.com").encode(), "mx", 29),
        (POLICY.replace("mail.example.com", "mail.example.com.").encode(), "mx", 29),
        (POLICY.replace("mail.example.com", "192.0.2.1").encode(), "mx", 29),
        (POLICY.replace("mail.example.com", "é.example").encode(), "mx", 29),
        (POLICY.replace("mode: ", "mode : ").encode(), "syntax", 15),
        (POLICY.replace("mode: ", " mode: ").encode(), "syntax", 15),
        (POLICY.replace("mode: enforce", "mode").encode(), "syntax", 15),
        (POLICY.replace("\n", "\r").encode(), "syntax", 0),
        (b"\xef\xbb\xbf" + POLICY.encode(), "syntax", 0),
        (b"<html><title>404: not found</title></html>", "syntax", 0),
        (POLICY.encode() + b"x: \xff", "encoding", 69),
        (POLICY.encode() + b" " * 65536, "size", 65536),
    ],
)
def test_a_policy_that_senders_must_not_apply_is_refused_with_the_place(
    body: bytes, code: str, offset: int
) -> None:
    with pytest.raises(StsPolicyError) as caught:
        mta_sts.parse_policy(body)
    assert (caught.value.code, caught.value.offset) == (code, offset)


def test_the_largest_policy_and_the_longest_age_are_still_taken() -> None:
    body = POLICY.replace("604800", "31557600").encode()
    policy = mta_sts.parse_policy(body + b"x: " + b"y" * (65536 - len(body) - 3))
    assert policy.max_age == 31557600


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("mail.example.com", "MAIL.example.com.", True),
        ("mail.example.com", "mail2.example.com", False),
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "a.mail.example.com", False),
        ("example.com", "mail.example.com", False),
    ],
)
def test_a_star_stands_for_one_label(pattern: str, host: str, expected: bool) -> None:
    assert mta_sts.matches(pattern, host) is expected
    policy = mta_sts.parse_policy(POLICY.replace("mail.example.com", pattern).encode())
    assert policy.names(host) is expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain", True),
        ("Text/Plain ; charset=utf-8", True),
        ("text/plainer", False),
        ("text/html", False),
        ("", False),
    ],
)
def test_only_plain_text_is_a_policy(content_type: str, expected: bool) -> None:
    assert mta_sts.is_plain_text(content_type) is expected


FIELDS = st.lists(st.sampled_from(["v=STSv1", "id=1", "id=", " ", "x=y", "é", "=", "id=a b"]))


@given(st.text(max_size=60) | FIELDS.map(";".join) | FIELDS.map(";".join).map("v=STSv1;".__add__))
@settings(max_examples=200)
def test_any_text_is_a_record_or_the_declared_error(text: str) -> None:
    try:
        record = mta_sts.parse_record(text)
    except StsRecordError as error:
        offset = error.offset
    else:
        offset = 0
        assert mta_sts.is_record(text)
        if not text.rstrip(" \t").endswith(";"):
            assert record == mta_sts.parse_record(text + ";")
    assert 0 <= offset <= len(text)


LINES = st.lists(
    st.sampled_from(
        [*POLICY.splitlines(), "mode: none", "mx: *.a", "mx:", "x: é", ":", "", "a b: c", "\r"]
    )
)


@given(st.binary(max_size=60) | LINES.map("\n".join).map(str.encode))
@settings(max_examples=200)
def test_any_bytes_are_a_policy_or_the_declared_error(body: bytes) -> None:
    try:
        policy = mta_sts.parse_policy(body)
    except StsPolicyError as error:
        offset = error.offset
    else:
        assert policy.mx or policy.mode is Mode.NONE
        assert 0 <= policy.max_age <= 31557600
        offset = max((problem.offset for problem in policy.problems), default=0)
    assert 0 <= offset <= len(body)


@pytest.mark.parametrize(
    "line", [b"a:b\n", b"\n", b"mx:a\n", b"mode:x\n", b"\xc3\xa9", b" "], ids=repr
)
def test_the_largest_body_is_judged_in_50_ms(line: bytes) -> None:
    body = (POLICY.encode() + line * 65536)[:65536]
    with in_time(), contextlib.suppress(StsPolicyError):
        mta_sts.parse_policy(body)
