"""Durations, names and addresses: what is one, in which form, and what is none."""

import re
from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import names
from monitor.protocol.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("5s", 5),
        ("15m", 900),
        ("1h30m", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("1y", 31536000),
        ("1d2h3m4s5ms", 93784.005),
        ("0", 0),
        (0, 0),
        ("0s", 0),
    ],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "5 s", "-5s", "1.5h", "30m1h", "5s5s", "s", "\u0661s", "5S", 5, 1.5, True, None, []],
)
def test_everything_else_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="is no duration: write it like"):
        parse_duration(text)


@given(st.from_regex(re.compile(r"([0-9]{1,12}(ms|[smhdwy]))*"), fullmatch=True) | st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) >= 0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Example.COM.", "example.com"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),  # RFC 5891, not IDNA 2003's strasse
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("a." * 126 + "b", "a." * 126 + "b"),
    ],
)
def test_domains_have_one_form(text: str, form: str) -> None:
    assert names.domain_name(text) == form
    assert names.domain_name(form) == form


@given(st.text(max_size=300))
def test_what_is_taken_as_a_domain_is_one(text: str) -> None:
    try:
        form = names.domain_name(text)
    except ValueError:
        return
    assert len(form) <= 253
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", p) for p in form.split("."))
    assert names.domain_name(form) == form


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("mx.example.com:587", None, ("mx.example.com", 587)),
        ("MX.example.com.", 25, ("mx.example.com", 25)),
        ("192.0.2.1:2525", None, ("192.0.2.1", 2525)),
        ("[2001:DB8::1]:25", None, ("2001:db8::1", 25)),
        ("[2001:db8::1]", 25, ("2001:db8::1", 25)),
        ("2001:db8::1", 25, ("2001:db8::1", 25)),
        ("localhost:1", None, ("localhost", 1)),
    ],
)
def test_hosts_and_ports(text: str, default: int | None, expected: tuple[str, int]) -> None:
    assert names.host_port(text, default=default) == expected
    assert names.host_port(names.joined(*expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        ":25",
        "host:0",
        "host:65536",
        "host:x",
        "[::1]25",
        "a b:25",
        "host:\u00b2",
    ],
)
def test_what_is_no_host_and_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has no port"):
        names.host_port(text)


@given(st.text(max_size=60))
def test_any_text_is_a_host_and_port_or_a_value_error(text: str) -> None:
    try:
        host, port = names.host_port(text)
    except ValueError:
        return
    assert names.host_port(names.joined(host, port)) == (host, port)


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        form = names.address_or_range(text)
        assert names.address_or_range(form) == form


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_range_has_few_addresses(number: int, prefix: int) -> None:
    network = ip_network((number, prefix), strict=False)
    if network.num_addresses > names.MAX_ADDRESSES:
        with pytest.raises(ValueError, match="at most 256"):
            names.address_or_range(str(network))
    else:
        form = str(network).removesuffix("/32")
        assert names.address_or_range(str(network)) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("192.0.2.4/31", "192.0.2.4/31"),
        ("192.0.2.4/32", "192.0.2.4"),
        ("2001:DB8:0::1/128", "2001:db8::1"),
        ("2001:DB8::/64", "2001:db8::/64"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_addresses_and_ranges_have_one_form(text: str, form: str) -> None:
    assert names.address_or_range(text) == form
