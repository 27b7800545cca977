import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import dmarc
from monitor.protocol.dmarc import Alignment


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", {}),
        ("; rua=mailto:a@One.example", {"one.example": ("a@One.example",)}),
        (
            "; rua=mailto:a@one.example!10m,mailto:b@two.example; ruf=mailto:c@one.example",
            {"one.example": ("a@one.example", "c@one.example"), "two.example": ("b@two.example",)},
        ),
        (
            "; rua=mailto:a@one.example; ruf=mailto:a@one.example",
            {"one.example": ("a@one.example",)},
        ),
        ("; rua=https://one.example/r", {}),
    ],
)
def test_reports_go_to_mail_addresses_by_host(
    tags: str, expected: dict[str, tuple[str, ...]]
) -> None:
    assert dmarc.destinations(dmarc.read(f"v=DMARC1; p=none{tags}")) == expected


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        (["v=DMARC1"], ""),
        (["v=DMARC1;"], ""),
        (["v=DMARC1; rua=mailto:x@R.example"], ""),
        (["something else", "v=DMARC1"], ""),
        ([], "no record"),
        (["v=DMARC 1"], "no record"),
        (["v=DMARC1; rua=mailto:x@other.example"], "another host"),
        (["v=DMARC1; rua=mailto:x@sub.r.example"], "another host"),
    ],
)
def test_a_destination_takes_reports_or_does_not(texts: list[str], part: str) -> None:
    """RFC 9990 §4, steps 6 to 9."""
    refusal = dmarc.refusal(texts, "r.example")
    assert part in refusal
    assert bool(part) is bool(refusal)


def test_a_name_that_is_too_long_cannot_give_leave() -> None:
    label = ".".join(["a" * 60] * 4)
    assert dmarc.authorisation_name("example.com", label) is None
    name = dmarc.authorisation_name("example.com", "b.example")
    assert name == "example.com._report._dmarc.b.example"


ORGANISATIONS = {
    "a.example": "a.example",
    "b.a.example": "a.example",
    "c.a.example": "a.example",
    "own.a.example": "own.a.example",
    "other.example": "other.example",
}


@pytest.mark.parametrize(
    ("author", "authenticated", "relaxed", "strict"),
    [
        ("a.example", "a.example", True, True),
        ("a.example", "b.a.example", True, False),
        ("b.a.example", "c.a.example", True, False),
        ("a.example", "own.a.example", False, False),
        ("a.example", "other.example", False, False),
    ],
)
def test_names_align(author: str, authenticated: str, relaxed: bool, strict: bool) -> None:
    assert dmarc.aligned(author, authenticated, ORGANISATIONS, Alignment.RELAXED) is relaxed
    assert dmarc.aligned(author, authenticated, ORGANISATIONS, Alignment.STRICT) is strict


@pytest.mark.parametrize(
    ("tag", "percentage"),
    [
        ("", 100),
        ("; pct=0", 0),
        ("; pct=20", 20),
        ("; pct=100", 100),
        ("; pct=101", 100),
        ("; pct=x", 100),
        ("; pct=٣", 100),
    ],
)
def test_the_share_of_mail_by_rfc_7489(tag: str, percentage: int) -> None:
    assert dmarc.read(f"v=DMARC1; p=reject{tag}").percentage == percentage


@given(st.lists(st.text(max_size=40) | st.text(max_size=40).map("v=DMARC1; rua=mailto:".__add__)))
@settings(max_examples=100)
def test_any_texts_are_judged(texts: list[str]) -> None:
    assert isinstance(dmarc.refusal(texts, "r.example"), str)
