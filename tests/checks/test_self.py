"""The canaries as samples: 1, 0, or absent where we cannot tell."""

import pytest

from checks.self.check import SelfCheck
from monitor.check import Settings
from monitor.model import MonitorTarget
from monitor.world.fake import FakeWorld


@pytest.mark.parametrize(
    ("fake", "canaries"),
    [
        (FakeWorld(), {"network": 1, "resolver": 1, "port25": 1}),
        (FakeWorld(network_trouble="no route"), {"network": 0}),
        (FakeWorld(resolver_trouble="lies"), {"network": 1, "resolver": 0, "port25": 1}),
        (FakeWorld(egress_trouble={25: "late"}), {"network": 1, "resolver": 1, "port25": 0}),
    ],
)
async def test_what_lies_behind_a_dead_network_is_absent(
    fake: FakeWorld, canaries: dict[str, float]
) -> None:
    outcome = await SelfCheck(Settings()).run(MonitorTarget(), fake.world())
    assert {s.labels["canary"]: s.value for s in outcome.samples} == canaries
