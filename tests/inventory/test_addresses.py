"""Addresses as targets: declared, in ranges, behind names and in a domain's own SPF record."""

import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import DnsClient
from monitor.config.valid import ValidConfig
from monitor.inventory import Discovery, LeftOut, Permit, build, discover, names_to_resolve
from monitor.inventory.addresses import MAX_FOUND
from monitor.model import AddressTarget
from monitor.world.fake import FakeWorld
from tests.inventory.conftest import read

NOW = 1_800_000_000.0


async def discovered(config: ValidConfig, world: DnsClient) -> dict[str, Discovery]:
    found = {
        domain: await discover(domain, world, NOW, declared=declared)
        for domain, declared in names_to_resolve(config).items()
    }
    return {domain: one for domain, one in found.items() if one}


def shown(target: AddressTarget) -> str:
    """`address domain sender helo sends|receives (part of)`, what is empty left out."""
    kind = "sends" if target.sends else "receives"
    part = target.part_of and f"({target.part_of})"
    words = (target.name, target.domain, target.sender, target.helo, kind, part)
    return " ".join(filter(None, words))


MX = {"mx": {"example.com": "10 mx.example.com"}, "a": {"mx.example.com": "8.8.8.8"}}
DOMAIN = "domains: [{name: example.com}]\n"
HELO = DOMAIN + "senders: [{name: mta, domains: [example.com], helo: mta.example.com%s}]"

