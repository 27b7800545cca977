"""What the DNS tells of a domain, and the targets of what is declared and discovered."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.app.discovery import discover_believably
from monitor.check import About, Settings, World
from monitor.config.load import load
from monitor.config.valid import ValidConfig
from monitor.inventory import Discovery, Inventory, build, discover, target_of
from monitor.model import (
    AddressTarget,
    DomainTarget,
    HostTarget,
    MonitorTarget,
    NamedDomainTarget,
    Outcome,
    Role,
    SenderTarget,
    Target,
)
from monitor.world.fake import FakeWorld

NOW = 1_800_000_000.0


def check_of(name: str, targets: type[Target] | tuple[type[Target], ...], **options: Any) -> Any:
    class Made:
        about: ClassVar[About] = About(name, name, targets, 60, (), **options)

        def __init__(self, settings: Settings) -> None:
            pass

        async def run(self, target: Target, world: World) -> Outcome:
            return Outcome()

    return Made


KINDS: dict[str, type[Target]] = {
    "domains": DomainTarget,
    "addresses": AddressTarget,
    "hosts": HostTarget,
    "links": NamedDomainTarget,
    "mail": SenderTarget,
    "self": MonitorTarget,
}
CHECKS = {name: check_of(name, kind) for name, kind in KINDS.items()} | {
    "parked": check_of("parked", DomainTarget, applies=lambda t: t.role is Role.PARKED),
    "both": check_of("both", (DomainTarget, SenderTarget)),
    "pools": check_of("pools", (AddressTarget, SenderTarget)),
    "intrusive": check_of("intrusive", HostTarget, opt_in=True),
}


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    def from_text(text: str) -> ValidConfig:
        file = tmp_path / "c.yaml"
        file.write_text(text)
        return load(file, {}, CHECKS)

    return from_text


def named(inventory: Inventory, config: ValidConfig, check: str) -> list[str]:
    return [target.name for target in inventory.targets(config.checks[check])]


# --- discovery -------------------------------------------------------------------------------------

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


async def test_hosts_addresses_and_platforms_are_found() -> None:
    assert await discover("example.com", FakeWorld(**SHOP), NOW) == Discovery(
        domain="example.com",
        at=NOW,
        mx_hosts=("mx1.example.com", "mx2.example.com"),
        addresses=("8.8.4.4", "8.8.8.8", "2001:4860:4860::8888", "1.1.1.1", "2606:4700::1111"),
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


async def test_a_host_that_does_not_resolve_loses_no_address() -> None:
    world = FakeWorld(**SHOP, fail={"mx2.example.com": "servfail"})
    before = Discovery("example.com", NOW - 60, ("mx2.example.com",), ("9.9.9.9", "8.8.8.8"))
    alone = await discover("example.com", world, NOW)
    after = await discover("example.com", world, NOW, previous=before)
    assert alone
    assert after
    assert after.addresses == (*alone.addresses, "9.9.9.9")
    whole = await discover("example.com", FakeWorld(**SHOP), NOW, previous=before)
    assert whole
    assert "9.9.9.9" not in whole.addresses


async def test_a_large_record_is_cut() -> None:
    hosts = " ".join(f"ip4:8.8.8.{n}" for n in range(100))
    world = FakeWorld(
        mx={"example.com": [f"{n} mx{n}.example.com" for n in range(100)]},
        txt={"example.com": f"v=spf1 {hosts} -all"},
    )
    found = await discover("example.com", world, NOW)
    assert found
    assert (len(found.mx_hosts), len(found.addresses)) == (16, 16)


def test_a_discovery_survives_the_store() -> None:
    found = Discovery("example.com", NOW, ("mx.example.com",), ("192.0.2.1",), ("sendgrid",))
    assert Discovery.from_json(found.to_json()) == found


@given(st.text() | st.sampled_from(['{"domain": "x"}', "[]", "null", '{"domain":"x","at":"y"}']))
def test_another_text_is_no_discovery(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- json's own words or ours
        Discovery.from_json(text)


# --- targets ---------------------------------------------------------------------------------------

DECLARED = """
domains:
  - {name: example.com, dkim_selectors: [s1], mail_hosts: [relay.example.com:587, mx1.example.com]}
  - {name: news.example, role: marketing, tracking_hosts: [Click.news.example]}
  - {name: parked.example, role: parked}
  - {name: asleep.example, role: parked, mail_hosts: [mx.asleep.example]}
