"""DNSSEC and DANE as a validating resolver sees them: zones signed here, served by knot, validated by unbound."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.lab import Lab
from tests.e2e.servers import free_port
from tests.real.dns_servers import ANY_SERVER, knot, signed, unbound, zone_files
from tests.real.looking import Looking, findings, looking

pytestmark = pytest.mark.servers

SHOP = "shop.example."
SECOND_KEY = "dc0ce633dbcc913dafafa4b89ac44d8ce683fdfc3f60c8bdf21213b9f2b534ba"
"""Of the certificate that the lab's second mail host presents."""
OTHER_KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Codes = set[tuple[str, str, str]]


@dataclass(frozen=True)
class Zone:
    """The shop's zone: when its signatures end, which key its second host is said to have."""

    ends: timedelta = timedelta(days=10)
    second_key: str = SECOND_KEY
    right_ds: bool = True
    dane: Codes = field(default_factory=set)
    ns: Codes = field(default_factory=set)


GOOD = Zone()
CASES = {
    "good": GOOD,
    "mismatch": Zone(
        second_key=OTHER_KEY, dane={("mx2.shop.example", "dane.mismatch", "critical")}
    ),
    "signatures nearly over": Zone(
        ends=timedelta(hours=6), dane={("dnssec", "dane.signatures_expiring", "warning")}
    ),
    "signatures over": Zone(
        # unbound forgives a tenth of the time that signatures had.
        ends=-timedelta(days=2),
        dane={("dnssec", "dane.signatures_expired", "critical")},
        ns={("delegation", "ns.dnssec_bogus", "critical")},
    ),
    "another key at the parent": Zone(
        right_ds=False,
        dane={("dnssec", "dane.chain_broken", "critical")},
        ns={("delegation", "ns.dnssec_bogus", "critical")},
    ),
}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with Lab(directory=tmp_path / "lab", listen=f"127.0.0.1:{free_port()}") as lab:
        yield lab


@asynccontextmanager
async def eyes_on(zone: Zone, lab: Lab, directory: Path) -> AsyncIterator[Looking]:
    """The checks behind an unbound that trusts the key which the shop's parent vouches for."""
    zones, (served, recursive) = zone_files(lab.world), (free_port(), free_port())
    text = zones[SHOP].replace(SECOND_KEY, zone.second_key)
    zones[SHOP], ds = signed(SHOP, text, expiration=datetime.now(UTC) + zone.ends)
    if not zone.right_ds:
        _, ds = signed(SHOP, text, expiration=datetime.now(UTC) + zone.ends)
    zones["example."] += f"{SHOP} 2 IN NS {ANY_SERVER}\n{SHOP} 2 IN DS {ds}\n"
    document: dict[str, Any] = yaml.safe_load(lab.config_path.read_text())
    document["resolver"]["nameservers"] = [f"127.0.0.1:{recursive}"]
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump(document))
    async with (
        knot(zones, directory / "knot", served),
        unbound(
            dict.fromkeys(zones, served),
            directory / "unbound",
            recursive,
            anchors=[f"{SHOP} DS {ds}"],
        ),
        looking(config) as eyes,
    ):
        yield eyes


async def found(eyes: Looking, check: str) -> tuple[str, Codes]:
    kept = (await eyes.at(check, "shop.example")).kept
    codes = {
        (name, finding.code, finding.severity.value)
        for name, subject in kept.subjects.items()
        for finding in subject.findings
    }
    return kept.status.value, codes


@pytest.mark.parametrize("zone", CASES.values(), ids=CASES)
async def test_what_a_validating_resolver_makes_of_a_zone(
    lab: Lab, tmp_path: Path, zone: Zone
) -> None:
    async with eyes_on(zone, lab, tmp_path) as eyes:
        by_dane = await eyes.at("dane", "shop.example")
        assert await found(eyes, "dane") == (_worst(zone.dane), zone.dane)
        assert await found(eyes, "ns") == (_worst(zone.ns), zone.ns)
        for bogus in findings(await eyes.at("ns", "shop.example"), "delegation"):
            assert "dnssec bogus" in bogus.finding.evidence, "what the resolver says (RFC 8914)"
        if zone is GOOD:
            shown = {sample.gauge: sample.value for sample in by_dane.outcome.samples}
            assert shown == {"dane_hosts": 2.0}


def _worst(codes: Codes) -> str:
    severities = {severity for _, _, severity in codes}
    return next((s for s in ("critical", "warning") if s in severities), "ok")
