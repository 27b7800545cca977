"""Proofs through the daemon's own world and resolver: what the zone says now counts, not what it said before."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import pytest_asyncio

from checks.blocklist.check import BlocklistCheck
from checks.blocklist.settings import BlocklistSettings
from monitor.check import PastResult
from monitor.config.load import load
from monitor.model import AddressTarget, Look, LookState, Status
from monitor.world.budgets import PacedBudgets
from monitor.world.build import Worlds, build_world
from monitor.world.clock import SystemClock
from monitor.world.fake import FakeWorld
from tests.world.loopback import DnsServer

ZONE = "bl.lab.example"
ENTRY, LISTED = f"2.0.0.127.{ZONE}", f"10.2.0.192.{ZONE}"
TARGET = AddressTarget(ip_address("192.0.2.10"), "example.com")
CATALOGUE = {
    "zone": ZONE,
    "kinds": ["ip4"],
    "codes": {"127.0.0.2": {"meaning": "spam", "severity": "page"}},
    "test": {"ip4": {"listed": "127.0.0.2", "clean": "127.0.0.1"}},
}


@dataclass
class Zone:
    """Lists its test entry and one address, each for an hour; once dead nothing exists in it."""

    dead: bool = False
    dies_when_asked: str = ""
    asked: list[str] = field(default_factory=list)

    def replies(self, query: dns.message.Message, _transport: str) -> list[bytes]:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        self.dead = self.dead or name == self.dies_when_asked
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if self.dead or name not in {ENTRY, LISTED}:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(question.name, 3600, "IN", "A", "127.0.0.2"))
        return [reply.to_wire()]


@dataclass
class Kept:
    """What earlier looks found. Implements `monitor.check.Results`."""

    listed: bool = False

    def of_domain(self, _domain: str) -> Sequence[PastResult]:
        """The address, where it is listed."""
        codes: Mapping[str, Any] = {ZONE: ("blocklist.address_listed",)} if self.listed else {}
        return [PastResult("blocklist", "192.0.2.10", Status.CRITICAL, by_subject=codes)]


@dataclass
class Eyes:
    """The check, and the daemon's world around the zone."""

    zone: Zone
    kept: Kept
    worlds: Worlds
    check: BlocklistCheck

    async def look(self, *, confirming: bool = False) -> Look:
        how = self.check.about.confirm
        name = self.check.about.name
        world = self.worlds.confirming(name, how) if confirming else self.worlds.normal(name)
        (seen,) = (await self.check.run(TARGET, world)).looks
        return seen


@pytest_asyncio.fixture
async def eyes(tmp_path: Path) -> AsyncIterator[Eyes]:
    zone, kept = Zone(), Kept()
    server = DnsServer(zone.replies)
    await server.start()
    document = {
        "domains": [{"name": "example.com"}],
        "resolver": {"nameservers": [server.address], "timeout": "2s"},
    }
    (tmp_path / "config.json").write_text(json.dumps(document))
    clock = SystemClock()
    worlds = build_world(
        load(tmp_path / "config.json", {}, {}),
        windows=FakeWorld(),
        results=kept,
        budgets=PacedBudgets(clock=clock),
        clock=clock,
    )
    settings = BlocklistSettings.model_validate({"catalogue": [CATALOGUE], "zones": [ZONE]})
    yield Eyes(zone, kept, worlds, BlocklistCheck(settings))
    await worlds.aclose()
    server.close()


EITHER_LOOK = pytest.mark.parametrize("confirming", [False, True], ids=["ordinary", "confirming"])


@EITHER_LOOK
async def test_a_zone_that_died_since_delists_nobody_although_its_answers_held_for_an_hour(
    eyes: Eyes, *, confirming: bool
) -> None:
    eyes.kept.listed = True
    assert (await eyes.look()).findings
    eyes.zone.dead = True
    seen = await eyes.look(confirming=confirming)
    assert (seen.state, seen.findings) == (LookState.UNKNOWN, ())
    assert "does not list its own test entry" in seen.reason


@EITHER_LOOK
async def test_a_zone_that_dies_after_its_proof_in_the_same_look_delists_nobody(
    eyes: Eyes, *, confirming: bool
) -> None:
    eyes.kept.listed, eyes.zone.dies_when_asked = True, LISTED
    seen = await eyes.look(confirming=confirming)
    assert (seen.state, seen.findings) == (LookState.UNKNOWN, ())
    assert "does not list its own test entry" in seen.reason


async def test_every_look_asks_anew(eyes: Eyes) -> None:
    for looks in (1, 2):
        assert (await eyes.look()).findings
        assert eyes.zone.asked.count(LISTED) == 2 * looks, "about the address, and for the text"
        assert eyes.zone.asked.count(ENTRY) == looks + 1, "its first proof, and one of each news"
