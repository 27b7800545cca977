from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import smtp_reply
from monitor.protocol.smtp_reply import EnhancedCode, Reply, ReplyError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("220 mx.example ESMTP\r\n", Reply(220, None, ("mx.example ESMTP",))),
        ("250", Reply(250, None, ("",))),
        (
            "550-5.7.1 Our system\r\n550-5.7.1 has detected\r\n550 5.7.1 spam\r\n",
            Reply(550, EnhancedCode(5, 7, 1), ("Our system", "has detected", "spam")),
        ),
        ("421 4.7.0", Reply(421, EnhancedCode(4, 7, 0), ("",))),
        ("451 see 4.7.0 there", Reply(451, None, ("see 4.7.0 there",))),
        ("554 5.7.1234 x", Reply(554, None, ("5.7.1234 x",))),
    ],
)
def test_replies(text: str, expected: Reply) -> None:
    assert smtp_reply.parse(text) == expected


def test_the_text_of_all_lines() -> None:
    reply = smtp_reply.parse("450-4.2.1 try\n450 4.2.1 later")
    assert (str(reply.enhanced), reply.text) == ("4.2.1", "try later")


@pytest.mark.parametrize(
    ("code", "positive", "temporary"),
    [
        (299, True, False),
        (300, False, False),
        (399, False, False),
        (400, False, True),
        (499, False, True),
        (500, False, False),
    ],
)
def test_the_first_digit_tells_what_to_do(code: int, positive: bool, temporary: bool) -> None:
    reply = smtp_reply.parse(f"{code} x")
    assert (reply.positive, reply.temporary) == (positive, temporary)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("hello", "syntax"),
        ("199 x", "syntax"),
        ("25 x", "syntax"),
        ("2500 x", "syntax"),
        ("250 a\r\n\r\n", "unfinished"),
        ("250-a\r\n", "unfinished"),
        ("250 a\r\n250 b", "unfinished"),
        ("250-a\r\n251 b", "mixed_codes"),
        ("٢٥٠ x", "syntax"),
    ],
)
def test_what_is_no_whole_reply(text: str, code: str) -> None:
    with pytest.raises(ReplyError) as caught:
        smtp_reply.parse(text)
    assert caught.value.code == code


def test_ehlo_keywords() -> None:
    lines = ("mx.example Hello", "SIZE 35882577", "starttls", "AUTH PLAIN LOGIN", "=bad", "")
    assert smtp_reply.ehlo_keywords(lines) == {
        "SIZE": "35882577",
        "STARTTLS": "",
        "AUTH": "PLAIN LOGIN",
    }
    assert smtp_reply.ehlo_keywords(()) == {}


rows = st.text(st.characters(exclude_characters="\r\n"), max_size=20)


@given(st.integers(200, 599), st.lists(rows, min_size=1, max_size=4))
@settings(max_examples=100)
def test_what_a_server_says_is_read_line_by_line(code: int, texts: list[str]) -> None:
    wire = "".join(f"{code}-{text}\r\n" for text in texts[:-1]) + f"{code} {texts[-1]}\r\n"
    reply = smtp_reply.parse(wire)
    assert (reply.code, len(reply.lines)) == (code, len(texts))


@given(st.text() | st.text("0123456789- .\r\n"))
@settings(max_examples=200)
def test_no_text_raises_anything_but_reply_error(text: str) -> None:
    with suppress(ReplyError):
        assert 200 <= smtp_reply.parse(text).code <= 599
