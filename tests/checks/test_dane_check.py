"""DANE: how often hosts are visited, and what is shown of a domain."""

from typing import Any

from checks.dane.check import MOST_ADDRESSES, DaneCheck
from monitor.check import Settings
from monitor.model import DomainTarget, Outcome
from monitor.world.fake import FakeWorld
from tests.checks.test_cases import CASES, fake_world, read_case

TARGET = DomainTarget("example.com")


def case(name: str, **more: Any) -> FakeWorld:
    return fake_world(dict(read_case(CASES / "dane" / name).zone) | more)


async def run(world: FakeWorld, check: DaneCheck | None = None, **how: bool) -> Outcome:
    return await (check or DaneCheck(Settings())).run(TARGET, world.world(**how))


def codes(outcome: Outcome) -> list[str]:
    return [finding.code for look in outcome.looks for finding in look.findings]


async def test_what_a_host_presented_counts_for_all_its_domains_for_a_while_and_is_confirmed_anew() -> (
    None
):
    world, check = case("05-mismatch"), DaneCheck(Settings())
    for _ in range(2):
        assert codes(await run(world, check)) == ["mismatch"]
    assert len(world.conversed) == 1
    assert codes(await run(world, check, confirming=True)) == ["mismatch"]
    assert len(world.conversed) == 2
    world.clock.advance(900)
    await run(world, check)
    assert len(world.conversed) == 3


async def test_a_host_that_did_not_answer_is_visited_again() -> None:
    world, check = case("20-host-does-not-answer"), DaneCheck(Settings())
    for _ in range(2):
        await run(world, check)
    assert len(world.conversed) == 2


async def test_at_most_four_addresses_of_a_host_are_visited() -> None:
    addresses = [f"192.0.2.{n}" for n in range(1, 9)]
    world = case("01-good", a={"mx.example.com": addresses[::-1]})
    await run(world)
    assert [address for address, _, _ in world.conversed] == addresses[:MOST_ADDRESSES]


async def test_hosts_are_counted_by_what_dane_does_for_them() -> None:
    def shown(outcome: Outcome) -> dict[str, float]:
        return {sample.labels["state"]: sample.value for sample in outcome.samples}

    assert shown(await run(case("35-one-host-without"))) == {"protected": 1, "without": 1}
    assert shown(await run(case("17-no-starttls"))) == {"broken": 1}
    assert shown(await run(case("16-all-unusable"))) == {"ignored": 1}
    assert shown(await run(case("20-host-does-not-answer"))) == {}


async def test_nobody_is_visited_whose_records_senders_do_not_go_by() -> None:
    for name in ("02-without", "04-a-resolver-that-does-not-validate", "24-unsigned"):
        world = case(name)
        await run(world)
        assert world.conversed == []


async def test_where_the_mail_hosts_are_not_told_those_known_stay() -> None:
    outcome = await run(case("39-mx-not-told"))
    assert "servfail" in outcome.incomplete
