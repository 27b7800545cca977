"""A fake world behaves as a resolver would over the same data."""

from typing import Any

import pytest

from monitor.check import DnsStatus, Question, SmtpFailure, Threshold
from monitor.model import Counts
from monitor.world.fake import FakeWorld

WORLD: dict[str, Any] = {
    "txt": {"example.com": ["v=spf1 -all", "other"], "deep.below.example.com": "x"},
    "a": {"mx.example.com": "192.0.2.1", "*.bl.example": "127.0.0.2", "own.bl.example": []},
    "cname": {
        "www.example.com": "mx.example.com",
        "gone.example.com": "nowhere.example",
        "loop.example.com": "loop.example.com",
    },
    "ptr": {"192.0.2.1": "mx.example.com"},
    "fail": {
        "slow.example.com TXT": "timeout",
        "*.dead.example": "servfail",
        "mx.example.com aaaa": "refused",
    },
}

CASES = [
    ("example.com", "TXT", "ok", ("v=spf1 -all", "other"), "example.com"),
    ("EXAMPLE.com", "txt", "ok", ("v=spf1 -all", "other"), "example.com"),
    ("example.com", "MX", "nodata", (), "example.com"),
    ("below.example.com", "TXT", "nodata", (), "below.example.com"),
    ("nothere.example.com", "TXT", "nxdomain", (), "nothere.example.com"),
    ("www.example.com", "A", "ok", ("192.0.2.1",), "mx.example.com"),
    ("www.example.com", "CNAME", "ok", ("mx.example.com",), "www.example.com"),
    ("gone.example.com", "A", "nxdomain", (), "nowhere.example"),
    ("loop.example.com", "A", "error", (), ""),
    ("1.2.0.192.in-addr.arpa", "PTR", "ok", ("mx.example.com",), "1.2.0.192.in-addr.arpa"),
    ("9.2.0.192.bl.example", "A", "ok", ("127.0.0.2",), "9.2.0.192.bl.example"),
    ("x.own.bl.example", "A", "nxdomain", (), "x.own.bl.example"),
    ("slow.example.com", "TXT", "timeout", (), ""),
    ("slow.example.com", "A", "nxdomain", (), "slow.example.com"),
    ("any.dead.example", "MX", "servfail", (), ""),
    ("www.example.com", "AAAA", "refused", (), ""),
]


@pytest.mark.parametrize(("name", "rtype", "status", "records", "canonical"), CASES)
async def test_answers(
    name: str, rtype: str, status: str, records: tuple[str, ...], canonical: str
) -> None:
    fake = FakeWorld(**WORLD)
    answer = await fake.world().dns.ask(name, rtype)
    assert (answer.status, answer.records) == (DnsStatus(status), records)
    assert answer.canonical_name == canonical
    assert answer.known != bool(answer.reason)
    assert fake.asked == [Question(name, rtype)]


async def test_unlisted_hosts_refuse() -> None:
    fake = FakeWorld()
    conversation = await fake.world().smtp.converse("192.0.2.1", "mx.example.com", 25)
    assert conversation.failure is SmtpFailure.CONNECT
    assert fake.conversed == [("192.0.2.1", "mx.example.com", 25)]


async def test_windows_without_mail_are_absent() -> None:
    key, counts = ("orders", "gmail"), Counts(accepted=9)
    fake = FakeWorld(counts={("shop", "example.com"): {key: {60: counts}}})
    assert await fake.counts("shop", "example.com", [60, 300]) == {key: {60: counts}}
    assert await fake.counts("shop", "example.com", [300]) == {}
    assert await fake.counts("shop", "other.example", [60]) == {}


def test_the_most_specific_threshold_wins() -> None:
    limits = {
        key: Threshold(0.1, 0.2, n)
        for n, key in enumerate(["bounce", "bounce marketing", "bounce orders"])
    }
    fake = FakeWorld(thresholds=limits)

    def minimum(kind: str, role: str, stream: str) -> int | None:
        found = fake.of(kind, role=role, sender="s", stream=stream)
        return found.minimum if found else None

    assert minimum("bounce", "primary", "x") == 0
    assert minimum("bounce", "marketing", "x") == 1
    assert minimum("bounce", "marketing", "orders") == 2
    assert minimum("complaint", "marketing", "orders") is None


async def test_troubles_are_what_was_given() -> None:
    world = FakeWorld(resolver_trouble="deaf", egress_trouble={25: "blocked"}).world()
    assert await world.canaries.resolver() == "deaf"
    assert await world.canaries.network() is None
    assert (await world.canaries.egress(25), await world.canaries.egress(587)) == ("blocked", None)


def test_memory_forgets_in_time() -> None:
    fake = FakeWorld(now=1000.0)
    memory = fake.world().memory
    memory.put("zone", "usable", 60)
    fake.clock.advance(59)
    assert memory.get("zone") == "usable"
    fake.clock.advance(1)
    assert memory.get("zone") is None
    assert fake.clock.now() == 1060.0
