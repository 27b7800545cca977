import pytest

from monitor.protocol.tags import MOST_TAGS, Tag, read_tags


def test_tags_keep_their_order_value_and_place() -> None:
    assert read_tags("v=DKIM1 ; k = rsa;p=", fold_case=False).tags == (
        Tag("v", "DKIM1", 0),
        Tag("k", "rsa", 10),
        Tag("p", "", 18),
    )


def test_names_fold_only_where_the_format_says_so() -> None:
    assert [tag.name for tag in read_tags("V=1; v=2", fold_case=False).tags] == ["V", "v"]
    assert [p.code for p in read_tags("V=1; v=2", fold_case=True).problems] == ["duplicate_tag"]


def test_of_a_tag_that_occurs_twice_the_first_is_kept() -> None:
    tags = read_tags("a=1;b=2;a=3", fold_case=False)
    assert [(tag.name, tag.value) for tag in tags.tags] == [("a", "1"), ("b", "2")]
    assert [(p.code, p.offset) for p in tags.problems] == [("duplicate_tag", 8)]


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("a=1; b", "syntax", 5),
        ("a=1;; b=2", "empty_tag", 4),
        ("a=1; 1b=2", "syntax", 5),
        ("a=1; =2", "syntax", 5),
        ("a=1; b=\x07", "syntax", 5),
        ("a=1; b=é", "syntax", 5),
    ],
)
def test_what_is_wrong_is_located_and_the_rest_is_read(text: str, code: str, offset: int) -> None:
    tags = read_tags(text, fold_case=False)
    assert [(p.code, p.offset) for p in tags.problems] == [(code, offset)]
    assert tags.get("a") == Tag("a", "1", 0)


@pytest.mark.parametrize("text", ["a=1;", "a=1 ; \t", "a=1"])
def test_one_semicolon_may_end_the_list(text: str) -> None:
    assert read_tags(text, fold_case=False).problems == ()


@pytest.mark.parametrize("end", ["", ";", "; "])
@pytest.mark.parametrize(("number", "codes"), [(MOST_TAGS, []), (MOST_TAGS + 1, ["too_many_tags"])])
def test_a_list_has_a_most_of_tags(number: int, codes: list[str], end: str) -> None:
    read = read_tags(";".join(f"a{n}=1" for n in range(number)) + end, fold_case=False)
    assert len(read.tags) == MOST_TAGS
    assert [problem.code for problem in read.problems] == codes
