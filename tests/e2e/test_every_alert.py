"""Every alert of the rules pages through a real Prometheus and a real Alertmanager.

Those about mail and about what lies outside come from incidents of the lab, several at once where none
masks another; those about the monitor itself from what is done to the daemon.
"""

import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from monitor.lab import Lab
from tests.e2e.conftest import House
from tests.e2e.servers import RULES, daemon, paging, until

pytestmark = pytest.mark.servers

SECONDS = 75
"""Within this time what an incident does must have paged."""

SHOP = {"domain": "shop.example"}
NEWS = {"domain": "news.example"}
INTERVALS = {
    "blocklist": "3s",
    "dmarc": "3s",
    "smtp": "2s",
    "rates": "3s",
    "spf": "3s",
    "dkim": "3s",
    "mx": "3s",
    "ns": "3s",
    "rdns": "3s",
    "self": "2s",
}

Expected = tuple[str, Mapping[str, str]]

ROUNDS: tuple[Mapping[str, tuple[Expected, ...]], ...] = (
    {
        "address-listed": (("AddressListed", SHOP),),
        "address-suspicious": (("AddressListedTicket", SHOP),),
        "domain-listed": (("DomainListed", SHOP),),
        "domain-abused": (("DomainListedTicket", NEWS),),
        "dmarc-weakened": (("DmarcWeakened", SHOP),),
        "dmarc-garbled": (("DmarcWarning", NEWS),),
        "dkim-key-revoked": (("DkimKeyUnusable", SHOP),),
        "dkim-key-testing": (("DkimWarning", SHOP),),
        "spf-softened": (("SpfWarning", SHOP),),
        "spf-doubled": (("SpfBroken", NEWS),),
        "mx-host-dead": (("MxWarning", SHOP),),
        "mx-unusable": (("MxUnusable", NEWS),),
        "single-name-server": (("NameServersWarning", SHOP),),
        "reverse-dns-missing": (("ReverseDnsBroken", SHOP),),
        "reverse-dns-generic": (("ReverseDnsWarning", NEWS),),
        "certificate-expiring": (("CertificateExpiring", SHOP),),
        "certificate-ageing": (("CertificateExpiringSoon", SHOP),),
        "starttls-injection": (("MailHostCritical", SHOP),),
        "bounce-spike": (("BounceRateCritical", SHOP), ("BounceRateHigh", SHOP)),
        "hook-secret-wrong": (("HookRejecting", {"hook": "newsletter"}),),
    },
    {
        "starttls-withdrawn": (("StarttlsMissing", SHOP),),
        "certificate-misnamed": (("MailHostWarning", NEWS),),
        "mx-stalled": (("CheckOverdue", {"check": "smtp"}),),
        "resolver-refusing-blocklists": (
            ("BlocklistZoneUnusable", {"zone": "zen.lab.example"}),
            ("BlocklistBlind", {}),
        ),
    },
    {"tls-outdated": (("TlsOutdated", SHOP),)},
    {"mx-down": (("MailHostDown", SHOP),)},
    {
        "port25-blocked": (("EgressBlocked", {}),),
        "ns-unresolvable": (("DomainUnresolvable", SHOP),),
    },
    {"resolver-dead": (("ResolverFailing", {}), ("Blind", {"check": "spf", **NEWS}))},
    {"network-down": (("NetworkDown", {}),)},
)
"""Each incident with the alerts that it must fire, which must not have fired before it."""


WITHOUT_A_DISK_TO_FILL = {"DeliverabilityStoreFailing"}


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
def disk(tmp_path: Path) -> Iterator[Disk | None]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32M", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        yield None
        return
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def house(lab: Lab, disk: Disk | None, tmp_path: Path) -> AsyncIterator[House]:
    """The lab watched at short intervals, with its state on the disk that can be filled."""
    config = yaml.safe_load(lab.config_path.read_text())
    for check, interval in INTERVALS.items():
        config["checks"].setdefault(check, {})["interval"] = interval
    if disk is not None:
        config["store"]["url"] = f"sqlite:///{disk.folder}/state.db"
    lab.config_path.write_text(yaml.safe_dump(config))
    async with daemon(lab.config_path, tmp_path) as running, paging(lab.listen, tmp_path) as paged:
        yield House(lab, running, paged)


async def test_every_alert_pages(house: House, disk: Disk | None) -> None:
    await until(
        "every check looked, and Prometheus saw it",
        lambda: house.paging.query('deliverability_ratio{domain="shop.example", window="1h"}'),
        seconds=SECONDS,
    )
    for incidents in ROUNDS:
        await incidents_page(house, incidents)
    await the_monitor_pages_about_itself(house, disk)
    declared = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    told = {
        labels["alertname"] for state, labels, _ in house.paging.pages.received if state == "firing"
    }
    assert declared - told == (set() if disk else WITHOUT_A_DISK_TO_FILL)


async def incidents_page(house: House, incidents: Mapping[str, tuple[Expected, ...]]) -> None:
    expected = [each for alerts in incidents.values() for each in alerts]
    assert [each for each in expected if fired(house, *each)] == []
    for name in incidents:
        await house.lab.start_incident(name)
    await pages(house, *expected)
    for name in incidents:
        await house.lab.end_incident(name)


async def the_monitor_pages_about_itself(house: House, disk: Disk | None) -> None:
    await pages(house, ("Watchdog", {}))

    good = house.daemon.config.read_text()
    house.daemon.config.write_text(good.replace("domains:", "domain:", 1))
    house.daemon.process.signal(signal.SIGHUP)
    await pages(house, ("ConfigReloadFailed", {}))
    house.daemon.config.write_text(good)

    if disk is not None:
        # So that there is much to write.
        await house.lab.start_incident("bounce-spike")
        await pages(house, ("StoreFailing", {}), meanwhile=disk.fill)
        disk.free()

    house.daemon.process.signal(signal.SIGTERM)
    await pages(house, ("Down", {}))


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
