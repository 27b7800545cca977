"""Blocklists over time: proofs that are shared and renewed, limits, keys, the catalogue."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from checks.blocklist.check import BlocklistCheck
from checks.blocklist.settings import BlocklistSettings
from monitor.check import (
    DnsAnswer,
    DnsStatus,
    PastResult,
    Question,
    SubjectState,
    worst_severity,
)
from monitor.config.errors import ConfigErrors
from monitor.config.installed import installed_checks
from monitor.config.load import load
from monitor.inventory import build
from monitor.model import (
    AddressTarget,
    DomainTarget,
    Look,
    LookState,
    MonitorTarget,
    Outcome,
    Status,
)
from monitor.world.fake import FakeWorld

SHARED = Path(__file__).parents[3] / "shared/conformance/blocklists/rspamd.json"
ZEN = "zen.spamhaus.org"
PROVED = {f"2.0.0.127.{ZEN}": "127.0.0.2"}
LISTED = {**PROVED, f"10.2.0.192.{ZEN}": "127.0.0.2"}


def check(**settings: Any) -> BlocklistCheck:
    return BlocklistCheck(BlocklistSettings.model_validate({"zones": [ZEN], **settings}))


def address(text: str = "192.0.2.10") -> AddressTarget:
    return AddressTarget(ip_address(text), "example.com")


async def look(
    made: BlocklistCheck, world: FakeWorld, target: Any = None, *, confirming: bool = False
) -> Look:
    outcome = await made.run(target or address(), world.world(confirming=confirming))
    return outcome.looks[0]


def samples(outcome: Outcome, gauge: str) -> dict[str, float]:
    return {
        " ".join(sample.labels.values()): sample.value
        for sample in outcome.samples
        if sample.gauge == gauge
    }


# --- proofs -----------------------------------------------------------------------------------------


class SlowWorld(FakeWorld):
    """Lets others run between a question and its answer."""

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        await asyncio.sleep(0)
        return await super().ask_many(questions)


async def test_targets_at_the_same_time_share_one_proof() -> None:
    fake, made = SlowWorld(a=PROVED), check()
    targets = [address(f"192.0.2.{n}") for n in range(20)]
    outcomes = await asyncio.gather(*(made.run(t, fake.world()) for t in targets))
    assert all(outcome.looks[0].state is LookState.KNOWN for outcome in outcomes)
    assert len(fake.asked) == 3 + len(targets)


async def test_a_good_proof_holds_for_four_hours() -> None:
    fake, made = FakeWorld(a=PROVED), check()
    for seconds, questions in ((0, 4), (4 * 3600 - 1, 5), (1, 9)):
        fake.clock.advance(seconds)
        assert (await look(made, fake)).state is LookState.KNOWN
        assert len(fake.asked) == questions


async def test_a_bad_zone_is_asked_again_soon_then_less_and_less_and_never_about_the_target() -> (
    None
):
    fake, made = FakeWorld(a={f"*.{ZEN}": "127.255.255.254"}), check()
    for seconds, proofs in ((0, 1), (9, 1), (1, 2), (19, 2), (1, 3), (39, 3), (1, 4)):
        fake.clock.advance(seconds)
        assert (await look(made, fake)).state is LookState.UNKNOWN
        assert len(fake.asked) == 3 * proofs
    assert not any(question.name.startswith("10.2.0.192") for question in fake.asked)


async def test_what_makes_a_zone_unusable_is_logged_once_and_its_recovery_too() -> None:
    bad, good, made = FakeWorld(a={f"*.{ZEN}": "127.0.0.2"}), FakeWorld(a=PROVED), check()
    good.memory, good.clock = bad.memory, bad.clock
    with capture_logs() as logs:
        for world in (bad, bad, good, good):
            await look(made, world)
            bad.clock.advance(60)
    events = [(entry["event"], entry["zone"], entry["kind"]) for entry in logs]
    assert events == [
        ("blocklist.zone_unusable", ZEN, "ip4"),
        ("blocklist.zone_usable", ZEN, "ip4"),
    ]
    assert "lists everyone" in logs[0]["reason"]


def known_as(status: Status) -> dict[str, list[PastResult]]:
    """What is kept where the zone lists the address already."""
    codes = {ZEN: ("blocklist.address_listed",)}
    return {"example.com": [PastResult("blocklist", "192.0.2.10", status, by_subject=codes)]}


def later(before: FakeWorld, **data: Any) -> FakeWorld:
    """The same outside half a second later, when it says this."""
    after = FakeWorld(**data)
    after.memory, after.clock = before.memory, before.clock
    after.clock.advance(0.5)
    return after


# Where the configuration wants no confirming looks, what an ordinary one tells counts at once.
EITHER_LOOK = pytest.mark.parametrize("confirming", [False, True], ids=["ordinary", "confirming"])


@EITHER_LOOK
async def test_a_zone_that_begins_to_list_everyone_right_after_its_proof_lists_nobody(
    *, confirming: bool
) -> None:
    fake, made = FakeWorld(a=PROVED), check()
    await look(made, fake)
    wild = later(fake, a={f"*.{ZEN}": "127.0.0.2"})
    seen = await look(made, wild, confirming=confirming)
    assert (seen.state, seen.findings) == (LookState.UNKNOWN, ())
    assert "lists everyone" in seen.reason


@EITHER_LOOK
async def test_a_zone_that_is_emptied_right_after_its_proof_delists_nobody(
    *, confirming: bool
) -> None:
    results = known_as(Status.CRITICAL)
    fake, made = FakeWorld(a=LISTED, results=results), check()
    await look(made, fake)
    seen = await look(made, later(fake, results=results), confirming=confirming)
    assert seen.state is LookState.UNKNOWN
    assert "does not list its own test entry" in seen.reason


@pytest.mark.parametrize(
    ("status", "code", "proved_again"),
    [
        pytest.param(Status.CRITICAL, "127.0.0.2", False, id="listed as before"),
        pytest.param(Status.WARNING, "127.0.0.10", False, id="no graver than before"),
        pytest.param(Status.WARNING, "127.0.0.2", True, id="graver"),
        pytest.param(Status.CRITICAL, None, True, id="gone"),
    ],
)
async def test_an_ordinary_look_proves_again_only_what_is_news(
    status: Status, code: str | None, *, proved_again: bool
) -> None:
    said = {**PROVED, **({f"10.2.0.192.{ZEN}": code} if code else {})}
    fake, made = FakeWorld(a=said, results=known_as(status)), check()
    await look(made, fake)
    fake.asked.clear()
    fake.clock.advance(0.5)
    assert (await look(made, fake)).state is LookState.KNOWN
    names = [question.name for question in fake.asked]
    assert (f"2.0.0.127.{ZEN}" in names) is proved_again


async def test_what_is_listed_and_nobodys_trouble_is_no_news() -> None:
    fake = FakeWorld(a={**PROVED, f"10.2.0.192.{ZEN}": "127.0.0.10"})
    receives = AddressTarget(ip_address("192.0.2.10"), "example.com", sends=False)
    await look(check(), fake, receives)
    assert [question.name for question in fake.asked].count(f"2.0.0.127.{ZEN}") == 1


async def test_a_true_listing_is_confirmed() -> None:
    fake, made = FakeWorld(a=LISTED), check()
    await look(made, fake)
    fake.clock.advance(600)
    assert [f.code for f in (await look(made, fake, confirming=True)).findings] == [
        "address_listed"
    ]


async def test_a_zone_that_refuses_after_its_proof_is_not_asked_on() -> None:
    fake, made = FakeWorld(a={**PROVED, f"10.2.0.192.{ZEN}": "127.255.255.255"}), check()
    assert (await look(made, fake)).state is LookState.UNKNOWN
    asked = len(fake.asked)
    assert (await look(made, fake, address("192.0.2.11"))).state is LookState.UNKNOWN
    assert len(fake.asked) == asked


# --- quarantine -----------------------------------------------------------------------------------------


class Muted(FakeWorld):
    """Its zones answer about their test entries, and about anything else not while `mute`."""

    mute = True

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        answer = await super().ask(name, rtype)
        if self.mute and ".192." in name:
            return DnsAnswer(answer.question, DnsStatus.TIMEOUT, reason="no answer")
        return answer


async def silences(fake: Muted, made: BlocklistCheck, number: int) -> bool:
    """Look at so many addresses in vain; whether the zone is asked about the next one."""
    for last in range(number):
        assert (await look(made, fake, address(f"192.0.2.{last}"))).state is LookState.UNKNOWN
    asked = len(fake.asked)
    await look(made, fake, address("192.0.2.99"))
    return len(fake.asked) > asked


@pytest.mark.parametrize(("number", "still_asked"), [(4, True), (5, False)])
async def test_a_zone_that_is_silent_five_times_in_a_row_is_not_asked_on(
    number: int, *, still_asked: bool
) -> None:
    assert await silences(Muted(a=PROVED), check(), number) is still_asked


async def test_one_answer_between_silences_clears_the_zone() -> None:
    fake, made = Muted(a=PROVED), check()
    await silences(fake, made, 3)
    fake.mute = False
    await look(made, fake)
    fake.mute = True
    assert await silences(fake, made, 4)


async def test_a_resolver_of_ours_that_fails_puts_no_zone_into_quarantine() -> None:
    fake = Muted(a=PROVED, resolver_trouble="our resolver does not answer")
    assert await silences(fake, check(), 20)


async def test_a_silent_zone_comes_back_by_itself() -> None:
    fake, made = Muted(a=PROVED), check()
    assert not await silences(fake, made, 5)
    fake.mute = False
    fake.clock.advance(10)
    assert (await look(made, fake)).state is LookState.KNOWN


async def test_a_code_that_nobody_knows_leaves_the_zone_in_use() -> None:
    fake, made = FakeWorld(a={**PROVED, f"10.2.0.192.{ZEN}": "127.0.0.77"}), check()
    assert (await look(made, fake)).state is LookState.UNKNOWN
    assert (await look(made, fake, address("192.0.2.11"))).state is LookState.KNOWN


# --- the zones themselves -------------------------------------------------------------------------------

SPAMCOP, DRONE = "bl.spamcop.net", "dnsbl.dronebl.org"


async def of_the_zones(
    made: BlocklistCheck, fake: FakeWorld, *, confirming: bool = False
) -> Outcome:
    return await made.run(MonitorTarget(), fake.world(confirming=confirming))


def status(outcome: Outcome) -> Status:
    usual = {code.name: code.severity for code in BlocklistCheck.about.codes}
    states = [
        SubjectState(
            one.subject,
            one.state is LookState.KNOWN,
            worst_severity([f.severity or usual[f.code] for f in one.findings]),
            one.weight,
        )
        for one in outcome.looks
    ]
    return BlocklistCheck.about.roll_up(states)


def serving(*zones: str) -> dict[str, str]:
    reverse = ("2.0.0.127", "2.0.0.0.0.0.f.7.f.f.f.f" + 20 * ".0")
    return {f"{name}.{zone}": "127.0.0.2" for name in reverse for zone in zones}


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        pytest.param((ZEN, SPAMCOP, DRONE), Status.OK, id="all serve us"),
        pytest.param((ZEN, SPAMCOP), Status.OK, id="one that only informs does not"),
        pytest.param((ZEN, DRONE), Status.WARNING, id="one that matters does not"),
        pytest.param((DRONE,), Status.WARNING, id="we are blind"),
    ],
)
async def test_the_monitor_warns_where_a_zone_that_matters_is_unusable(
    serve: tuple[str, ...], expected: Status
) -> None:
    outcome = await of_the_zones(check(zones=[ZEN, SPAMCOP, DRONE]), FakeWorld(a=serving(*serve)))
    assert status(outcome) is expected
    usable = samples(outcome, "blocklist_zone_usable")
    assert {name.split()[0] for name, value in usable.items() if value} == set(serve)


async def test_a_bad_zone_is_confirmed_by_asking_it_again_and_looked_at_with_patience() -> None:
    fake, made = FakeWorld(a=serving(SPAMCOP)), check(zones=[ZEN, SPAMCOP])
    await of_the_zones(made, fake)
    fake.clock.advance(1)
    at_first = len(fake.asked)
    await of_the_zones(made, fake)
    assert len(fake.asked) == at_first
    await of_the_zones(made, fake, confirming=True)
    again = {question.name for question in fake.asked[at_first:]}
    assert f"2.0.0.127.{ZEN}" in again, "confirmed by what was remembered"


async def test_a_public_resolver_is_told_once_in_the_log_right_after_the_start() -> None:
    refusing = {**serving(SPAMCOP, "psbl.surriel.com"), f"*.{ZEN}": "127.255.255.254"}
    fake = FakeWorld(a=refusing, nameservers=["9.9.9.9"])
    made = check(zones=[ZEN, SPAMCOP, "psbl.surriel.com"])
    with capture_logs() as logs:
        for _ in range(2):
            await of_the_zones(made, fake)
    (told,) = (entry for entry in logs if entry["event"] == "blocklist.resolver_public")
    assert told["resolver"] == "9.9.9.9 (Quad9)"
    assert told["zones"] == ZEN
    assert told["fix"].startswith("Take the free key")


# --- what is counted ----------------------------------------------------------------------------------


async def test_looks_and_questions_are_counted() -> None:
    fake = FakeWorld(a=LISTED, fail={"*.bl.spamcop.net": "timeout"})
    made = check(zones=[ZEN, "bl.spamcop.net"])
    outcome = await made.run(address(), fake.world())
    assert samples(outcome, "blocklist_zones") == {"listed": 1.0, "clean": 0.0, "unknown": 1.0}
    assert samples(outcome, "blocklist_zone_usable") == {}, "one series a zone, not one a target"
    assert samples(outcome, "blocklist_zone_queries_total") == {
        f"{ZEN} listed": 1.0,
        f"{ZEN} proof": 3.0,
        "bl.spamcop.net proof": 3.0,
    }
    fake.clock.advance(1)
    again = await made.run(address(), fake.world())
    assert samples(again, "blocklist_zone_queries_total") == {
        f"{ZEN} listed": 1.0,
        f"{ZEN} proof": 3.0,
    }


async def test_a_key_is_shown_nowhere() -> None:
    fake = FakeWorld(fail={"*.s3cret.zen.dq.spamhaus.net": "timeout"})
    settings = BlocklistSettings.model_validate({"keys": {"spamhaus_dqs": "s3cret"}})
    made = BlocklistCheck(settings)
    with capture_logs() as logs:
        outcome = await made.run(address(), fake.world())
    assert any("s3cret" in question.name for question in fake.asked)
    assert "s3cret" not in f"{outcome!r} {logs!r} {settings!r}"


# --- which zones --------------------------------------------------------------------------------------


def test_a_domain_target_is_asked_in_domain_zones_only() -> None:
    fake = FakeWorld()
    outcome = asyncio.run(
        check(zones=["dbl.spamhaus.org", ZEN]).run(DomainTarget("example.com"), fake.world())
    )
    assert [look.subject for look in outcome.looks] == ["dbl.spamhaus.org"]


# --- two kinds of targets -----------------------------------------------------------------------------

SENDING = """
domains: [{name: example.com}, {name: other.example}]
senders: [{name: mta, domains: [example.com], addresses: [192.0.2.10]}]
checks: {blocklist: {targets: [%s]}}
"""


@pytest.mark.parametrize(
    ("targets", "looked_at"),
    [
        ("", ["monitor", "192.0.2.10", "example.com", "other.example"]),
        ("other.example, 192.0.2.10", ["monitor", "other.example", "192.0.2.10"]),
        ("9.9.9.9", ["monitor", "9.9.9.9"]),
    ],
)
def test_addresses_domains_and_the_zones_themselves_are_its_targets(
    targets: str, looked_at: list[str], tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(SENDING % targets)
    config = load(tmp_path / "c.yaml", {}, installed_checks())
    found = build(config, {}).targets(config.checks["blocklist"])
    assert [target.name for target in found] == looked_at


def test_a_target_that_is_neither_an_address_nor_a_declared_domain_is_an_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "c.yaml").write_text(SENDING % "192.0.2.10, exampl.com")
    with pytest.raises(ConfigErrors, match=r"targets\[1\]: domain `exampl.com` is not declared"):
        load(tmp_path / "c.yaml", {}, installed_checks())


def test_a_key_may_be_a_reference_and_a_missing_one_is_named(tmp_path: Path) -> None:
    text = "domains: [{name: a.example}]\nchecks: {blocklist: {keys: {spamhaus_dqs: '${DQS}'}}}"
    (tmp_path / "c.yaml").write_text(text)
    config = load(tmp_path / "c.yaml", {"DQS": "k3y"}, installed_checks())
    zones = {
        zone.name
        for zone in config.checks["blocklist"].check(config.checks["blocklist"].settings)._zones
    }
    assert "zen.dq.spamhaus.net" in zones
    with pytest.raises(ConfigErrors, match="the environment variable DQS is not set"):
        load(tmp_path / "c.yaml", {}, installed_checks())
