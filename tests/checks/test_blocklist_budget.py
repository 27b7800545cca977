"""Which targets a zone is asked about where it allows too few questions for all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from checks.blocklist.budget import MUCH_MAIL
from checks.blocklist.check import BlocklistCheck
from checks.blocklist.settings import BlocklistSettings
from monitor.check import Asks, Limits, PastResult, Urgency
from monitor.model import (
    AddressTarget,
    Counts,
    DomainTarget,
    Look,
    LookState,
    MonitorTarget,
    Sender,
    Status,
)
from monitor.world.fake import FakeWorld

ZONE = "bl.lab.example"
PROVED = {f"2.0.0.127.{ZONE}": "127.0.0.2", f"test.{ZONE}": "127.0.0.2"}
LISTED = {**PROVED, f"10.2.0.192.{ZONE}": "127.0.0.2"}
_END_OF_A_DAY = 1_800_057_000.0
"""Ten minutes before midnight (UTC): all that a day allows is open."""
QUIET = AddressTarget(ip_address("192.0.2.11"), "example.com", "mta")


def check(**entry: Any) -> BlocklistCheck:
    zone = {
        "zone": ZONE,
        "kinds": ["ip4", "domain"],
        "codes": {"127.0.0.2": {"meaning": "spam", "severity": "page"}},
        "test": {
            "ip4": {"listed": "127.0.0.2", "clean": "127.0.0.1"},
            "domain": {"listed": "test", "clean": "invalid"},
        },
        **entry,
    }
    return BlocklistCheck(BlocklistSettings.model_validate({"catalogue": [zone], "zones": [ZONE]}))


def address(number: int, sender: str = "") -> AddressTarget:
    return AddressTarget(ip_address(f"192.0.2.{number}"), "example.com", sender)


async def look(
    made: BlocklistCheck, fake: FakeWorld, target: Any, *, confirming: bool = False
) -> Look:
    outcome = await made.run(target, fake.world(confirming=confirming))
    return outcome.looks[0]


class Recording(FakeWorld):
    """Grants everything, and remembers how urgent it was."""

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self.budgets = self  # type: ignore[assignment]
        self.taken: list[tuple[str, Urgency]] = []
        self.read: Counter[tuple[str, str]] = Counter()

    async def take(self, who: str, wanted: Sequence[Asks], urgency: Urgency) -> frozenset[str]:
        self.taken.append((who, urgency))
        return frozenset(asks.party for asks in wanted)

    async def counts(
        self, sender: str, domain: str, seconds: Sequence[int]
    ) -> Mapping[tuple[str, str], Mapping[int, Counts]]:
        self.read[sender, domain] += 1
        return await super().counts(sender, domain, seconds)


async def urgency(fake: Recording, target: Any, **entry: Any) -> Urgency:
    await look(check(queries_a_day=1000, **entry), fake, target)
    return fake.taken[-1][1]


async def test_a_zones_free_use_is_not_overdrawn_and_is_new_every_day() -> None:
    fake, made = FakeWorld(a=PROVED), check(queries_a_day=40)
    for day in range(3):
        before = len(fake.asked)
        states = {(await look(made, fake, address(n))).state for n in range(1, 100)}
        assert states == {LookState.KNOWN, LookState.NOT_DUE}, day
        assert 10 <= len(fake.asked) - before <= 40
        fake.clock.advance(86400)


async def test_a_zone_that_allows_no_more_for_its_proof_is_unknown_and_not_asked() -> None:
    fake, made = FakeWorld(a=LISTED), check(queries_a_day=2)
    seen = await look(made, fake, address(10))
    assert (seen.state, fake.asked) == (LookState.UNKNOWN, [])
    assert "2 questions a day" in seen.reason


@pytest.mark.parametrize("confirming", [False, True])
async def test_a_listing_whose_proof_is_not_allowed_any_more_is_unknown(
    *, confirming: bool
) -> None:
    """Three questions for a first proof, one about each address, one for the text; three more would be too many."""
    fake, made = FakeWorld(a=LISTED, now=_END_OF_A_DAY), check(queries_a_day=8)
    assert (await look(made, fake, address(11))).state is LookState.KNOWN
    fake.clock.advance(1)
    seen = await look(made, fake, address(10), confirming=confirming)
    assert (seen.state, seen.findings) == (LookState.UNKNOWN, ())
    assert "8 questions a day, and no more now for its test entries" in seen.reason
    assert len(fake.asked) == 6


async def test_what_is_asked_is_what_counts() -> None:
    """Proofs and the texts of listings too; what the zone allows is never exceeded by them."""
    fake, made = FakeWorld(a=LISTED), check(queries_a_day=60)
    for _ in range(100):
        await look(made, fake, address(10), confirming=True)
        fake.clock.advance(60)
    assert len(fake.asked) == 60
    assert any(question.rtype == "TXT" for question in fake.asked)


async def test_a_listing_is_confirmed_although_the_day_is_used_up() -> None:
    fake, made = FakeWorld(a=LISTED), check(queries_a_day=200)
    while (await look(made, fake, address(10))).state is LookState.KNOWN:
        fake.clock.advance(1)
    confirmed = await look(made, fake, address(10), confirming=True)
    assert confirmed.findings


async def test_what_was_listed_in_the_last_days_comes_first() -> None:
    past = PastResult("blocklist", QUIET.name, Status.CRITICAL, ("blocklist.address_listed",))
    listed = Recording(a=PROVED, results={"example.com": [past]})
    assert await urgency(listed, QUIET) is Urgency.TROUBLED
    assert await urgency(listed, address(12)) is Urgency.QUIET
    listed._results = {}
    listed.clock.advance(2 * 86400)
    assert await urgency(listed, QUIET) is Urgency.TROUBLED, "off the list since yesterday"
    listed.clock.advance(2 * 86400)
    assert await urgency(listed, QUIET) is Urgency.QUIET


async def test_what_others_found_is_no_listing() -> None:
    past = PastResult("rdns", QUIET.name, Status.CRITICAL, ("rdns.missing",))
    assert await urgency(Recording(a=PROVED, results={"example.com": [past]}), QUIET) is (
        Urgency.QUIET
    )


async def test_who_sends_much_comes_before_who_does_not() -> None:
    day = {86400: Counts(accepted=MUCH_MAIL // 2)}
    sent = {("mta", "example.com"): {("orders", "gmail"): day, ("news", "other"): day}}
    fake = Recording(a=PROVED, counts=sent)
    assert await urgency(fake, QUIET) is Urgency.BUSY
    assert await urgency(fake, address(12, "other")) is Urgency.QUIET
    domain = DomainTarget("example.com", senders=(Sender("mta", ("example.com",)),))
    assert await urgency(fake, domain) is Urgency.BUSY
    assert await urgency(fake, address(13, "mta")) is Urgency.BUSY
    assert fake.read["mta", "example.com"] == 1, "read once an hour"
    fake.clock.advance(3600)
    await urgency(fake, QUIET)
    assert fake.read["mta", "example.com"] == 2


async def test_without_limits_nobody_asks_who_is_urgent() -> None:
    fake = Recording(a=PROVED)
    assert (await look(check(), fake, QUIET)).state is LookState.KNOWN
    assert not fake.taken
    assert not fake.read


def test_a_plan_counts_looks_and_proofs() -> None:
    made = check(queries_a_day=100, queries_a_second=5, terms="For small users.")
    expected = (Asks(ZONE, 1, Limits(100, 5.0), "For small users."),)
    assert made.asks(QUIET) == expected
    assert made.asks(MonitorTarget()) == ()
    proofs = {asks.questions for asks in made.asks_besides([QUIET])}
    assert len(made.asks_besides([QUIET])) == 1
    assert len(made.asks_besides([MonitorTarget()])) == 2, "the monitor's look proves all kinds"
    assert all(questions >= 6 for questions in proofs)