senders:
  - name: shop
    domains: [example.com, news.example]
    addresses: [192.0.2.10, 2001:db8::10, 8.8.8.8, 10.0.0.1, 127.0.0.1, 224.0.0.1]
    platform: postfix
    envelope_domains: [bounces.example.com]
    helo: mta1.example.com
    dkim_selectors: [s2, s1]
    streams: [{name: orders}, {name: refunds}]
  - {name: other, domains: [example.com], addresses: [8.8.8.8, 1.1.1.1]}
"""
DISCOVERED = {
    "example.com": Discovery(
        "example.com",
        NOW,
        ("mx1.example.com", "mx2.example.com"),
        ("8.8.8.8", "9.9.9.9", "127.0.0.2", "192.0.2.77"),
    ),
    "news.example": Discovery(
        "news.example", NOW, ("mx1.example.com", "mx.news.example"), ("9.9.9.9",)
    ),
    "parked.example": Discovery("parked.example", NOW, ("mx.parked.example",), ()),
    "removed.example": Discovery("removed.example", NOW, ("mx.removed.example",), ("4.4.4.4",)),
}


def test_domains_have_their_own_and_their_senders_selectors(configured: Any) -> None:
    shop, news, parked, _ = build(configured(DECLARED), {}).domains
    assert (shop.name, shop.role, shop.selectors) == ("example.com", Role.PRIMARY, ("s1", "s2"))
    assert (news.name, news.role, news.selectors) == (
        "news.example",
        Role.MARKETING,
        ("s2", "s1"),
    )
    assert shop.selectors_declared
    assert [[s.name for s in domain.senders] for domain in (shop, news)] == [
        ["shop", "other"],
        ["shop"],
    ]
    assert (shop.tracking_hosts, news.tracking_hosts) == ((), ("click.news.example",))
    assert (parked.selectors_declared, parked.senders) == (False, ())
    assert {"google", "selector1", "s1"} <= set(parked.selectors)


def test_addresses_are_declared_or_discovered_once_each_and_public(configured: Any) -> None:
    """Ranges for documentation are kept where somebody declares them, as the lab does."""
    config = configured(DECLARED)
    inventory = build(config, DISCOVERED)
    expected = ["192.0.2.10", "2001:db8::10", "8.8.8.8", "1.1.1.1", "9.9.9.9"]
    assert named(inventory, config, "addresses") == expected
    declared = inventory.find(AddressTarget, "8.8.8.8")
    assert isinstance(declared, AddressTarget)
    assert (declared.domain, declared.sender, declared.helo) == (
        "example.com",
        "shop",
        "mta1.example.com",
    )
    discovered = inventory.find(AddressTarget, "9.9.9.9")
    assert isinstance(discovered, AddressTarget)
    assert (discovered.domain, discovered.sender) == ("example.com", "")


def test_hosts_are_own_where_declared_and_none_is_looked_for_where_nothing_is_sent(
    configured: Any,
) -> None:
    assert build(configured(DECLARED), DISCOVERED).hosts == (
        HostTarget("relay.example.com", 587, "example.com", own=True),
        HostTarget("mx1.example.com", 25, "example.com", own=True),
        HostTarget("mx.asleep.example", 25, "asleep.example", own=True),
        HostTarget("mx2.example.com", 25, "example.com"),
        HostTarget("mx.news.example", 25, "news.example"),
    )


def test_senders_are_targets_under_each_domain(configured: Any) -> None:
    """With what is declared of them; an address that receivers never see is left out."""
    shop, news, other = build(configured(DECLARED), {}).senders
    assert shop == SenderTarget(
        "shop",
        "example.com",
        Role.PRIMARY,
        ("orders", "refunds"),
        platform="postfix",
        envelope_domains=("bounces.example.com",),
        addresses=("192.0.2.10", "2001:db8::10", "8.8.8.8"),
        helo="mta1.example.com",
        selectors=("s2", "s1"),
    )
    assert news == replace(shop, domain="news.example", role=Role.MARKETING)
    assert other == SenderTarget("other", "example.com", addresses=("8.8.8.8", "1.1.1.1"))


def test_a_checks_own_targets_stand_in_place_of_the_defaults(configured: Any) -> None:
    config = configured(
        DECLARED
        + """
