"""Every alert of the rules pages through a real Prometheus and a real Alertmanager.

Those about mail and about what lies outside come from incidents of the lab, several at once where none
masks another; those about the monitor itself from what is done to the daemon.
"""

import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from monitor.lab import Lab
from tests.e2e.conftest import House
from tests.e2e.servers import RULES, Daemon, daemon, paging, until

pytestmark = pytest.mark.servers

SECONDS = 75
"""Within this time what an incident does must have paged."""

SHOP = {"domain": "shop.example"}
NEWS = {"domain": "news.example"}
PARKED = {"domain": "parked.example"}
INTERVALS = {
    "blocklist": "3s",
    "dmarc": "3s",
    "smtp": "2s",
    "smtp_audit": "3s",
    "rates": "3s",
    "spf": "3s",
    "dkim": "3s",
    "mx": "3s",
    "ns": "3s",
    "dane": "3s",
    "rdns": "3s",
    "mta_sts": "3s",
    "tls_rpt": "3s",
    "parked": "3s",
    "bulk_sender": "3s",
    "self": "2s",
    "bimi": "3s",
    "tracking": "3s",
}

Expected = tuple[str, Mapping[str, str]]

ROUNDS: tuple[Mapping[str, tuple[Expected, ...]], ...] = (
    {
        "address-listed": (("AddressListed", SHOP),),
        "address-suspicious": (("AddressListedTicket", SHOP),),
        "domain-listed": (("DomainListed", SHOP),),
        "domain-abused": (("DomainListedTicket", NEWS),),
        "blocklist-lists-everyone": (("BlocklistZoneUnusable", {"zone": "traps.lab.example"}),),
        "dmarc-weakened": (("DmarcWeakened", SHOP),),
        "dmarc-garbled": (("DmarcWarning", NEWS),),
        "dkim-key-revoked": (("DkimKeyUnusable", SHOP),),
        "dkim-key-testing": (("DkimWarning", SHOP),),
        "spf-softened": (("SpfWarning", SHOP),),
        "spf-doubled": (("SpfBroken", NEWS), ("BulkSenderRequirementNotMet", NEWS)),
        "mta-sts-outdated": (("MtaStsRefusesMail", SHOP),),
        "mta-sts-doubled": (("MtaStsWarning", NEWS),),
        "tls-reports-lost": (("TlsReportsLost", SHOP),),
        "parked-opened": (("ParkedDomainOpen", PARKED),),
        "mx-host-dead": (("MxWarning", SHOP),),
        "mx-unusable": (("MxUnusable", NEWS),),
        "single-name-server": (("NameServersWarning", SHOP),),
        "domain-expiring": (("DomainExpiring", SHOP),),
        "domain-ageing": (("DomainExpiringSoon", NEWS),),
        "dane-mismatch": (("DaneBroken", SHOP),),
        "reverse-dns-missing": (("ReverseDnsBroken", SHOP),),
        "reverse-dns-generic": (("ReverseDnsWarning", NEWS),),
        "certificate-expiring": (("CertificateExpiring", SHOP),),
        "certificate-ageing": (("CertificateExpiringSoon", SHOP),),
        "starttls-injection": (("MailHostCritical", SHOP),),
        "open-relay": (("OpenRelay", SHOP),),
        "tls-old-accepted": (("MailHostWeak", SHOP),),
        "click-host-dangling": (("LinksBroken", NEWS),),
        "link-certificate-ageing": (("LinksWarning", SHOP),),
        "logo-host-down": (("BimiCritical", SHOP),),
        "bimi-record-invalid": (("BimiWarning", NEWS),),
        "bounce-spike": (("BounceRateCritical", SHOP), ("BounceRateHigh", SHOP)),
        "hook-secret-wrong": (("HookRejecting", {"hook": "newsletter"}),),
    },
    {
        "dane-unsigned": (("DaneWarning", NEWS),),
        "dmarc-disagreed": (("DmarcWarning", SHOP),),
        "spf-sender-dropped": (("SpfBroken", SHOP),),
        "starttls-withdrawn": (("StarttlsMissing", SHOP), ("StarttlsWithdrawn", SHOP)),
        "certificate-misnamed": (("MailHostWarning", NEWS),),
        "mx-stalled": (("CheckOverdue", {"check": "smtp"}),),
        "resolver-refusing-blocklists": (("BlocklistBlind", {}),),
    },
    {
        "tls-outdated": (("TlsOutdated", SHOP),),
        "starttls-buffered": (("MailHostVulnerable", SHOP),),
    },
    {"mx-down": (("MailHostDown", SHOP),)},
    {
        "port25-blocked": (("EgressBlocked", {}),),
        "ns-unresolvable": (("DomainUnresolvable", SHOP),),
    },
    {"resolver-dead": (("ResolverFailing", {}), ("Blind", {"check": "spf", **NEWS}))},
    {"network-down": (("NetworkDown", {}),)},
)
"""Each incident with the alerts that it must fire, which must not have fired before it."""


