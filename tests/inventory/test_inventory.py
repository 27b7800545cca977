"""The targets of what is declared and discovered, and which a check looks at."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.config.valid import ValidConfig
from monitor.inventory import Discovery, Inventory, build, target_of
from monitor.model import HostTarget, NamedDomainTarget, Role, SenderTarget
from tests.inventory.conftest import KINDS

NOW = 1_800_000_000.0


def named(inventory: Inventory, config: ValidConfig, check: str) -> list[str]:
    return [target.name for target in inventory.targets(config.checks[check])]


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
        {"mx1.example.com": ("8.8.8.8", "9.9.9.9")},
    ),
    "news.example": Discovery("news.example", NOW, ("mx1.example.com", "mx.news.example")),
    "parked.example": Discovery("parked.example", NOW, ("mx.parked.example",)),
    "removed.example": Discovery("removed.example", NOW, ("mx.removed.example",)),
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
