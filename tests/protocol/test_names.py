import pytest

from monitor.protocol.names import folded, is_host_name, with_parents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mx1.example.com", True),
        ("xn--bcher-kva.example.", True),
        ("localhost", True),
        ("a" * 63 + ".example", True),
        ("a" * 64 + ".example", False),
        (".".join(["a" * 62] * 4) + ".b", True),
        (".".join(["a" * 62] * 4) + ".bc", False),
        ("-a.example", False),
        ("a_b.example", False),
        ("192.0.2.1", False),
        ("bücher.example", False),
        ("", False),
    ],
)
def test_host_names(text: str, expected: bool) -> None:
    assert is_host_name(text) is expected


def test_names_fold_by_case_and_final_dot() -> None:
    assert folded("Example.COM.") == "example.com"


def test_a_name_stands_before_those_above_it() -> None:
    assert with_parents("A.example.COM.") == ["a.example.com", "example.com", "com"]
    assert with_parents("a." * 200 + "com") == [], "no name is so long"
