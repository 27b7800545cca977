"""What the DNS tells of a domain."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.app.discovery import discover_believably
from monitor.inventory import Discovery, Permit, discover
from monitor.world.fake import FakeWorld

NOW = 1_800_000_000.0

SHOP = {
    "mx": {"example.com": ["20 mx2.example.com", "10 mx1.example.com", "30 192.0.2.9", "x"]},
    "a": {"mx1.example.com": ["8.8.4.4", "8.8.8.8"]},
    "aaaa": {"mx1.example.com": ["2001:4860:4860::8888"]},
    "txt": {
        "example.com": [
            "other=1",
            (
                "v=spf1 ip4:1.1.1.1 ip4:8.8.8.8/32 ip4:9.9.9.0/24 ip6:2606:4700::1111"
                " include:_spf.google.com include:u1.wl.sendgrid.net include:unknown.example -all"
                " ip4:9.9.9.9"
            ),
        ]
    },
}


async def test_hosts_permits_and_platforms_are_found() -> None:
    """Addresses in one order, whatever the resolver's; nothing behind an include, nothing after `all`."""
    assert await discover("example.com", FakeWorld(**SHOP), NOW) == Discovery(
        domain="example.com",
        at=NOW,
        mx_hosts=("mx1.example.com", "mx2.example.com"),
        hosts={
            "mx1.example.com": ("8.8.4.4", "8.8.8.8", "2001:4860:4860::8888"),
            "mx2.example.com": (),
        },
        permits=(
            Permit("ip4:1.1.1.1", True, ("1.1.1.1/32",)),
            Permit("ip4:8.8.8.8", True, ("8.8.8.8/32",)),
            Permit("ip4:9.9.9.0/24", True, ("9.9.9.0/24",)),
            Permit("ip6:2606:4700::1111", True, ("2606:4700::1111/128",)),
        ),
        platforms=("google_workspace", "sendgrid"),
    )


@pytest.mark.parametrize(
    "world",
    [
        FakeWorld(),  # NXDOMAIN
        FakeWorld(a={"example.com": "192.0.2.1"}),  # NODATA
        FakeWorld(mx={"example.com": "0 "}),  # RFC 7505
        FakeWorld(txt={"example.com": ["v=spf1 ip4:1.1.1.1 -all", "v=spf1 -all"]}),  # RFC 7208 §4.5
        FakeWorld(txt={"example.com": "v=spf1 ip4:1.1.1.1 ip4:nonsense -all"}),
    ],
)
async def test_that_there_is_nothing_is_knowledge(world: FakeWorld) -> None:
    assert await discover("example.com", world, NOW) == Discovery("example.com", NOW)


@pytest.mark.parametrize("before", [None, FakeWorld(**SHOP)], ids=["nothing", "something"])
async def test_that_there_is_nothing_is_believed_only_of_a_resolver_that_finds_others(
    before: FakeWorld | None,
) -> None:
    """Mail hosts, and the pages about them, do not go because a resolver finds nobody any more."""
    previous = await discover("example.com", before, NOW) if before else None
    for trouble in (None, "our resolver finds no address for anyone"):
        world = FakeWorld(resolver_trouble=trouble)
        found = await discover_believably(
            "example.com", world.world(), world.clock, previous=previous
        )
        assert (found is None) is (trouble is not None)


async def test_what_was_found_before_needs_no_proof() -> None:
    world = FakeWorld(**SHOP, resolver_trouble="our resolver finds no address for anyone")
    previous = await discover("example.com", world, NOW)
    found = await discover_believably("example.com", world.world(), world.clock, previous=previous)
    assert found is not None


@pytest.mark.parametrize("rtype", ["MX", "TXT"])
@pytest.mark.parametrize("failure", ["timeout", "servfail", "refused"])
async def test_what_the_dns_could_not_tell_is_none(rtype: str, failure: str) -> None:
    world = FakeWorld(**SHOP, fail={f"example.com {rtype.lower()}": failure})
    assert await discover("example.com", world, NOW) is None


TERMS = {
    "a": ("a", {"": ["8.8.4.4/32"]}),
    "a/24//64": ("a/24//64", {"": ["8.8.4.0/24"]}),
    "A:www.example.com": ("a:www.example.com", {"": ["8.8.8.8/32", "2001:4860::8/128"]}),
    "a:www.example.com//64": ("a:www.example.com//64", {"": ["8.8.8.8/32", "2001:4860::/64"]}),
    "mx": ("mx", {"": ["1.1.1.1/32"]}),
    "mx/28": ("mx/28", {"": ["1.1.1.0/28"]}),
    "mx:other.example": ("mx:other.example", {"": ["9.9.9.9/32"]}),
    "-ip4:1.1.1.1": ("ip4:1.1.1.1", {"-": ["1.1.1.1/32"]}),
    "~mx": ("mx", {"-": ["1.1.1.1/32"]}),
    "?ip6:2001:4860::/32": ("ip6:2001:4860::/32", {"-": ["2001:4860::/32"]}),
    "ip4:34.0.0.0/15": ("ip4:34.0.0.0/15", {"": ["34.0.0.0/15"]}),
    "a:nothing.example": ("a:nothing.example", {"": []}),
}


