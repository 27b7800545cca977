"""Which resolvers strangers share."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol.public_resolvers import operator_of


@pytest.mark.parametrize(
    ("address", "operator"),
    [
        ("8.8.8.8", "Google Public DNS"),
        ("2001:4860:4860:0:0:0:0:8888", "Google Public DNS"),
        ("::ffff:1.1.1.1", "Cloudflare"),
        ("2620:FE::FE", "Quad9"),
        ("208.67.222.222", "OpenDNS"),
        ("169.254.169.253", "Amazon Web Services"),
        ("127.0.0.1", ""),
        ("192.0.2.53", ""),
        ("2001:db8::53", ""),
    ],
)
def test_the_operator_of_a_shared_resolver(address: str, operator: str) -> None:
    assert operator_of(address) == operator


@given(st.text(max_size=60))
@settings(max_examples=50)
def test_any_text_is_the_address_of_some_resolver_or_of_none(text: str) -> None:
    assert isinstance(operator_of(text), str)