checks:
  domains: {targets: [NEWS.example]}
  addresses: {targets: [8.8.8.8, 10.0.0.1]}
  hosts: {targets: ["mx1.example.com:25", "in.sub.news.example", "elsewhere.test:465", mx1.example.com]}
  mail: {targets: [other, shop/news.example]}
"""
    )
    inventory = build(config, DISCOVERED)
    assert inventory.targets(config.checks["domains"]) == (inventory.domains[1],)
    assert [(t.name, t.domain) for t in inventory.targets(config.checks["addresses"])] == [
        ("8.8.8.8", "example.com"),
        ("10.0.0.1", ""),
    ]
    assert inventory.targets(config.checks["hosts"]) == (
        HostTarget("mx1.example.com", 25, "example.com", own=True),
        HostTarget("in.sub.news.example", 25, "news.example"),
        HostTarget("elsewhere.test", 465, "elsewhere.test"),
    )
    assert named(inventory, config, "mail") == ["shop/news.example", "other/example.com"]


def test_a_check_looks_only_at_targets_that_it_applies_to(configured: Any) -> None:
    config = configured(DECLARED)
    assert named(build(config, {}), config, "parked") == ["parked.example", "asleep.example"]


def test_a_check_of_two_kinds_has_targets_of_both(configured: Any) -> None:
    config = configured(DECLARED)
    inventory = build(config, {})
    assert len(named(inventory, config, "both")) == len(inventory.domains) + len(inventory.senders)
    config = configured(DECLARED + "checks: {both: {targets: [other, news.example]}}")
    assert named(build(config, {}), config, "both") == ["news.example", "other/example.com"]
    config = configured(DECLARED + "checks: {pools: {targets: [other, 192.0.2.99]}}")
    assert named(build(config, {}), config, "pools") == ["192.0.2.99", "other/example.com"]


@pytest.mark.parametrize(
    ("section", "enabled"), [("{}", False), ("{interval: 1h}", False), ("{enabled: yes}", True)]
)
def test_a_check_to_be_asked_for_runs_only_where_it_is(
    configured: Any, section: str, enabled: bool
) -> None:
    config = configured(DECLARED + f"checks: {{intrusive: {section}}}")
    assert config.checks["intrusive"].enabled is enabled


def test_domains_that_mail_names_are_targets_where_they_are_none_of_ours(configured: Any) -> None:
    """Of links, envelope senders and signatures; each once, with the first whose mail names it."""
    config = configured(
        """
domains:
  - {name: example.com, tracking_hosts: [click.example.com, links.platform.net, t.platform.net, 192.0.2.7]}
  - {name: other.example, tracking_hosts: [links.platform.net, www.example.com]}
  - {name: mail.third.example}
senders:
  - name: news
    domains: [other.example, example.com]
    envelope_domains: [em.other.example, bounces.sending.co.uk]
    dkim_domains: [example.com, signing.net, d.platform.net]
  - {name: late, domains: [mail.third.example], envelope_domains: [b.mail.third.example], dkim_domains: [signing.net]}
"""
    )
    assert build(config, {}).named_domains == (
        NamedDomainTarget("platform.net", "example.com"),
        NamedDomainTarget("sending.co.uk", "other.example"),
        NamedDomainTarget("signing.net", "other.example"),
        NamedDomainTarget("third.example", "mail.third.example"),
    )


def test_the_monitor_is_one_target(configured: Any) -> None:
    config = configured(DECLARED)
    assert named(build(config, {}), config, "self") == ["monitor"]


def test_a_target_is_found_by_its_kind_and_name(configured: Any) -> None:
    inventory = build(configured(DECLARED), DISCOVERED)
    for kind in KINDS.values():
        for target in inventory.of(kind):
            assert inventory.find(kind, target.name) == target
    assert inventory.find(HostTarget, "example.com") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "AddressTarget 192.0.2.1"),
        ("2001:DB8::1", "AddressTarget 2001:db8::1"),
        ("MX.example.com:465", "HostTarget mx.example.com:465"),
        ("BÜCHER.example.", "DomainTarget xn--bcher-kva.example"),
    ],
)
def test_a_person_may_name_a_target_without_a_configuration(text: str, expected: str) -> None:
    target = target_of(text)
    assert f"{type(target).__name__} {target.name}" == expected


@pytest.mark.parametrize("text", ["", "example", "example.com:x", "a b.example", "192.0.2.1:0"])
def test_what_names_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has no"):
        target_of(text)