@pytest.mark.parametrize("term", TERMS)
async def test_a_term_permits_addresses(term: str) -> None:
    world = FakeWorld(
        mx={
            "example.com": ["10 mx.example.com", "20 aspmx.l.google.com"],
            "other.example": "10 mx.other.example",
        },
        a={
            "example.com": "8.8.4.4",
            "www.example.com": "8.8.8.8",
            "mx.example.com": "1.1.1.1",
            "mx.other.example": "9.9.9.9",
            "aspmx.l.google.com": "4.4.4.4",
        },
        aaaa={"www.example.com": "2001:4860::8"},
        txt={"example.com": f"v=spf1 {term} -all"},
    )
    found = await discover("example.com", world, NOW)
    written, ((sign, networks),) = TERMS[term][0], TERMS[term][1].items()
    assert found
    assert found.permits == (Permit(written, sign != "-", tuple(networks)),)


@pytest.mark.parametrize(
    "term",
    [
        "include:_spf.google.com",
        "include:own.example",
        "a:sendgrid.net",
        "mx:%{d}",
        "exists:%{i}.example",
        "ptr",
        "redirect=own.example",
    ],
)
async def test_what_is_a_platforms_or_a_messages_permits_nothing_of_ours(term: str) -> None:
    world = FakeWorld(
        txt={"example.com": f"v=spf1 {term}", "own.example": "v=spf1 ip4:1.1.1.1 -all"},
        a={"sendgrid.net": "4.4.4.4"},
    )
    found = await discover("example.com", world, NOW)
    assert found
    assert (found.permits, found.hosts) == ((), {})


async def test_own_records_behind_includes_and_redirects_are_read_as_own() -> None:
    """With what the include says of a match, and no further than there are lookups; an alias leads elsewhere."""
    world = FakeWorld(
        txt={
            "example.com": (
                "v=spf1 include:_spf.Example.com ?include:b.example.com include:alias.example.com"
                " include:%{i}.example.com redirect=c.example.com"
            ),
            "_spf.example.com": "v=spf1 a mx:example.com -ip4:1.1.1.2 include:example.com -all",
            "b.example.com": "v=spf1 ip4:1.1.1.3 ~all",
            "c.example.com": "v=spf1 ip4:1.1.1.4 include:missing.example.com -all",
            "flat.platform.example": "v=spf1 ip4:4.4.4.4 -all",
        },
        cname={"alias.example.com": "flat.platform.example"},
        a={"_spf.example.com": "1.1.1.1", "mx.example.com": "1.1.1.9"},
        mx={"example.com": "1 mx.example.com"},
    )
    found = await discover("example.com", world, NOW)
    assert found
    assert found.permits == (
        Permit("a:_spf.example.com", True, ("1.1.1.1/32",)),
        Permit("mx:example.com", True, ("1.1.1.9/32",)),
        Permit("ip4:1.1.1.2", False, ("1.1.1.2/32",)),
        Permit("ip4:1.1.1.3", False, ("1.1.1.3/32",)),
        Permit("ip4:1.1.1.4", True, ("1.1.1.4/32",)),
    )


async def test_an_own_include_that_is_not_answered_loses_nothing() -> None:
    records = {
        "example.com": "v=spf1 include:_spf.example.com ip4:1.1.1.1 -all",
        "_spf.example.com": "v=spf1 ip4:1.1.1.2 -all",
    }
    before = await discover("example.com", FakeWorld(txt=records), NOW)
    world = FakeWorld(txt=records, fail={"_spf.example.com": "timeout"})
    found = await discover("example.com", world, NOW, previous=before)
    assert found
    assert {permit.term for permit in found.permits} == {"ip4:1.1.1.1", "ip4:1.1.1.2"}


async def test_own_includes_are_followed_as_far_as_receivers_follow_them() -> None:
    chain = {f"s{n}.example.com": f"v=spf1 include:s{n + 1}.example.com -all" for n in range(30)}
    world = FakeWorld(txt={"example.com": "v=spf1 include:s0.example.com -all", **chain})
    found = await discover("example.com", world, NOW)
    assert found
    assert found.left_out == ("11 own includes of SPF: the first 10 count",)
    assert len(world.asked) == 12


