"""Servers that we did not write stand in for the lab's DNS, and the checks learn the same.

A server of our own proves only that we agree with ourselves.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.lab import Lab
from tests.e2e.servers import Running, free_port, until
from tests.real.dns_servers import knot, unbound, zone_files
from tests.real.looking import Looking, findings, looking

pytestmark = pytest.mark.servers

DOMAINS = {"shop.example", "weak.example", "broken.example", "parked.example"}
CHECKS = {"dmarc", "spf", "dkim", "mx", "ns", "rdns", "blocklist"}

SENDERS = [
    {"name": "weak-mta", "domains": ["weak.example"], "addresses": ["203.0.113.40"]},
    {"name": "broken-mta", "domains": ["broken.example"], "addresses": ["203.0.113.50"]},
]
"""Senders with a bad name and with none, which the lab's own configuration does not declare."""

Learnt = dict[tuple[str, str], tuple[str, str, list[tuple[str, str, str]]]]
"""By (check, target): the status, the failure, and (subject, code, severity) of each finding."""


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with Lab(directory=tmp_path / "lab", listen=f"127.0.0.1:{free_port()}") as lab:
        yield lab


def configuration(lab: Lab, directory: Path, port: int) -> Path:
    """The lab's configuration with another resolver, and blocklists that a zone file can hold."""
    document: dict[str, Any] = yaml.safe_load(lab.config_path.read_text())
    document["resolver"]["nameservers"] = [f"127.0.0.1:{port}"]
    document["senders"] += SENDERS
    document["checks"]["blocklist"]["zones"] = ["zen.lab.example", "dbl.lab.example"]
    document["store"]["url"] = f"sqlite:///{directory}/state-{port}.db"
    path = directory / f"config-{port}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


async def learnt(eyes: Looking) -> Learnt:
    result: Learnt = {}
    for (check, target), (_, what) in eyes.assembly.targets.items():
        if check in CHECKS and what.domain in DOMAINS:
            kept = (await eyes.at(check, target)).kept
            found = [
                (name, finding.code, finding.severity)
                for name, subject in kept.subjects.items()
                for finding in subject.findings
            ]
            result[check, target] = kept.status.value, kept.failure, sorted(found)
    return result


async def learnt_through(lab: Lab, directory: Path, port: int) -> Learnt:
    async with looking(configuration(lab, directory, port)) as eyes:
        return await learnt(eyes)


async def test_knot_and_unbound_tell_the_same_as_the_lab(lab: Lab, tmp_path: Path) -> None:
    by_the_lab = await learnt_through(lab, tmp_path, lab.ports.dns)
    assert {check for check, _ in by_the_lab} == CHECKS
    statuses = {status for status, *_ in by_the_lab.values()}
    assert statuses == {"ok", "warning", "critical"}

    served, recursive = free_port(), free_port()
    zones = zone_files(lab.world)
    async with knot(zones, tmp_path / "knot", served):
        assert await learnt_through(lab, tmp_path, served) == by_the_lab
        async with unbound(dict.fromkeys(zones, served), tmp_path / "unbound", recursive):
            assert await learnt_through(lab, tmp_path, recursive) == by_the_lab


async def test_a_stopped_server_is_the_domains_trouble_only_while_the_canaries_resolve(
    lab: Lab, tmp_path: Path
) -> None:
    """Behind a running recursive resolver one server has the shop's zone, another all else."""
    zones = zone_files(lab.world)
    of_the_shop = {"shop.example.": zones.pop("shop.example.")}
    shop, others, recursive = free_port(), free_port(), free_port()
    stubs = dict.fromkeys(of_the_shop, shop) | dict.fromkeys(zones, others)
    async with (
        knot(of_the_shop, tmp_path / "shop", shop) as server_of_the_shop,
        knot(zones, tmp_path / "others", others) as server_of_the_others,
        unbound(stubs, tmp_path / "unbound", recursive),
        looking(configuration(lab, tmp_path, recursive)) as eyes,
    ):
        as_usual = {name: set[str]() for name in DOMAINS} | {"broken.example": {"ns.server_lame"}}
        assert await _codes_of_all(eyes) == as_usual

        await stop(server_of_the_shop)
        await until("what caches hold expires", lambda: _codes(eyes, "ns", "shop.example"))
        assert await _codes_of_all(eyes) == as_usual | {"shop.example": {"ns.unresolvable"}}

        await stop(server_of_the_others)
        await until("nothing resolves", lambda: _codes(eyes, "self", "monitor"))
        assert await _codes(eyes, "self", "monitor") == {"self.resolver_failing"}
        assert await _codes_of_all(eyes) == {name: set() for name in DOMAINS}
        result = (await eyes.at("ns", "shop.example")).kept
        assert result.status == "unknown"
        assert result.failure.startswith("our resolver 127.0.0.1:")


async def _codes(eyes: Looking, check: str, target: str) -> set[str]:
    return {finding.code for finding in findings(await eyes.at(check, target))}


async def _codes_of_all(eyes: Looking) -> dict[str, set[str]]:
    looks = await asyncio.gather(*(_codes(eyes, "ns", name) for name in DOMAINS))
    return dict(zip(DOMAINS, looks, strict=True))


async def stop(server: Running) -> None:
    server.signal(signal.SIGTERM)
    assert await server.stopped() == 0
