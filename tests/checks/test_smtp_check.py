"""SMTP: what is shown of a host, and what stays known when its addresses cannot be asked for."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from checks.smtp.check import SmtpCheck, SmtpSettings
from monitor.check import Certificate, PastResult, SmtpConversation, SmtpFailure, TlsSession
from monitor.check.mail_hosts import MAX_ADDRESSES
from monitor.model import HostTarget, Outcome, Status
from monitor.world.fake import FakeWorld

TARGET = HostTarget("mx.example.com", 25, "example.com")
END = datetime(2027, 3, 16, tzinfo=UTC)


def conversation(
    address: str, protocol: str = "TLSv1.3", *, end: datetime = END, seconds: float = 0.1
) -> SmtpConversation:
    leaf = Certificate("CN=a", "CN=b", (TARGET.host,), datetime(2026, 12, 16, tzinfo=UTC), end, "0")
    return SmtpConversation(
        address,
        {"connect": seconds, "tls": seconds / 2},
        starttls_offered=True,
        tls=TlsSession(protocol, "X", (leaf,)),
    )


async def run(world: FakeWorld, check: SmtpCheck | None = None) -> Outcome:
    return await (check or SmtpCheck(SmtpSettings(guest_interval="1s"))).run(TARGET, world.world())


def shown(outcome: Outcome) -> dict[str, float]:
    return {" ".join([s.gauge, *s.labels.values()]): s.value for s in outcome.samples}


async def test_the_addresses_of_a_host_are_shown_together() -> None:
    """The slowest phase, every version, the earliest end; one series each."""
    early = datetime(2027, 2, 20, tzinfo=UTC)
    fake = FakeWorld(
        a={TARGET.host: ["192.0.2.1", "192.0.2.2", "192.0.2.3"]},
        smtp={
            ("192.0.2.1", 25): conversation("192.0.2.1", seconds=0.4),
            ("192.0.2.2", 25): conversation("192.0.2.2", "TLSv1.2", end=early),
        },
    )
    assert shown(await run(fake)) == {
        "smtp_up": 1.0,
        "smtp_phase_duration_seconds connect": 0.4,
        "smtp_phase_duration_seconds tls": 0.2,
        "tls_protocol_accepted smtp TLSv1.2": 1.0,
        "tls_protocol_accepted smtp TLSv1.3": 1.0,
        "certificate_not_after_timestamp_seconds": early.timestamp(),
    }


@pytest.mark.parametrize(("own", "talks"), [(False, 1), (True, 4)])
async def test_a_guest_comes_once_an_hour(own: bool, talks: int) -> None:
    """What is shown stays in between; a host of our own is looked at every time, and what is to be confirmed."""
    fake = FakeWorld(
        a={TARGET.host: "192.0.2.1"},
        smtp={("192.0.2.1", 25): conversation("192.0.2.1")},
        results={TARGET.domain: [PastResult("smtp", TARGET.name, Status.OK)]},
    )
    check, target = SmtpCheck(SmtpSettings()), replace(TARGET, own=own)
    first = await check.run(target, fake.world())
    for _ in range(3):
        fake.clock.advance(900)
        again = await check.run(target, fake.world())
        assert [look.subject for look in again.looks] == [look.subject for look in first.looks]
        assert again.samples == first.samples
    assert len(fake.conversed) == talks
    await check.run(target, fake.world(confirming=True))
    fake.clock.advance(3600)
    await check.run(target, fake.world())
    assert len(fake.conversed) == talks + 2


async def test_a_host_of_several_domains_is_known_for_each_though_it_is_talked_to_once() -> None:
    """As a one-shot look at many domains does: nothing is kept of it yet."""
    fake = FakeWorld(
        a={TARGET.host: "192.0.2.1"}, smtp={("192.0.2.1", 25): conversation("192.0.2.1")}
    )
    check = SmtpCheck(SmtpSettings())
    first = await check.run(TARGET, fake.world())
    assert await check.run(replace(TARGET, domain="other.example"), fake.world()) == first
    assert len(fake.conversed) == 1


async def test_an_expired_certificate_stays_on_show() -> None:
    end = datetime(2020, 1, 1, tzinfo=UTC)
    fake = FakeWorld(
        a={TARGET.host: "192.0.2.1"},
        smtp={("192.0.2.1", 25): conversation("192.0.2.1", end=end)},
    )
    assert shown(await run(fake))["certificate_not_after_timestamp_seconds"] == end.timestamp()


async def test_a_host_that_answers_nowhere_is_down() -> None:
    assert shown(await run(FakeWorld(a={TARGET.host: "192.0.2.1"}))) == {"smtp_up": 0.0}


async def test_addresses_once_seen_are_still_looked_at_while_dns_fails() -> None:
    seen = FakeWorld(a={TARGET.host: "192.0.2.1"}, aaaa={TARGET.host: "2001:db8::1"})
    await run(seen)
    for fail in ({f"{TARGET.host} AAAA": "servfail"}, {TARGET.host: "timeout"}):
        blind = FakeWorld(a={TARGET.host: "192.0.2.1"}, fail=fail)
        blind.memory = seen.memory
        await run(blind)
        assert [address for address, _, _ in blind.conversed] == ["192.0.2.1", "2001:db8::1"]


async def test_at_most_eight_addresses_are_visited_and_always_the_same() -> None:
    addresses = [f"192.0.2.{n}" for n in range(1, 12)]
    visited = []
    for records in (addresses, addresses[::-1]):
        fake = FakeWorld(a={TARGET.host: records})
        await run(fake)
        visited.append([address for address, _, _ in fake.conversed])
    assert visited == [addresses[:MAX_ADDRESSES]] * 2


async def test_an_ipv6_address_is_believed_dead_once_ipv6_has_worked_here() -> None:
    host = {TARGET.host: "2001:db8::1"}
    works = FakeWorld(aaaa=host, smtp={("2001:db8::1", 25): conversation("2001:db8::1")})
    dead = FakeWorld(aaaa=host)
    assert "no IPv6 connection" in ((await run(dead)).failure or "")
    await run(works)
    dead.memory = works.memory
    assert [f.code for look in (await run(dead)).looks for f in look.findings] == ["unreachable"]


async def test_a_timeout_with_a_closed_way_out_is_ours() -> None:
    late = SmtpConversation("192.0.2.1", {}, failure=SmtpFailure.TIMEOUT, reason="late")
    fake = FakeWorld(
        a={TARGET.host: "192.0.2.1"},
        smtp={("192.0.2.1", 25): late},
        egress_trouble={25: "closed here"},
    )
    assert (await run(fake)).failure == "closed here"


@pytest.mark.parametrize(
    "settings",
    [
        {"certificate_warning_days": 5},
        {"certificate_warning_days": 10, "certificate_critical_days": 11},
        {"certificate_critical_days": 0},
    ],
)
def test_limits_of_certificates_that_make_no_sense_are_errors(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SmtpSettings.model_validate(settings)


async def test_addresses_that_are_not_told_after_a_restart_are_said_to_be_missing() -> None:
    """So that what is kept of them stays, as unknown."""
    talk = conversation("2001:db8::1")
    outcome = await run(
        FakeWorld(
            aaaa={TARGET.host: "2001:db8::1"},
            fail={f"{TARGET.host} A": "timeout"},
            smtp={("2001:db8::1", 25): talk},
        )
    )
    assert [look.subject for look in outcome.looks] == ["2001:db8::1", "starttls"]
    assert "A: timeout" in outcome.incomplete
