"""What the blocklist check tells of its zones, and what trying one comes to."""

import asyncio
from typing import Any

import pytest

from checks.blocklist.check import BlocklistCheck
from checks.blocklist.settings import BlocklistSettings
from monitor.check import ListsZones, ZoneStanding, ZoneState
from monitor.world.fake import FakeWorld

BOTH: dict[str, Any] = {
    "zone": "both.example",
    "kinds": ["ip4", "ip6"],
    "codes": {"127.0.0.2": {"meaning": "spam", "severity": "page"}},
    "test": {
        "ip4": {"listed": "127.0.0.2", "clean": "127.0.0.1"},
        "ip6": {"listed": "::ffff:7f00:2", "clean": "::ffff:7f00:1"},
    },
}
ENTRY_4 = "2.0.0.127.both.example"
ENTRY_6 = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.both.example"


def check(**settings: Any) -> BlocklistCheck:
    return BlocklistCheck(BlocklistSettings.model_validate({"catalogue": [BOTH], **settings}))


def facts(**settings: Any) -> dict[str, Any]:
    return {one.name: one for one in check(**settings).zones()}


def test_the_daemon_finds_the_zones_without_knowing_the_check() -> None:
    assert isinstance(check(), ListsZones)


def test_a_key_makes_its_zones_be_asked_and_is_not_told() -> None:
    known = facts(keys={"spamhaus_dqs": "s3cret"})
    assert known["zen.dq.spamhaus.net"].standing is ZoneStanding.ASKED
    assert known["zen.spamhaus.org"].standing is ZoneStanding.OFFERED
    assert "s3cret" not in repr(known)
    assert facts()["zen.dq.spamhaus.net"].standing is ZoneStanding.WANTS_KEY
    assert facts()["zen.dq.spamhaus.net"].to_be_asked == "set checks.blocklist.keys.spamhaus_dqs"


def test_those_that_are_asked_stand_first_in_the_order_of_the_configuration() -> None:
    zones = ["both.example", "bl.spamcop.net"]
    assert list(facts(zones=zones))[:2] == zones


def test_what_another_zone_has_needs_not_be_asked() -> None:
    assert "zen.spamhaus.org" in facts()["sbl.spamhaus.org"].to_be_asked
    assert facts()["both.example"].to_be_asked.startswith("name it under")


def test_the_gravest_that_a_zone_says() -> None:
    """A list of good senders says nothing grave."""
    severities = {name: one.severity for name, one in facts().items()}
    assert severities["both.example"] == "page"
    assert severities["list.dnswl.org"] == "never"


@pytest.mark.parametrize(
    ("served", "fail", "state", "reason"),
    [
        ({ENTRY_4: "127.0.0.2", ENTRY_6: "127.0.0.2"}, {}, ZoneState.USABLE, ""),
        ({ENTRY_4: "127.0.0.2"}, {}, ZoneState.DEAD, "ip6: the zone does not list"),
        ({ENTRY_6: "127.0.0.2"}, {ENTRY_4: "refused"}, ZoneState.REFUSED, "ip4: the zone"),
        ({}, {ENTRY_4: "timeout", ENTRY_6: "timeout"}, ZoneState.SILENT, "the zone does not"),
    ],
)
def test_every_kind_counts_and_what_is_bad_is_named(
    served: dict[str, str], fail: dict[str, str], state: ZoneState, reason: str
) -> None:
    world = FakeWorld(a=served, fail=fail).world()
    tried = asyncio.run(check().try_zone("both.example", world))
    assert tried.state is state
    assert tried.reason.startswith(reason)
    assert bool(tried.reason) is (state is not ZoneState.USABLE)


def test_a_zone_that_is_not_known_cannot_be_tried() -> None:
    with pytest.raises(KeyError):
        asyncio.run(check().try_zone("nobody.example", FakeWorld().world()))
