"""The page arrives, and resolves when the trouble is seen to be over, not when we lose sight of it."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import House
from tests.e2e.servers import KEEP_FIRING, daemon, until

pytestmark = pytest.mark.servers

SHOP = {"domain": "shop.example", "severity": "page"}
LONGER_THAN_KEEP_FIRING = int(KEEP_FIRING[:-1]) + 5


async def quiet(house: House) -> None:
    """Everything about the shop was looked at, and nothing pages."""
    daemon = house.daemon

    async def looked() -> bool:
        status = await daemon.matching("deliverability_check_status", domain="shop.example")
        checks = {key.split('check="')[1].split('"')[0] for key, value in status.items() if value}
        rates = await daemon.matching("deliverability_ratio", domain="shop.example", window="1h")
        return {"dmarc", "smtp", "spf", "dkim", "mx", "ns"} <= checks and bool(rates)

    await until("the shop was looked at", looked, seconds=30)
    await until("Prometheus scraped", lambda: house.paging.query("deliverability_findings"))
    assert house.paging.pages.count("firing", **SHOP) == 0
    assert await daemon.open_codes("shop.example") == set()


@pytest.mark.parametrize(
    ("incident", "alert"),
    [
        ("address-listed", "DeliverabilityAddressListed"),
        ("dmarc-weakened", "DeliverabilityDmarcWeakened"),
        ("certificate-expiring", "DeliverabilityCertificateExpiring"),
        ("bounce-spike", "DeliverabilityBounceRateCritical"),
        ("domain-listed", "DeliverabilityDomainListed"),
        ("ns-unresolvable", "DeliverabilityDomainUnresolvable"),
    ],
)
async def test_the_page_arrives_and_resolves(house: House, incident: str, alert: str) -> None:
    await quiet(house)
    pages = house.paging.pages
    await house.lab.start_incident(incident)
    await until(
        f"a page: {alert}",
        lambda: pages.count("firing", alertname=alert, **SHOP),
        seconds=60,
    )
    annotations = next(
        found for state, labels, found in pages.received if labels["alertname"] == alert
    )
    assert annotations["summary"]
    assert f"#{alert.lower()}" in annotations["runbook_url"]
    await house.lab.end_incident(incident)
    await until(
        f"its resolve: {alert}",
        lambda: pages.count("resolved", alertname=alert, **SHOP),
        seconds=60,
    )
    assert pages.count("firing", alertname=alert, **SHOP) == 1


async def test_losing_sight_a_failed_scrape_and_a_restart_resolve_nothing(
    house: House, tmp_path: Path
) -> None:
    await quiet(house)
    pages = house.paging.pages
    wanted = {"dmarc.policy_weakened", "blocklist.address_listed"}
    for incident in ("dmarc-weakened", "address-listed"):
        await house.lab.start_incident(incident)
    for alert in ("DeliverabilityDmarcWeakened", "DeliverabilityAddressListed"):
        await until(alert, lambda alert=alert: pages.count("firing", alertname=alert, **SHOP), 60)

    await house.lab.start_incident("resolver-dead")
    await until("we lost sight", lambda: _blind(house, "dmarc"), seconds=60)
    await asyncio.sleep(LONGER_THAN_KEEP_FIRING)
    assert wanted <= await house.daemon.open_codes("shop.example")
    assert pages.count("resolved", **SHOP) == 0

    house.daemon.process.signal(signal.SIGSTOP)
    await until("a scrape failed", lambda: house.paging.query('up{job="deliverability"} == 0'), 30)
    house.daemon.process.signal(signal.SIGCONT)
    await until("scrapes again", lambda: house.paging.query('up{job="deliverability"} == 1'), 30)
    assert pages.count("resolved", **SHOP) == 0

    house.daemon.process.signal(signal.SIGTERM)
    assert await house.daemon.process.stopped(10) == 0
    async with daemon(house.lab.config_path, tmp_path) as again:
        assert wanted <= await again.open_codes("shop.example")
        await asyncio.sleep(LONGER_THAN_KEEP_FIRING)
        assert pages.count("resolved", **SHOP) == 0

        for incident in ("resolver-dead", "dmarc-weakened", "address-listed"):
            await house.lab.end_incident(incident)
        for alert in ("DeliverabilityDmarcWeakened", "DeliverabilityAddressListed"):
            await until(
                f"seen clean: {alert}",
                lambda alert=alert: pages.count("resolved", alertname=alert, **SHOP),
                60,
            )


async def _blind(house: House, check: str) -> bool:
    answer = await house.daemon.json(f"/api/v1/results?check={check}&domain=shop.example")
    results = answer["results"] if isinstance(answer, dict) else answer
    return any(
        result["failure"] or any(not subject["known"] for subject in result["subjects"])
        for result in results
    )


AN_HOUR_OF_LOOKS = {
    "dmarc": 12, "ns": 12, "blocklist": 1, "smtp": 4, "spf": 2, "dkim": 1, "mx": 2, "mta_sts": 4,
    "tls_rpt": 1, "rdns": 2, "dane": 1, "bimi": 1, "tracking": 1, "parked": 1,
}  # fmt: skip
"""At least as many looks as an hour has at the checks' default intervals."""


