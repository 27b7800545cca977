"""NS: what registries are asked, and when a server that lags is late."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from checks.ns import registration, serials
from checks.ns.check import NsCheck, NsSettings
from monitor.check import HttpsFailure, HttpsReply
from monitor.model import DomainTarget, Look, LookState
from monitor.world.fake import FakeWorld

TARGET = DomainTarget("example.com")
DAY = 86400.0
LIST = "https://data.iana.org/rdap/dns.json"
DOMAIN = "https://rdap.example/domain/example.com"
SERVERS = json.dumps({"services": [[["com"], ["https://rdap.example/"]]]}).encode()
SOA = "ns1.example.net. hostmaster.example.com. {} 3600 900 1209600 300"


def registered(**fields: Any) -> bytes:
    return json.dumps({"objectClassName": "domain"} | fields).encode()


def world(body: bytes | None = None, **more: Any) -> FakeWorld:
    replies = {LIST: HttpsReply(LIST, 200, body=SERVERS)}
    if body is not None:
        replies[DOMAIN] = HttpsReply(DOMAIN, 200, body=body)
    return FakeWorld(https=replies, **more)


async def look(check: NsCheck, fake: FakeWorld, subject: str, **how: bool) -> Look:
    outcome = await check.run(TARGET, fake.world(**how))
    return next(look for look in outcome.looks if look.subject == subject)


def asked(fake: FakeWorld) -> int:
    return fake.got.count(DOMAIN)


async def test_a_registry_is_asked_once_a_day_and_its_list_fetched_once_for_all() -> None:
    check, fake = NsCheck(NsSettings()), world(registered())
    names = [DomainTarget("example.com"), DomainTarget("mail.example.com"), DomainTarget("a.com")]
    await asyncio.gather(*(check.run(name, fake.world()) for name in names))
    await check.run(TARGET, fake.world())
    assert (fake.got.count(LIST), asked(fake)) == (1, 1)
    fake.clock.advance(DAY)
    await check.run(TARGET, fake.world())
    assert (fake.got.count(LIST), asked(fake)) == (2, 2)


async def test_what_is_found_is_asked_for_again_to_confirm_it_and_each_hour() -> None:
    check, fake = NsCheck(NsSettings()), world(registered(status=["client hold"]))
    for _ in range(2):
        assert (await look(check, fake, "registration")).findings
    assert asked(fake) == 1
    assert (await look(check, fake, "registration", confirming=True)).findings
    assert asked(fake) == 2
    fake.clock.advance(3600)
    await look(check, fake, "registration")
    assert asked(fake) == 3


async def test_a_registry_that_fails_is_asked_again_within_the_hour_one_that_knows_nothing_is_not() -> (
    None
):
    for reply, times in (
        (HttpsReply(DOMAIN, failure=HttpsFailure.TIMEOUT, reason="late"), 2),
        (HttpsReply(DOMAIN, 404), 1),
    ):
        check = NsCheck(NsSettings())
        fake = FakeWorld(https={LIST: HttpsReply(LIST, 200, body=SERVERS), DOMAIN: reply})
        for _ in range(2):
            assert (await look(check, fake, "registration")).state is LookState.UNKNOWN
        assert asked(fake) == 1
        fake.clock.advance(3600)
        await look(check, fake, "registration")
        assert asked(fake) == times


async def test_a_registry_that_has_enough_is_left_alone_for_all_its_domains() -> None:
    check = NsCheck(NsSettings())
    fake = FakeWorld(
        https={LIST: HttpsReply(LIST, 200, body=SERVERS), DOMAIN: HttpsReply(DOMAIN, 429)}
    )
    for name in ("example.com", "other.com"):
        await check.run(DomainTarget(name), fake.world())
    assert fake.got == [LIST, DOMAIN]
    fake.clock.advance(3600)
    await check.run(DomainTarget("other.com"), fake.world())
    assert len(fake.got) == 3


async def test_a_slow_registry_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        async def get(self, url: str, *, limit: int) -> HttpsReply:
            return await asyncio.Future()

    monkeypatch.setattr(registration, "SECONDS", 0.01)
    fake = world(soa={"example.com": SOA.format(1)})
    outcome = await NsCheck(NsSettings()).run(TARGET, replace(fake.world(), https=Slow()))
    states = {look.subject: look.state for look in outcome.looks}
    assert states["delegation"] is LookState.KNOWN
    assert states["registration"] is LookState.UNKNOWN


async def test_a_date_that_was_told_yesterday_comes_nearer() -> None:
    """So that nobody waits a day for the last week to begin."""
    fake = world(
        registered(events=[{"eventAction": "expiration", "eventDate": "2027-02-15T00:00:00Z"}])
    )
    check = NsCheck(NsSettings())
    assert (await look(check, fake, "registration")).findings == ()
    fake.clock.advance(0.9 * DAY)
    assert [f.code for f in (await look(check, fake, "registration")).findings] == ["expires_soon"]
    assert asked(fake) == 1


def lagging(serial: int) -> FakeWorld:
    return world(
        soa={"example.com": SOA.format(5)},
        ns={"example.com": ["ns1.example.net", "ns2.example.org"]},
        a={"ns1.example.net": "192.0.2.53", "ns2.example.org": "198.51.100.53"},
        servers={"ns2.example.org": {"example.com SOA": SOA.format(serial)}},
    )


async def test_a_server_is_late_once_it_stood_still_for_the_zones_refresh_time() -> None:
    check, fake = NsCheck(NsSettings()), lagging(3)

    async def severity() -> str | None:
        (finding,) = (await look(check, fake, "serials")).findings
        return finding.severity

    assert await severity() == "info"
    fake.clock.advance(3600)
    assert await severity() == "info"
    moved = lagging(4)
    moved.clock, moved.memory = fake.clock, fake.memory
    fake.clock.advance(1)
    (finding,) = (await look(check, moved, "serials")).findings
    assert finding.severity == "info"
    fake.clock.advance(3601)
    (finding,) = (await look(check, moved, "serials")).findings
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("serial", "other", "expected"),
    [(2, 1, True), (1, 2, False), (1, 1, False), (0, 2**32 - 1, True), (2**31, 0, False)],
)
def test_serial_numbers_turn_over(serial: int, other: int, expected: bool) -> None:
    """RFC 1982."""
    assert serials.later(serial, other) is expected


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["a.", "1", "x", "٣", "-1"]), max_size=9).map(" ".join)
)
@settings(max_examples=200)
def test_any_text_is_a_version_or_none(text: str) -> None:
    version = serials.version_of(text)
    assert version is None or 0 <= version.serial < 2**32


@pytest.mark.parametrize(
    "given_settings",
    [
        {"expiry_warning_days": 2},
        {"expiry_warning_days": 20, "expiry_critical_days": 21},
        {"expiry_critical_days": 0},
        {"rdap_bootstrap": "http://data.iana.org/rdap/dns.json"},
    ],
)
def test_settings_that_make_no_sense_are_errors(given_settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NsSettings.model_validate(given_settings)


async def test_without_the_names_of_the_servers_what_was_known_of_them_stays() -> None:
    lost = await NsCheck(NsSettings()).run(
        TARGET, world(fail={"example.com NS": "servfail"}).world()
    )
    assert "servfail" in lost.incomplete


async def test_a_server_that_was_behind_and_is_silent_has_not_caught_up() -> None:
    zone: dict[str, Any] = {
        "soa": {"example.com": SOA.format(2)},
        "ns": {"example.com": ["ns1.example.net", "ns2.example.net"]},
        "a": {"ns1.example.net": "192.0.2.53", "ns2.example.net": "192.0.2.54"},
    }
    check = NsCheck(NsSettings())
    fake = world(**zone, servers={"ns2.example.net": {"example.com SOA": SOA.format(1)}})
    assert (await look(check, fake, "serials")).findings
    silent = world(**zone, servers={"ns2.example.net": {"*": "timeout"}})
    silent.memory = fake.memory
    assert (await look(check, silent, "serials")).state is LookState.UNKNOWN
    assert (await look(check, fake, "serials")).findings