CASES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "an MX host only receives": (DOMAIN, MX, ["8.8.8.8 example.com receives"]),
    "unless the domain's own SPF lets it send": (
        DOMAIN,
        MX | {"txt": {"example.com": "v=spf1 mx -all"}},
        ["8.8.8.8 example.com sends"],
    ),
    "by a range too large to look at, too": (
        DOMAIN,
        MX | {"txt": {"example.com": "v=spf1 ip4:8.0.0.0/8 -all"}},
        ["8.8.8.8 example.com sends"],
    ),
    "the first term that matches decides": (
        DOMAIN,
        MX | {"txt": {"example.com": "v=spf1 -ip4:8.8.8.8 ~ip4:9.9.9.8/31 mx ip4:9.9.9.8/30 -all"}},
        [
            "8.8.8.8 example.com receives",
            "9.9.9.10 example.com sends (ip4:9.9.9.8/30)",
            "9.9.9.11 example.com sends (ip4:9.9.9.8/30)",
        ],
    ),
    "or that it is declared": (
        DOMAIN + "senders: [{name: mta, domains: [example.com], addresses: [8.8.8.8]}]",
        MX,
        ["8.8.8.8 example.com mta sends"],
    ),
    "or in a declared range": (
        DOMAIN + "senders: [{name: mta, domains: [example.com], addresses: [8.8.8.8/31]}]",
        MX,
        ["8.8.8.8 example.com mta sends", "8.8.8.9 example.com mta sends (8.8.8.8/31)"],
    ),
    "a mailbox provider's MX host is none of ours": (
        DOMAIN,
        {"mx": {"example.com": "1 aspmx.l.google.com"}, "a": {"aspmx.l.google.com": "8.8.8.8"}},
        [],
    ),
    "own mail hosts, by name and by address": (
        "domains: [{name: example.com, mail_hosts: ['relay.example.com:587', '9.9.9.9:25']}]",
        {"a": {"relay.example.com": "1.1.1.1"}},
        ["1.1.1.1 example.com receives", "9.9.9.9 example.com receives"],
    ),
    "a HELO name tells where the mail leaves from": (
        HELO % "",
        {"a": {"mta.example.com": "1.1.1.1"}},
        ["1.1.1.1 example.com mta mta.example.com sends"],
    ),
    "but may be a web site's where the addresses are declared": (
        HELO % ", addresses: [9.9.9.9]",
        {"a": {"mta.example.com": ["1.1.1.1", "9.9.9.9"]}},
        [
            "9.9.9.9 example.com mta mta.example.com sends",
            "1.1.1.1 example.com mta mta.example.com receives",
        ],
    ),
    "a large IPv6 range by the hosts in it": (
        HELO % ", addresses: ['2606:4700::/64']",
        {
            "mx": {"example.com": "10 mx.example.com"},
            "aaaa": {
                "mta.example.com": "2606:4700::5",
                "mx.example.com": ["2606:4700::6", "2606::7"],
            },
        },
        [
            "2606:4700::5 example.com mta mta.example.com sends",
            "2606::7 example.com receives",
            "2606:4700::6 example.com mta sends",
        ],
    ),
    "a small one whole": (
        DOMAIN + "senders: [{name: mta, domains: [example.com], addresses: ['2606:4700::/127']}]",
        {},
        [
            "2606:4700:: example.com mta sends (2606:4700::/127)",
            "2606:4700::1 example.com mta sends (2606:4700::/127)",
        ],
    ),
    "what a and mx of SPF resolve to may send": (
        DOMAIN,
        MX
        | {"txt": {"example.com": "v=spf1 a:www.example.com mx/31 ip6:2606:4700::1 ip6:2606::/64"}}
        | {"aaaa": {"www.example.com": "2606::80"}},
        [
            "8.8.8.8 example.com sends",
            "2606::80 example.com sends (a:www.example.com)",
            "2606:4700::1 example.com sends",
            "8.8.8.9 example.com sends (mx/31)",
        ],
    ),
    "a single address of SPF is named by the record itself, however it is written": (
        DOMAIN,
        {"txt": {"example.com": "v=spf1 ip4:8.8.4.4/32 IP6:2606:4700:0::00B a:www.example.com"}}
        | {"a": {"www.example.com": "8.8.4.5"}},
        [
            "8.8.4.4 example.com sends",
            "2606:4700::b example.com sends",
            "8.8.4.5 example.com sends (a:www.example.com)",
        ],
    ),
    "never a platform's ranges": (
        DOMAIN,
        {
            "txt": {
                "example.com": "v=spf1 include:sendgrid.net include:_spf.example.com -all",
                "sendgrid.net": "v=spf1 ip4:167.89.0.0/17 ip4:1.1.1.1 -all",
                "_spf.example.com": "v=spf1 include:amazonses.com ip4:1.1.1.2 -all",
                "amazonses.com": "v=spf1 ip4:1.1.1.3 -all",
            }
        },
        ["1.1.1.2 example.com sends"],
    ),
    "addresses that receivers never see are left out, those of examples only where declared": (
        DOMAIN + "senders: [{name: mta, domains: [example.com], addresses: [192.0.2.1, 10.0.0.1,"
        " 10.0.0.0/30, 224.0.0.1, 127.0.0.1, '2001:db8:1::/64', 203.0.113.4/31]}]",
        {
            "mx": {"example.com": "10 mx.example.com"},
            "a": {"mx.example.com": ["192.0.2.2", "203.0.113.5", "10.0.0.9", "127.0.0.9"]},
            "aaaa": {"mx.example.com": ["2001:db8:1::1", "2001:db8:2::1", "fe80::1"]},
        },
        [
            "192.0.2.1 example.com mta sends",
            "203.0.113.4 example.com mta sends (203.0.113.4/31)",
            "203.0.113.5 example.com mta sends",
            "2001:db8:1::1 example.com mta sends",
        ],
    ),
    "a shared address has its first domain, and its sender": (
        (
            "domains: [{name: example.com}, {name: news.example}]\n"
            "senders: [{name: mta, domains: [news.example], addresses: [8.8.8.8]},"
            " {name: late, domains: [example.com], addresses: [8.8.8.8], helo: mx.example.com}]"
        ),
        MX,
        ["8.8.8.8 news.example mta mx.example.com sends"],
    ),
    "of a domain that several share": (
        (
            "domains: [{name: example.com}, {name: news.example}]\n"
            "senders: [{name: late, domains: [news.example], helo: mx.example.com}]"
        ),
        MX,
        ["8.8.8.8 news.example late mx.example.com sends"],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_addresses_are_targets_once_each(case: str, configured: Any) -> None:
    text, world, expected = CASES[case]
    config = configured(text)
    inventory = build(config, await discovered(config, FakeWorld(**world)))
    assert list(map(shown, inventory.addresses)) == expected


def test_a_range_is_all_its_addresses(configured: Any) -> None:
    """With its first and its last: a range is no subnet, and mail leaves from those too."""
    config = configured(
        DOMAIN + "senders: [{name: mta, domains: [example.com], addresses: [192.0.2.0/24]}]"
    )
    addresses = build(config, {}).addresses
    assert [target.address for target in addresses] == list(ip_network("192.0.2.0/24"))
    assert {(target.part_of, target.sends) for target in addresses} == {("192.0.2.0/24", True)}


NOT_LOOKED_AT = {
    "a large range of SPF": (
        DOMAIN,
        {"txt": {"example.com": "v=spf1 ip4:34.0.0.0/15 ip6:2606:4700::/64 -ip4:44.0.0.0/8 -all"}},
        [
            "ip4:34.0.0.0/15 of its SPF record is large: only addresses known otherwise count",
            "ip6:2606:4700::/64 of its SPF record is large: only addresses known otherwise count",
        ],
    ),
    "a large declared range in which nothing is known": (
        DOMAIN + "senders: [{name: mta, domains: [example.com], addresses: ['2606:4700::/64']}]",
        {},
        ["2606:4700::/64 of mta: no address in it is known; declare those that send"],
    ),
    "more addresses than are looked at": (
        DOMAIN,
        {"txt": {"example.com": "v=spf1 " + " ".join(f"ip4:9.9.{n}.0/24" for n in range(5))}},
        ["more than 1024 addresses: the first ones count"],
    ),
    "what was too much to be asked for": (
        DOMAIN,
        {"mx": {"example.com": [f"{n} mx{n}.example.com" for n in range(17)]}},
        ["17 MX hosts: the first 16 count"],
    ),
}


@pytest.mark.parametrize("case", NOT_LOOKED_AT)
async def test_what_is_not_looked_at_is_told(case: str, configured: Any) -> None:
    text, world, expected = NOT_LOOKED_AT[case]
    config = configured(text)
    assert build(config, {}).left_out == (), "nothing is said before anybody was asked"
    inventory = build(config, await discovered(config, FakeWorld(**world)))
    assert inventory.left_out == tuple(LeftOut("example.com", what) for what in expected)
    assert len(inventory.addresses) <= MAX_FOUND


_NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.tuples(st.integers(0, 2**128 - 1).map(lambda n: n | 1 << 127), st.integers(0, 128)),
).map(lambda pair: str(ip_network(pair, strict=False)))
_PERMITS = st.builds(
    Permit,
    term=st.sampled_from(["mx", "a", "ip4:8.8.8.0/24"]),
    passes=st.booleans(),
    networks=st.lists(_NETWORKS, max_size=4).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(permits=st.lists(_PERMITS, max_size=12), host=_NETWORKS.map(lambda t: t.partition("/")[0]))
def test_whatever_a_record_permits_few_addresses_are_found_and_soon(
    permits: list[Permit], host: str
) -> None:
    """At most the bound, each once and public; more is told."""
    found = Discovery("example.com", NOW, ("mx",), {"mx": (host,)}, tuple(permits))
    config = read(DOMAIN)
    began = time.process_time()
    inventory = build(config, {"example.com": found})
    assert time.process_time() - began < 1
    names = [target.name for target in inventory.addresses]
    assert len(names) == len(set(names)) <= MAX_FOUND
    assert all(ip_address(name).is_global for name in names)
    if len(names) == MAX_FOUND:
        assert any("more than" in one.what for one in inventory.left_out)