async def test_an_hour_of_lossy_dns_pages_nobody_about_the_domain(house: House) -> None:
    """Packets dropped, SERVFAIL, refusals, and blocklists that answer as to a public resolver."""
    await quiet(house)
    before = await _looks(house)
    for incident in ("resolver-lossy", "resolver-refusing-blocklists"):
        await house.lab.start_incident(incident)

    async def an_hour_passed() -> bool:
        now = await _looks(house)
        return all(now[c] - before[c] >= 5 * looks for c, looks in AN_HOUR_OF_LOOKS.items())

    await until("an hour's looks", an_hour_passed, seconds=240)
    for domain in ("shop.example", "news.example", "parked.example"):
        assert house.paging.pages.count("firing", domain=domain, severity="page") == 0
        assert await house.daemon.open_codes(domain) == set()


async def _looks(house: House) -> dict[str, float]:
    """Runs of each check so far; the lab has five domains, so a look at each is five."""
    found = await house.daemon.matching("deliverability_check_runs_total")
    looks: dict[str, float] = dict.fromkeys(AN_HOUR_OF_LOOKS, 0.0)
    for key, value in found.items():
        check = key.split('check="')[1].split('"')[0]
        if check in looks:
            looks[check] += value
    return looks


async def test_a_dead_resolver_is_one_finding_about_ourselves(house: House) -> None:
    await quiet(house)
    await house.lab.start_incident("resolver-dead")
    pages = house.paging.pages
    await until(
        "a ticket about the monitor",
        lambda: (
            pages.count("firing", alertname="DeliverabilityResolverFailing")
            or pages.count("firing", alertname="DeliverabilityNetworkDown")
        ),
        seconds=60,
    )
    await until("the shop is unknown", lambda: _blind(house, "ns"), seconds=60)
    own = await house.daemon.matching("deliverability_findings", check="self")
    assert len(own) == 1
    assert await house.daemon.open_codes("shop.example") == set()
    assert pages.count("firing", **SHOP) == 0


async def test_blocked_port_25_is_one_finding_about_our_egress(house: House) -> None:
    await quiet(house)
    await house.lab.start_incident("port25-blocked")
    pages = house.paging.pages
    await until(
        "a ticket about our egress",
        lambda: pages.count("firing", alertname="DeliverabilityEgressBlocked"),
        seconds=60,
    )
    await until("the shop's hosts are unknown", lambda: _blind(house, "smtp"), seconds=60)
    own = await house.daemon.matching("deliverability_findings", check="self")
    assert len(own) == 1
    assert "smtp.unreachable" not in await house.daemon.open_codes("shop.example")
