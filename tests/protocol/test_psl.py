import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol.psl import public_suffix, registrable_domain


@pytest.mark.parametrize(
    ("name", "registrable", "suffix"),
    [
        ("Mail.Example.CO.UK.", "example.co.uk", "co.uk"),
        ("co.uk", None, "co.uk"),
        ("a.b.no-such-tld", "b.no-such-tld", "no-such-tld"),
        ("www.食狮.公司.cn", "食狮.公司.cn", "公司.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn", "xn--55qx5d.cn"),
        ("a..example.com", None, None),
        ("", None, None),
    ],
)
def test_what_can_be_registered(name: str, registrable: str | None, suffix: str | None) -> None:
    assert (registrable_domain(name), public_suffix(name)) == (registrable, suffix)


@given(st.text() | st.lists(st.text("a.-*!é", max_size=3)).map(".".join))
@settings(max_examples=200, deadline=50)
def test_any_text_has_an_answer_that_it_ends_with(name: str) -> None:
    found, suffix = registrable_domain(name), public_suffix(name)
    assert found is None or name.lower().removesuffix(".").endswith(found)
    assert found is None or (suffix is not None and found.endswith(f".{suffix}"))


def test_the_list_is_not_read_before_the_first_question() -> None:
    code = "import sys, monitor.protocol.psl; sys.exit('publicsuffixlist' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