async def test_declared_names_are_resolved() -> None:
    world = FakeWorld(a={"mta1.example.com": "8.8.8.8", "relay.example.com": ["1.1.1.1"]})
    declared = ("mta1.example.com", "relay.example.com", "gone.example.com", "9.9.9.9")
    found = await discover("example.com", world, NOW, declared=declared)
    assert found
    assert found.hosts == {
        "mta1.example.com": ("8.8.8.8",),
        "relay.example.com": ("1.1.1.1",),
        "gone.example.com": (),
        "9.9.9.9": ("9.9.9.9",),
    }


async def test_what_does_not_resolve_for_now_loses_no_address() -> None:
    """Of each host, and of each term, what was known before."""
    txt = {"example.com": "v=spf1 mx mx:other.example a:www.example.com -all"}
    world = FakeWorld(
        mx={"example.com": "10 mx.example.com"},
        a={"mx.example.com": "8.8.8.8", "www.example.com": "1.1.1.1"},
        txt=txt,
        fail={
            "mx.example.com aaaa": "timeout",
            "www.example.com": "servfail",
            "other.example": "timeout",
        },
    )
    before = Discovery(
        "example.com",
        NOW - 60,
        hosts={"mx.example.com": ("2606:4700::1",), "www.example.com": ("1.0.0.1",)},
        permits=(Permit("mx:other.example", True, ("9.9.9.9/32",)),),
    )
    found = await discover("example.com", world, NOW, previous=before)
    assert found
    assert found.hosts == {
        "mx.example.com": ("8.8.8.8", "2606:4700::1"),
        "www.example.com": ("1.0.0.1",),
    }
    assert [permit.networks for permit in found.permits] == [
        ("8.8.8.8/32", "2606:4700::1/128"),
        ("9.9.9.9/32",),
        ("1.0.0.1/32",),
    ]
    gone = FakeWorld(mx={"example.com": "10 mx.example.com"}, txt=txt)
    found = await discover("example.com", gone, NOW, previous=before)
    assert found
    assert found.hosts == {"mx.example.com": (), "www.example.com": ()}
    assert {permit.networks for permit in found.permits} == {()}


async def test_a_large_domain_is_cut_and_it_is_said() -> None:
    """Questions are bounded, and what was left out is told."""
    terms = [*(f"a:{n}.example.org" for n in range(30)), *(f"ip4:8.8.8.{n}" for n in range(256))]
    world = FakeWorld(
        mx={"example.com": [f"{n} mx{n:03}.example.com" for n in range(100)]},
        txt={"example.com": f"v=spf1 {' '.join(terms)} -all"},
    )
    declared = [f"relay{n}.example.com" for n in range(100)]
    found = await discover("example.com", world, NOW, declared=declared)
    assert found
    assert (len(found.mx_hosts), len(found.hosts), len(found.permits)) == (16, 64, 256)
    assert found.left_out == (
        "30 terms of SPF that ask the DNS: the first 10 count",
        "266 terms of SPF: the first 256 count",
        "100 MX hosts: the first 16 count",
        "126 host names: the first 64 count",
    )
    assert len(world.asked) <= 2 + 10 + 2 * 64


def test_a_discovery_survives_the_store() -> None:
    found = Discovery(
        "example.com",
        NOW,
        ("mx.example.com",),
        {"mx.example.com": ("192.0.2.1", "2001:db8::1")},
        (Permit("mx/24", False, ("192.0.2.0/24",)),),
        ("sendgrid",),
        ("17 MX hosts: the first 16 count",),
    )
    assert Discovery.from_json(found.to_json()) == found


def test_what_a_version_before_stored_is_read_as_it_meant_it() -> None:
    """It took each address for one that sends."""
    text = json.dumps(
        {
            "domain": "example.com",
            "at": NOW,
            "mx_hosts": ["mx.example.com"],
            "addresses": ["192.0.2.1", "2001:db8::1"],
            "platforms": ["sendgrid"],
        }
    )
    assert Discovery.from_json(text) == Discovery(
        "example.com",
        NOW,
        ("mx.example.com",),
        permits=(
            Permit("ip4:192.0.2.1", True, ("192.0.2.1/32",)),
            Permit("ip6:2001:db8::1", True, ("2001:db8::1/128",)),
        ),
        platforms=("sendgrid",),
    )


_OTHER = Discovery("x", NOW, permits=(Permit("a", True, ("192.0.2.1/8",)),)).to_json()


@given(
    st.text()
    | st.sampled_from(['{"domain": "x"}', "[]", "null", '{"domain":"x","at":"y"}', _OTHER])
)
def test_another_text_is_no_discovery(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- json's own words or ours
        Discovery.from_json(text)
