"""What a scalar of the file is."""

import pytest

from monitor.config import document


@pytest.mark.parametrize(
    ("written", "value"),
    [("null", None), ("~", None), ('"null"', "null"), ("'~'", "~"), ("nullable", "nullable")],
)
def test_null_is_nothing_and_in_quotes_a_word(written: str, value: object) -> None:
    assert document.parse(f"key: {written}\n".encode(), "file.yaml").plain() == {"key": value}
