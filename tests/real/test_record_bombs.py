"""Zones with far too many, and far too large, records: each look ends soon, small, after few questions, and says why."""

import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from monitor.lab import Lab
from tests.e2e.servers import free_port
from tests.real.looking import Looking, findings, looking

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORLD = Path(__file__).parent / "record_bombs.yaml"
DOMAIN = "bombs.example"
SECONDS = 8
"""Of a look that is confirmed at once; most take less than half a second."""
MEMORY = 10 * 2**20
QUESTIONS = 100
TOO_MANY = "sent more than 300 records"

TOLD = [
    ("mx-1000", "mx", TOO_MANY),
    ("mx-1000", "dane", TOO_MANY),
    ("mx-1000", "spf", TOO_MANY),
    ("mx-250", "mx", "mx.many_records"),
    ("mx-250", "spf", "spf.void_lookups"),
    ("ns-250", "ns", "none of the name servers"),
    ("ns-own", "ns", "none of the name servers"),
    ("keys", "dane", "dane.chain_broken"),
    ("tlsa", "dane", "dane.mismatch"),
    ("mutual", "spf", "spf.include_broken"),
    ("tree", "spf", "spf.too_many_lookups"),
    ("text", "spf", "spf.record_invalid"),
    ("text", "dmarc", "dmarc.record_invalid"),
    ("text", "dkim", "dkim.key_invalid"),
    ("text", "mta_sts", "mta_sts.record_invalid"),
    ("text", "tls_rpt", "tls_rpt.destination_invalid"),
    ("text", "bimi", "bimi.record_invalid"),
    ("uris", "dmarc", "dmarc.record_invalid"),
    ("203.0.113.50", "rdns", "rdns.several_names"),
    ("203.0.113.51", "rdns", TOO_MANY),
]
"""Domains or addresses, a check that looks at them, and the code or the reason that it tells."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def eyes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Looking]:
    directory = tmp_path_factory.mktemp("bombs")
    world = yaml.safe_load(WORLD.read_text())
    below = [f"ns{number}.ns-own.{DOMAIN}" for number in range(250)]
    world["zones"][f"ns-own.{DOMAIN}"]["@"]["NS"] = below
    scenario = directory / "world.yaml"
    scenario.write_text(yaml.safe_dump(world, sort_keys=False))
    listen = f"127.0.0.1:{free_port()}"
    async with Lab(scenario, directory=directory / "lab", listen=listen) as lab:
        document = yaml.safe_load(lab.config_path.read_text())
        names = dict.fromkeys(name for name, _, _ in TOLD if not name[0].isdigit())
        document["domains"] = [
            {"name": f"{name}.{DOMAIN}", "dkim_selectors": ["s1"]} for name in names
        ]
        addresses = sorted({name for name, _, _ in TOLD if name[0].isdigit()})
        document["senders"] = [
            {"name": "mta", "domains": [f"mx-250.{DOMAIN}"], "addresses": addresses}
        ]
        config = directory / "config.yaml"
        config.write_text(yaml.safe_dump(document))
        async with looking(config) as found:
            yield found


@pytest.mark.parametrize(("name", "check", "told"), TOLD, ids=[f"{n}-{c}" for n, c, _ in TOLD])
async def test_a_look_ends_within_its_limits_and_says_why(
    eyes: Looking, name: str, check: str, told: str
) -> None:
    target = name if name[0].isdigit() else f"{name}.{DOMAIN}"
    asked = eyes.worlds.resolver.queries.total()
    started = time.monotonic()
    tracemalloc.start()
    try:
        result = await eyes.at(check, target)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < SECONDS
    assert eyes.worlds.resolver.queries.total() - asked < QUESTIONS
    codes = [f"{check}.{found.finding.code}" for found in findings(result)]
    reasons = [result.kept.failure, *(look.reason for look in result.outcome.looks)]
    assert told in codes or any(told in reason for reason in reasons if reason), (codes, reasons)
