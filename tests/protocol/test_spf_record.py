from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import spf
from monitor.protocol.spf import Mechanism, MechanismName, Modifier, Qualifier, SpfError


def test_every_kind_of_term() -> None:
    record = spf.parse(
        "v=spf1 +a mx:Example.com/24//64 ?ptr ~include:%{d2}._spf.example.com "
        "ip4:192.0.2.1 ip6:2001:db8::/32 exists:%{ir}.x.example exp=why.example.com "
        "x-note=%{s}/y -ALL "
    )
    assert tuple(replace(m, offset=0) for m in record.mechanisms) == (
        Mechanism(MechanismName.A),
        Mechanism(MechanismName.MX, Qualifier.PASS, "Example.com", None, 24, 64),
        Mechanism(MechanismName.PTR, Qualifier.NEUTRAL),
        Mechanism(MechanismName.INCLUDE, Qualifier.SOFTFAIL, "%{d2}._spf.example.com"),
        Mechanism(MechanismName.IP4, network=IPv4Network("192.0.2.1/32")),
        Mechanism(MechanismName.IP6, network=IPv6Network("2001:db8::/32")),
        Mechanism(MechanismName.EXISTS, domain="%{ir}.x.example"),
        Mechanism(MechanismName.ALL, Qualifier.FAIL),
    )
    assert tuple(replace(m, offset=0) for m in record.modifiers) == (
        Modifier("exp", "why.example.com"),
        Modifier("x-note", "%{s}/y"),
    )
    assert record.all_qualifier is Qualifier.FAIL
    assert record.explanation == "why.example.com"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1", True),
        ("V=SPF1 -all", True),
        ("v=spf10 -all", False),
        ("v=spf1\t-all", False),
        (" v=spf1 -all", False),
        ("spf2.0/pra -all", False),
        ("", False),
    ],
)
def test_the_version_tells_an_spf_record(text: str, expected: bool) -> None:
    assert spf.is_spf(text) is expected


@pytest.mark.parametrize(
    ("terms", "code", "offset"),
    [
        ("-al", "mechanism", 7),
        ("a =b", "mechanism", 9),
        ("+", "mechanism", 7),
        ("a,mx", "argument", 7),
        ("-all:x", "argument", 7),
        ("include", "argument", 7),
        ("a include: x.example", "domain", 9),
        ("exists", "argument", 7),
        ("a:", "domain", 7),
        ("a:localhost", "domain", 7),
        ("a:192.0.2.1", "domain", 7),
        ("mx:example.com:8080", "domain", 7),
        ("include:%{c}.example.com", "domain", 7),
        ("include:%{z}.example.com", "macro", 7),
        ("exists:%{d0}.example.com", "macro", 7),
        ("exists:%{d.example.com", "macro", 7),
        ("x=%", "macro", 7),
        ("a/33", "cidr", 7),
        ("a/024", "cidr", 7),
        ("mx//129", "cidr", 7),
        ("a/", "argument", 7),
        ("ptr/24", "argument", 7),
        ("ip4:192.0.2.1/33", "cidr", 7),
        ("ip4:192.0.2.1/", "cidr", 7),
        ("ip4:192.0.2", "network", 7),
        ("ip4:192.0.2.01", "network", 7),
        ("ip4", "argument", 7),
        ("ip6:192.0.2.1", "network", 7),
        ("ip6:fe80::1%eth0", "network", 7),
        ("ip6:2001:db8::/129", "cidr", 7),
        ("redirect=a.example redirect=b.example", "duplicate_modifier", 26),
        ("redirect=", "domain", 7),
        ("-all\ta", "character", 11),
        ("a:é.example", "character", 9),
    ],
)
def test_what_the_abnf_forbids_is_refused_and_located(terms: str, code: str, offset: int) -> None:
    with pytest.raises(SpfError) as caught:
        spf.parse(f"v=spf1 {terms}")
    assert (caught.value.code, caught.value.offset) == (code, offset)


@pytest.mark.parametrize("terms", ["ip4:0.0.0.0/0", "ip4:192.0.2.1/32", "ip6:::/128", "a/0//0"])
def test_prefix_lengths_reach_their_ends(terms: str) -> None:
    assert len(spf.parse(f"v=spf1 {terms}").mechanisms) == 1


def test_all_hides_what_follows_it_and_redirect() -> None:
    record = spf.parse("v=spf1 a ~all mx redirect=other.example")
    assert [m.name for m in record.reachable] == ["a", "all"]
    assert record.redirect is None
    assert spf.parse("v=spf1 redirect=other.example").redirect == "other.example"


@given(st.text() | st.text("v=spf1 aminclude:p46xt/0%{}d.-+~?\t").map("v=spf1 ".__add__))
@settings(max_examples=300)
def test_no_text_raises_anything_but_spf_error(text: str) -> None:
    with suppress(SpfError):
        record = spf.parse(text)
        assert all(text[m.offset] in "+-~?aimpeAIMPE" for m in record.mechanisms)
