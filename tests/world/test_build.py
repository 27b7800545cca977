"""The world as the configuration has it, against the lab's servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.check import Confirm, DnsStatus, HttpsFailure, SmtpConversation, SmtpFailure
from monitor.config.load import load
from monitor.lab import Lab
from monitor.world.budgets import PacedBudgets
from monitor.world.build import Worlds, build_world
from monitor.world.clock import SystemClock
from monitor.world.dns.nameserver import Nameserver
from monitor.world.fake import FakeWorld


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    directory: Path = tmp_path_factory.mktemp("lab")
    async with Lab(directory=directory, listen="127.0.0.1:9") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def worlds(lab: Lab) -> AsyncIterator[Worlds]:
    """Built from a file, as the daemon builds them."""
    document = {
        "domains": [{"name": "shop.example"}],
        "thresholds": {"bounce": {"warning": 0.02, "critical": 0.05, "minimum": 100}},
        "resolver": {
            "nameservers": [f"127.0.0.1:{lab.ports.dns}"],
            "timeout": "1s",
            "canaries": [f"canary-{n}.example" for n in (1, 2, 3)],
        },
        "network": {
            "allow": ["127.0.0.0/8"],
            "ports": {
                25: lab.ports.smtp,
                465: lab.ports.smtps,
                587: lab.ports.submission,
                443: lab.ports.https,
            },
            "ca": str(lab.ca_file),
            "port25_canaries": ["mx.canary-1.example"],
        },
        "vantage": {"helo": "monitor.shop.example"},
    }
    path = lab.directory / "world.yaml"
    path.write_text(json.dumps(document))
    fake = FakeWorld()
    built = build_world(
        load(path, {}, {}),
        windows=fake,
        results=fake,
        budgets=PacedBudgets(clock=SystemClock()),
        clock=SystemClock(),
    )
    yield built
    await built.aclose()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def converse(worlds: Worlds, name: str, port: int = 25) -> SmtpConversation:
    world = worlds.normal("smtp")
    address = (await world.dns.ask(name, "A")).records[0]
    return await world.smtp.converse(address, name, port)


TLS = [
    ("good.hosts.example", 25, "TLSv1.3", None),
    ("good.hosts.example", 465, "TLSv1.3", None),
    ("good.hosts.example", 587, "TLSv1.3", None),
    ("tls10.hosts.example", 25, "TLSv1", None),
    ("expired.hosts.example", 25, "TLSv1.3", "the certificate expired on"),
    ("selfsigned.hosts.example", 25, "TLSv1.3", "the certificate is self-signed"),
    ("wrongname.hosts.example", 25, "TLSv1.3", None),
]


@pytest.mark.parametrize(("name", "port", "protocol", "untrusted"), TLS)
async def test_what_the_labs_hosts_negotiate(
    worlds: Worlds, name: str, port: int, protocol: str, untrusted: str | None
) -> None:
    seen = await converse(worlds, name, port)
    assert (seen.failure, seen.tls.protocol) == (None, protocol)
    assert (seen.tls.untrusted or "").startswith(untrusted or "")
    assert (seen.tls.untrusted is None) == (untrusted is None)


HOSTILE = [
    ("plain.hosts.example", None, ""),
    ("endless.hosts.example", SmtpFailure.PROTOCOL, "more than 100 lines"),
    ("longline.hosts.example", SmtpFailure.PROTOCOL, "longer than"),
    ("busy.hosts.example", SmtpFailure.REPLY, "said 4"),
]


@pytest.mark.parametrize(("name", "failure", "reason"), HOSTILE)
async def test_the_labs_odd_hosts(
    worlds: Worlds, name: str, failure: SmtpFailure | None, reason: str
) -> None:
    seen = await converse(worlds, name)
    assert seen.failure == failure
    assert reason in seen.reason


async def test_the_labs_injecting_host_is_seen_through(worlds: Worlds) -> None:
    assert (await converse(worlds, "injecting.hosts.example")).injected


SITES = [
    ("mta-sts.shop.example", 200, None, b"version: STSv1"),
    ("mta-sts.sts-redirect.hostile.example", 301, None, b""),
    ("mta-sts.sts-endless.hostile.example", 200, HttpsFailure.TOO_LARGE, b""),
    ("mta-sts.sts-huge.hostile.example", 200, HttpsFailure.TOO_LARGE, b""),
    ("mta-sts.sts-liar.hostile.example", 200, HttpsFailure.PROTOCOL, b""),
    ("click.news.example", 404, None, b"404"),
]


@pytest.mark.parametrize(("name", "status", "failure", "body"), SITES)
async def test_the_labs_sites(
    worlds: Worlds, name: str, status: int, failure: HttpsFailure | None, body: bytes
) -> None:
    world = worlds.normal("mta_sts")
    reply = await world.https.get(f"https://{name}/.well-known/mta-sts.txt")
    assert (reply.status, reply.failure) == (status, failure), reply.reason
    assert reply.body.startswith(body)
    assert reply.tls.untrusted is None


async def test_all_is_well_with_ourselves_in_the_lab(worlds: Worlds) -> None:
    canaries = worlds.normal("self").canaries
    verdicts = await asyncio.gather(canaries.resolver(), canaries.network(), canaries.egress(25))
    assert verdicts == [None, None, None]


async def test_a_confirming_look_is_marked_and_takes_the_way_asked_for(worlds: Worlds) -> None:
    for how in Confirm:
        world = worlds.confirming("dmarc", how)
        assert world.confirming
        answer = await world.dns.ask("shop.example", "MX")
        assert answer.status is DnsStatus.OK
    assert not worlds.normal("dmarc").confirming


@pytest.mark.parametrize("others", [(), ("127.0.0.2",)], ids=["one nameserver", "two"])
async def test_another_resolver_is_asked_where_there_is_one(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, others: tuple[str, ...]
) -> None:
    """What zones proved through one resolver does not count through another; no other is no other way."""
    several = (*worlds.resolver.nameservers, *map(Nameserver.parse, others))
    monkeypatch.setattr(worlds.resolver, "nameservers", several)
    worlds.normal("blocklist").memory.put("through", "ours", 60)
    world = worlds.confirming("blocklist", Confirm.OTHER_RESOLVER)
    assert world.memory.get("through") == (None if others else "ours")
    assert worlds.confirming("blocklist", Confirm.AGAIN).memory.get("through") == "ours"


async def test_a_check_has_its_own_memory_that_its_looks_share(worlds: Worlds) -> None:
    worlds.normal("blocklist").memory.put("zone", "usable", 60)
    assert worlds.confirming("blocklist", Confirm.AGAIN).memory.get("zone") == "usable"
    assert worlds.normal("smtp").memory.get("zone") is None


async def test_the_configured_thresholds_and_counters_are_there(worlds: Worlds) -> None:
    limit = worlds.normal("rates").thresholds.of("bounce", role="primary", sender="x", stream="y")
    assert (limit.warning, limit.critical, limit.minimum) == (0.02, 0.05, 100)
    await worlds.normal("mx").dns.ask("shop.example", "MX")
    assert worlds.resolver.queries[DnsStatus.OK] > 0


async def trouble(ask: Callable[[], Awaitable[str | None]]) -> str:
    """The first trouble told; good verdicts are kept for a moment."""
    async with asyncio.timeout(10):
        while (told := await ask()) is None:
            await asyncio.sleep(0.05)
        return told


async def test_a_closed_way_out_is_told_as_ours(lab: Lab, worlds: Worlds) -> None:
    await lab.start_incident("port25-blocked")
    try:
        seen = await converse(worlds, "good.hosts.example")
        assert seen.failure is SmtpFailure.CONNECT
        canaries = worlds.normal("smtp").canaries
        assert "port 25 leave here for nobody" in await trouble(lambda: canaries.egress(25))
        assert await canaries.network() is None
    finally:
        await lab.end_incident("port25-blocked")


async def test_a_dead_resolver_is_told_as_ours_and_the_network_lives(
    lab: Lab, worlds: Worlds
) -> None:
    await lab.start_incident("resolver-dead")
    try:
        canaries = worlds.normal("ns").canaries
        assert "does not answer" in await trouble(canaries.resolver)
        assert await canaries.network() is None
    finally:
        await lab.end_incident("resolver-dead")
