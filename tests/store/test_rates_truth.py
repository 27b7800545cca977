"""Rates are what the events say: random histories, late, doubled and out of order, across restarts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import pytest

from checks.rates.check import RatesCheck
from checks.rates.kinds import WINDOWS
from monitor.check import Settings, Threshold
from monitor.model import Event, EventKind, Look, Provider, Role, SenderTarget, Severity
from monitor.world.fake import FakeClock, FakeWorld
from tests.store.conftest import OpenStore

LIMIT = Threshold(warning=0.02, critical=0.05, minimum=100)
TARGET = SenderTarget("shop", "example.com", Role.PRIMARY, ("orders", "news"))
KINDS = (EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.BOUNCED, EventKind.DEFERRED)
DAY, HOUR = 86400.0, 3600.0


@dataclass(frozen=True, slots=True)
class Counted:
    """An event that was new, and the minute that it belongs to."""

    event: Event
    minute: int


def expected(counted: Sequence[Counted], now: float, window: int) -> tuple[int, int]:
    """(bounced, messages) of a window, by hand."""
    kinds = [c.event.kind for c in counted if (now - window) // 60 <= c.minute <= now // 60]
    bounced = kinds.count(EventKind.BOUNCED)
    ended = bounced + kinds.count(EventKind.DELIVERED)
    return bounced, max(kinds.count(EventKind.ACCEPTED), ended)


def lower_bound(happened: int, total: int) -> float:
    """Wilson's, solved from its quadratic: where the true ratio is 1.96 standard errors from the seen one."""
    a, b, c = total + 1.96**2, -(2 * happened + 1.96**2), happened * happened / total
    return max(0.0, (-b - sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a))


def judge(look: Look, counted: Sequence[Counted], now: float) -> None:
    """The samples and findings of one look against the events of its group."""
    shown = {(s.gauge, s.labels["window"]): s.value for s in look.samples}
    for seconds, label in WINDOWS.items():
        bounced, messages = expected(counted, now, seconds)
        if not messages:
            assert ("ratio", label) not in shown
            continue
        assert shown["ratio", label] == pytest.approx(bounced / messages)
        assert shown["ratio_messages", label] == messages
        assert shown["ratio_lower", label] == pytest.approx(
            lower_bound(bounced, messages), abs=1e-9
        )
    bounced, messages = expected(counted, now, 3600)
    for finding in look.findings:
        limit = LIMIT.critical if finding.severity is Severity.CRITICAL else LIMIT.warning
        assert messages >= LIMIT.minimum
        assert lower_bound(bounced, messages) > limit


@pytest.mark.parametrize("seed", range(12))
async def test_ratios_are_what_can_be_counted_by_hand(
    open_store: OpenStore, clock: FakeClock, seed: int
) -> None:
    dice = random.Random(seed)
    store = await open_store()
    fake = FakeWorld(thresholds={"bounce": LIMIT})
    sent: list[Event] = []
    counted: list[Counted] = []
    ids: set[str] = set()
    bounces = dice.choice((1, 3, 20))
    for _ in range(30):
        now = clock.now()
        kinds = dice.choices(KINDS, (60, 30, bounces, 5), k=dice.randint(0, 40))
        late = (dice.choice((0, 0, 30, 400, HOUR, DAY - 60, DAY + 60, -600)) for _ in kinds)
        batch = [
            Event(
                "hook",
                f"{len(sent) + n}",
                kind,
                now - seconds,
                "shop",
                "example.com",
                dice.choice(("orders", "news", "")),
                dice.choice((Provider.GMAIL, Provider.YAHOO)),
            )
            for n, (kind, seconds) in enumerate(zip(kinds, late, strict=True))
        ]
        sent += batch
        batch += [replace(one) for one in dice.sample(sent, min(3, len(sent)))]
        dice.shuffle(batch)
        new = 0
        for one in batch:
            if one.id not in ids:
                ids.add(one.id)
                new += 1
                if one.at >= now - DAY:
                    counted.append(Counted(one, int(min(one.at, now) // 60)))
        assert await store.add_events(batch) == new
        if dice.random() < 0.2:
            await store.close()
            store = await open_store()
        clock.advance(dice.choice((1.0, 20.0, 300.0, 1500.0)))
        outcome = await RatesCheck(Settings()).run(TARGET, replace(fake.world(), windows=store))
        for look in outcome.looks:
            kind, _, name = look.subject.partition(" ")
            group = [
                one
                for one in counted
                if look.subject == "all"
                or (kind == "stream" and one.event.stream == name)
                or (kind == "provider" and one.event.provider == name)
            ]
            if look.reason:
                assert not look.findings
            else:
                judge(look, group, clock.now())
    assert sum(store.totals().values()) == len(ids)
