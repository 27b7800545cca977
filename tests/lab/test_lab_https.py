"""The lab's HTTPS sites, asked as any client asks."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import aiohttp
import pytest

from monitor.lab import Incident, Lab
from monitor.lab.ports import free_port
from tests.lab.asking import asking, document, values

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = "/.well-known/mta-sts.txt"
STS = "mta-sts.shop.example"


async def test_a_site_serves_its_documents_and_nothing_else(lab: Lab) -> None:
    async with asking(lab, STS, POLICY) as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        assert "mode: enforce\nmx: mx1.shop.example\n" in await response.text()
    async with asking(lab, STS, "/other") as response:
        assert response.status == 404


async def test_a_site_has_its_address_in_dns(lab: Lab) -> None:
    assert await values(lab, STS, "A") == {"127.0.1.60"}
    assert await values(lab, "60.1.0.127.in-addr.arpa", "PTR") == {f"{STS}."}
    assert await values(lab, "click.news.example", "A") == {"127.0.1.61"}


async def test_the_registry_says_when_a_domain_ends(lab: Lab) -> None:
    async with asking(lab, "rdap.example", "/dns.json") as response:
        services = json.loads(await response.read())["services"]
        assert services == [[["example"], ["https://rdap.example/"]]]
    async with asking(lab, "rdap.example", "/domain/shop.example") as response:
        assert response.content_type == "application/rdap+json"
        *_, expiration = json.loads(await response.read())["events"]
    left = datetime.fromisoformat(expiration["eventDate"]) - datetime.now(UTC)
    assert timedelta(days=299.9) < left < timedelta(days=300.1)


async def test_a_redirect_leads_elsewhere(lab: Lab) -> None:
    async with asking(lab, "mta-sts.sts-redirect.hostile.example", POLICY) as response:
        assert response.status == 301
        assert response.headers["Location"] == f"https://{STS}{POLICY}"


@pytest.mark.parametrize("manner", ["endless", "huge"])
async def test_a_flood_goes_on_and_on(lab: Lab, manner: str) -> None:
    async with asking(lab, f"mta-sts.sts-{manner}.hostile.example", POLICY) as response:
        assert response.content_length == {"endless": None, "huge": 5_000_000_000}[manner]
        assert len(await response.content.readexactly(500_000)) == 500_000


async def test_a_liar_sends_less_than_it_announced(lab: Lab) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asking(lab, "mta-sts.sts-liar.hostile.example", POLICY) as response:
            await response.read()


async def test_a_stalled_site_says_nothing(lab: Lab) -> None:
    assert await document(lab, "mta-sts.sts-stalled.hostile.example", POLICY) == "silence"


async def test_a_tarpit_drips(lab: Lab) -> None:
    async with asking(lab, "mta-sts.sts-tarpit.hostile.example", POLICY) as response:
        assert await response.content.readexactly(1) == b"v"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await response.content.readany()


@pytest.fixture(scope="module")
def incident_lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    silent = free_port([IPv4Address("127.0.0.1")])
    return Lab(directory=tmp_path_factory.mktemp("lab"), listen=f"127.0.0.1:{silent}")


def changed(**site: object) -> Incident:
    return Incident(description="a site changes", world={"sites": {STS: site}})


INCIDENTS = {
    "document": (changed(documents={POLICY: {"body": "version: STSv1\n"}}), "version: STSv1\n"),
    "octets": (changed(documents={POLICY: {"body": b"\xff"}}), "\udcff"),
    "status": (changed(documents={POLICY: {"status": 503}}), "503"),
    "gone": (changed(documents={POLICY: None}), "404"),
    "expired": (changed(certificate={"expires_in": "-3d"}), "certificate has expired"),
    "misnamed": (changed(certificate={"names": ["other.example"]}), "Hostname mismatch"),
    "self-signed": (changed(certificate={"issuer": "self"}), "self-signed certificate"),
    "down": (changed(listening=False), "refused"),
    "refused": (Incident(description="no way out", world={"egress": {443: "refused"}}), "refused"),
    "stalled": (changed(manner="stalled"), "silence"),
    "silent": (Incident(description="no way out", world={"egress": {443: "silent"}}), "silence"),
}


async def test_incidents_change_a_site_and_it_comes_back(incident_lab: Lab) -> None:
    async with incident_lab as lab:
        normal = await document(lab, STS, POLICY)
        assert "mode: enforce" in normal
        for name, (incident, expected) in INCIDENTS.items():
            await lab.start_incident(name, incident)
            assert expected in await document(lab, STS, POLICY), name
            await lab.end_incident(name)
            assert await document(lab, STS, POLICY) == normal, name
