"""The lab's configuration for the daemon."""

from pathlib import Path

import yaml

from monitor.lab.config import write_configuration
from monitor.lab.ports import Ports
from monitor.lab.scenario_file import ScenarioFile

PORTS = Ports(dns=5300, smtp=2500, smtps=4650, submission=5870, https=4430, control=8000)
SECRETS = {"shop": "file:shop-hook.secret", "newsletter": "a public key"}


def test_it_says_where_all_listens(tmp_path: Path) -> None:
    world = ScenarioFile().base
    path = write_configuration(
        world, tmp_path, ports=PORTS, listen="127.0.0.1:9999", secrets=SECRETS
    )
    config = yaml.safe_load(path.read_text())
    assert config["resolver"]["nameservers"] == ["127.0.0.1:5300"]
    assert config["resolver"]["timeout"] == "2s"
    assert config["network"]["ports"] == {25: 2500, 465: 4650, 587: 5870, 443: 4430, 53: 5300}
    assert config["network"]["ca"] == str(tmp_path / "ca.pem")
    assert config["store"]["url"] == f"sqlite:///{tmp_path}/state.db"
    assert config["server"]["listen"] == "127.0.0.1:9999"
    assert [hook["secret"] for hook in config["events"]["hooks"]] == list(SECRETS.values())


def test_the_blocklists_that_it_asks_are_in_the_catalogue(tmp_path: Path) -> None:
    world = ScenarioFile().base
    path = write_configuration(world, tmp_path, ports=PORTS, listen="x:1", secrets=SECRETS)
    blocklist = yaml.safe_load(path.read_text())["checks"]["blocklist"]
    assert {zone["zone"] for zone in blocklist["catalogue"]} >= set(blocklist["zones"])
