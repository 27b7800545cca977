from collections.abc import Mapping, Sequence

import pytest

from monitor.protocol import spf
from monitor.protocol.spf import Cost

Texts = Mapping[str, Sequence[str] | None]


def count(record: str, texts: Texts) -> spf.LookupCount:
    return spf.count_lookups("example.com", spf.parse(record), texts)


@pytest.mark.parametrize(
    ("record", "texts", "lookups"),
    [
        ("v=spf1 -all", {}, 0),
        ("v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all", {}, 0),
        ("v=spf1 a mx ptr exists:x.example -all", {}, 4),
        ("v=spf1 -all a mx", {}, 0),
        ("v=spf1 a -all redirect=x.example", {}, 1),
        ("v=spf1 exp=x.example -all", {}, 0),
        ("v=spf1 include:A.example. -all", {"a.example": ["v=spf1 a mx -all", "else"]}, 3),
        ("v=spf1 redirect=a.example", {"a.example": ["v=spf1 mx -all"]}, 2),
        # What is included twice is looked up twice.
        ("v=spf1 include:a.example include:a.example", {"a.example": ["v=spf1 mx"]}, 4),
        ("v=spf1 include:a.example -all", {"a.example": None}, 1),
        ("v=spf1 include:%{d}.x.example -all", {}, 1),
    ],
)
def test_terms_that_look_up_are_counted(record: str, texts: Texts, lookups: int) -> None:
    assert count(record, texts).lookups == lookups


def test_the_tree_tells_who_uses_how_many() -> None:
    texts = {
        "a.example": ["v=spf1 a redirect=b.example"],
        "b.example": ["v=spf1 mx:c.example -all"],
    }
    assert count("v=spf1 include:a.example mx ip4:192.0.2.1 -all", texts).costs == (
        Cost(
            "include:a.example",
            4,
            (Cost("a", 1), Cost("redirect=b.example", 2, (Cost("mx:c.example", 1),))),
        ),
        Cost("mx", 1),
    )


def test_the_caller_is_told_what_to_ask_next() -> None:
    first = count("v=spf1 include:a.example include:b.example", {})
    assert first.missing == ("a.example", "b.example")
    texts = {"a.example": ["v=spf1 include:c.example"], "b.example": None}
    second = count("v=spf1 include:a.example include:b.example", texts)
    assert second.missing == ("c.example",)
    assert second.unanswered == ("b.example",)
    assert second.included == ("a.example", "c.example", "b.example")


def test_a_name_with_a_macro_is_not_asked() -> None:
    seen = count("v=spf1 include:%{d}.x.example", {})
    assert seen.missing == ()
    assert seen.by_message == ("%{d}.x.example",)


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({"a.example": []}, "no_record"),
        ({"a.example": ["v=spf1 -all", "v=spf1 ~all"]}, "several_records"),
        ({"a.example": ["v=spf1 +"]}, "mechanism"),
        ({"a.example": ["v=spf1 include:a.example"]}, "loop"),
        ({"a.example": ["v=spf1 redirect=Example.com"]}, "loop"),
    ],
)
def test_what_breaks_an_include_is_named(texts: Texts, code: str) -> None:
    seen = count("v=spf1 include:a.example", texts)
    assert [problem.code for problem in seen.problems] == [code]
    assert "a.example" in seen.problems[0].message


@pytest.mark.parametrize(("terms", "too_many"), [(10, False), (11, True)])
def test_more_than_ten_are_too_many(terms: int, too_many: bool) -> None:
    record = "v=spf1 " + " ".join(f"exists:x{n}.example" for n in range(terms))
    assert count(record, {}).too_many is too_many


def test_a_tree_that_doubles_at_each_level_is_not_walked_to_its_end() -> None:
    texts = {
        f"n{n}.example": [f"v=spf1 include:n{n + 1}.example include:n{n + 1}.example"]
        for n in range(60)
    }
    seen = count("v=spf1 include:n0.example", texts)
    assert seen.too_many
    assert seen.lookups == 50