ABOUT_ITSELF = {"Watchdog", "ConfigReloadFailed", "StoreFailing", "Down", "DkimKeyOld"}
"""Fired by what is done to the daemon; the age of a key also is what its configuration says."""


def test_every_alert_is_fired_below() -> None:
    declared = re.findall(r"alert: Deliverability(\w+)", RULES.read_text())
    by_incidents = {
        alert for incidents in ROUNDS for each in incidents.values() for alert, _ in each
    }
    assert sorted(declared) == sorted(by_incidents | ABOUT_ITSELF)


class Disk:
    """A small file system, which can be filled. To mount it needs root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32M", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def house(lab: Lab, tmp_path: Path) -> AsyncIterator[House]:
    """The lab watched at short intervals."""
    async with watched(lab, tmp_path) as house:
        yield house


@asynccontextmanager
async def watched(lab: Lab, directory: Path, **keys: object) -> AsyncIterator[House]:
    """The lab with all that watches it, once every check has looked; `keys` replace some of the configuration."""
    config = yaml.safe_load(lab.config_path.read_text()) | keys
    for check, interval in INTERVALS.items():
        config["checks"].setdefault(check, {})["interval"] = interval
    lab.config_path.write_text(yaml.safe_dump(config))
    async with (
        daemon(lab.config_path, directory) as running,
        paging(lab.listen, directory) as paged,
    ):
        await until("every check has looked", lambda: looked(running), seconds=SECONDS)
        yield House(lab, running, paged)


async def looked(site: Daemon) -> bool:
    """Every check has: what was accepted as the state of things is from before the first incident."""
    status = await site.matching("deliverability_check_status", status="ok", **SHOP)
    found = {key.split('check="')[1].split('"')[0] for key, value in status.items() if value}
    return found == INTERVALS.keys() - {"self", "parked"}


async def test_every_alert_pages(house: House) -> None:
    for incidents in ROUNDS:
        await incidents_page(house, incidents)
    await pages(house, ("Watchdog", {}))

    # No incident lasts for a year.
    config = yaml.safe_load(house.daemon.config.read_text())
    config["checks"]["dkim"]["key_max_age"] = "1s"
    good = yaml.safe_dump(config)
    house.daemon.config.write_text(good)
    house.daemon.process.signal(signal.SIGHUP)
    await pages(house, ("DkimKeyOld", SHOP))

    house.daemon.config.write_text(good.replace("domains:", "domain:", 1))
    house.daemon.process.signal(signal.SIGHUP)
    await pages(house, ("ConfigReloadFailed", {}))

    house.daemon.process.signal(signal.SIGTERM)
    await pages(house, ("Down", {}))


async def test_a_full_disk_pages(lab: Lab, disk: Disk, tmp_path: Path) -> None:
    store = {"url": f"sqlite:///{disk.folder}/state.db"}
    async with watched(lab, tmp_path, store=store) as house:
        # So that there is much to write.
        await house.lab.start_incident("bounce-spike")
        await pages(house, ("StoreFailing", {}), meanwhile=disk.fill)
        disk.free()


async def incidents_page(house: House, incidents: Mapping[str, tuple[Expected, ...]]) -> None:
    expected = [each for alerts in incidents.values() for each in alerts]
    assert [each for each in expected if fired(house, *each)] == []
    for name in incidents:
        await house.lab.start_incident(name)
    await pages(house, *expected)
    for name in incidents:
        await house.lab.end_incident(name)


def fired(house: House, alert: str, labels: Mapping[str, str]) -> bool:
    return house.paging.pages.count("firing", alertname=f"Deliverability{alert}", **labels) > 0


async def pages(
    house: House, *expected: Expected, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """All of these arrive where people are paged."""
    missing = list(expected)

    def all_here() -> bool:
        meanwhile()
        missing[:] = [each for each in expected if not fired(house, *each)]
        return not missing

    try:
        await until("pages", all_here, seconds=SECONDS)
    except pytest.fail.Exception:
        pytest.fail(f"not within {SECONDS} s: {missing}")
