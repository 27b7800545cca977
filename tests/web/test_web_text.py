"""Text from outside comes out harmless; times come out readable."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.web import text
from monitor.web.pages import coded

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(alphabet=st.characters(codec=None), max_size=600))
@example("\x1b]0;title\x07\x9b31m\u202e\u2066\ufeff\u200b\ud800\U000e0041")
def test_nothing_invisible_is_left(outside):
    shown = text.visible(outside)
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in HIDDEN]
    assert "\n" not in text.one_line(outside)
    shown.encode()


@given(
    st.text(
        alphabet=st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=500
    )
)
def test_plain_text_stays_as_it_is(plain):
    assert text.visible(plain) == plain


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("two\nlines", "two\nlines"),
        ("grüße ✓ 名前", "grüße ✓ 名前"),
        ("x" * 501, "x" * 500 + "…"),
    ],
)
def test_what_is_shown(outside, shown):
    assert text.visible(outside) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "now"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (47 * 3600, "47 h"),
        (8 * 86400, "8 days"),
    ],
)
def test_spans(seconds, shown):
    assert text.span(seconds) == shown
    assert text.ago(seconds) == (shown if shown == "now" else f"{shown} ago")


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("End it with `~all`.", "End it with <code>~all</code>."),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("a ` <b>", "a ` &lt;b&gt;"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_backticks_are_code_and_everything_is_escaped(said, html):
    assert coded(said) == html
