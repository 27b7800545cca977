"""Differences of records, term by term."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.protocol.record_diff import TermState, diff, terms
from tests.protocol.limits import in_time

SIGNS = {TermState.KEPT: " ", TermState.REMOVED: "-", TermState.ADDED: "+"}


def shown(before: str, after: str) -> list[str]:
    return [SIGNS[term.state] + term.text for term in diff(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "v=DMARC1; p=reject; rua=mailto:a@b.example",
            "v=DMARC1;p=none;  rua=mailto:a@b.example;",
            [" v=DMARC1", "-p=reject", "+p=none", " rua=mailto:a@b.example"],
        ),
        (
            "v=spf1 ip4:192.0.2.1 include:a.example -all",
            "v=spf1 include:a.example include:b.example ~all",
            [" v=spf1", "-ip4:192.0.2.1", " include:a.example", "+include:b.example", "--all", "+~all"],
        ),
        (
            "v=DMARC1; p=reject; sp=reject; adkim=s",
            "v=DMARC1; p=none; sp=none",
            [" v=DMARC1", "-p=reject", "+p=none", "-sp=reject", "+sp=none", "-adkim=s"],
        ),
        ("10 mx1.example, 20 mx2.example", "10 mx1.example", [" 10 mx1.example", "-20 mx2.example"]),
        ("", "v=spf1 -all", ["+v=spf1", "+-all"]),
        ("v=DKIM1; p=AB CD", "", ["-v=DKIM1", "-p=AB CD"]),
        (
            "v=DMARC1; p=none",
            "inherited from example.com: v=DMARC1; p=none",
            ["-v=DMARC1", "+inherited from example.com: v=DMARC1", " p=none"],
        ),
        (
            "v=spf1 a -all",
            "several records: v=spf1 a -all | v=spf1 mx",
            ["+several", "+records:", " v=spf1", " a", " -all", "+v=spf1", "+mx"],
        ),
        ("one text", "another text", ["-one text", "+another text"]),
        ("", "", []),
    ],
)  # fmt: skip
def test_a_difference_reads_as_a_person_would_tell_it(
    before: str, after: str, expected: list[str]
) -> None:
    assert shown(before, after) == expected


# Records as they are and as nobody means them: few different terms, so that many are alike.
records = st.one_of(
    st.text(st.characters(), max_size=200),
    st.text("ab;| ,\n=", max_size=200),
    st.lists(st.sampled_from(("a", "b", "c", "include:x")), max_size=60).map(
        lambda words: "v=spf1 " + " ".join(words)
    ),
)


@given(records, records)
def test_applying_a_difference_gives_the_new_record(before: str, after: str) -> None:
    found = diff(before, after)
    kept_or = {
        state: tuple(term.text for term in found if term.state in {TermState.KEPT, state})
        for state in (TermState.ADDED, TermState.REMOVED)
    }
    assert kept_or[TermState.ADDED] == terms(after)
    assert kept_or[TermState.REMOVED] == terms(before)


@given(records)
def test_a_record_has_no_difference_from_itself_and_terms_lose_nothing_but_separators(
    record: str,
) -> None:
    assert {term.state for term in diff(record, record)} <= {TermState.KEPT}

    def letters(text: str) -> str:
        return "".join(char for char in text if not (char.isspace() or char in ";,|"))

    assert letters("".join(terms(record))) == letters(record)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" ".join(["v=spf1", *"ab" * 16_000]), " ".join(["v=spf1", *"ba" * 16_000])),
        ("a;" * 199 + "b", "b;" + "a;" * 199),
        ("v=spf1 " + "a " * 32_000, "v=spf1 " + "a " * 31_999 + "b"),
        (";" * 65_536, " " * 65_536),
        ("| " * 32_768, ", " * 32_768),
    ],
    ids=["many terms", "the most that is compared", "alike", "no terms", "separators"],
)
def test_no_record_takes_long(before: str, after: str) -> None:
    with in_time():
        diff(before, after)
