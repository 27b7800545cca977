"""Who hears of what, asked of a real Alertmanager with the committed configuration."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.publish.prometheus_servers import ALERTMANAGER, alertmanager, ask
from tests.publish.promtool_runs import needs_promtool, promtool

DEPLOY = Path(__file__).parents[2] / "deploy"
CONFIG = DEPLOY / "alertmanager/alertmanager.yml"
AMTOOL = shutil.which("amtool")


@needs_promtool
def test_prometheus_accepts_the_committed_configuration(tmp_path: Path) -> None:
    checked = promtool(
        "check", "config", str(DEPLOY / "prometheus/prometheus.yml"), folder=tmp_path
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 rule files found" in checked.stdout


@pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=DeliverabilityWatchdog", "severity=watchdog"], "dead-man"),
        (["alertname=DeliverabilityDown", "severity=page"], "page"),
        (["alertname=DeliverabilityBlind", "severity=ticket", "domain=a.example"], "ticket"),
        (["alertname=SomethingElse"], "ticket"),
    ],
)
def test_an_alert_reaches_its_receiver(labels: list[str], receiver: str) -> None:
    assert AMTOOL is not None
    command = [AMTOOL, "config", "routes", "test", f"--config.file={CONFIG}", *labels]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == receiver


# --- inhibition -----------------------------------------------------------------------------------

RESOLVER = {"alertname": "DeliverabilityResolverFailing", "severity": "ticket", "about": "monitor"}
NETWORK = {"alertname": "DeliverabilityNetworkDown", "severity": "ticket", "about": "monitor"}
EGRESS = {"alertname": "DeliverabilityEgressBlocked", "severity": "ticket", "about": "monitor"}
BLIND = {
    "alertname": "DeliverabilityBlind",
    "severity": "ticket",
    "about": "monitor",
    "needs": "dns",
}
LISTED = {"alertname": "Listed", "severity": "page", "needs": "dns"}
BOGUS = {"alertname": "DeliverabilityDomainUnresolvable", "severity": "page", "needs": "dns"}
DANE = {"alertname": "DeliverabilityDaneBroken", "severity": "page", "needs": "dns"}
BOUNCES = {"alertname": "Bounces", "severity": "page"}
WEAK = {"alertname": "Weak", "severity": "ticket"}
UNSERVED = {
    "alertname": "DeliverabilityBlocklistBlind",
    "severity": "ticket",
    "about": "monitor",
    "needs": "dns",
}
ZONE = {"alertname": "DeliverabilityBlocklistZoneUnusable", "severity": "ticket", "zone": "x"}
MOST, PUBLIC = {"code": "blocklist.zones_blind"}, {"code": "blocklist.resolver_public"}
SMTP, MX, BLOCKLIST = {"check": "smtp"}, {"check": "mx"}, {"check": "blocklist"}
LAST = (
    {"alertname": "LastTicket", "severity": "ticket", "domain": "last.example"},
    {"alertname": "LastPage", "severity": "page", "domain": "last.example"},
)
A, B = {"domain": "a.example"}, {"domain": "b.example"}


@pytest.fixture(scope="module")
def alertmanager_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("alertmanager")
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    # The same routes and inhibition, and nobody outside hears of it.
    config["receivers"] = [{"name": receiver["name"]} for receiver in config["receivers"]]
    (path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    with alertmanager(path / "alertmanager.yml", path) as url:
        yield url


@pytest.mark.servers
@pytest.mark.skipif(ALERTMANAGER is None, reason="alertmanager is not installed")
@pytest.mark.parametrize(
    ("firing", "silenced"),
    [
        pytest.param([RESOLVER, LISTED | A, BOUNCES | B], {"Listed"}, id="resolver"),
        pytest.param(
            [NETWORK, RESOLVER, EGRESS],
            {"DeliverabilityResolverFailing", "DeliverabilityEgressBlocked"},
            id="network",
        ),
        pytest.param([EGRESS, BLIND | A | SMTP], {"DeliverabilityBlind"}, id="port 25"),
        pytest.param(
            [EGRESS, BLIND | A | {"check": "dane"}], {"DeliverabilityBlind"}, id="port 25 of DANE"
        ),
        pytest.param([EGRESS, BLIND | A | MX], set(), id="port 25 explains no other check"),
        pytest.param(
            [UNSERVED | MOST, ZONE, BLIND | A | BLOCKLIST],
            {"DeliverabilityBlocklistZoneUnusable", "DeliverabilityBlind"},
            id="most blocklists",
        ),
        pytest.param(
            [UNSERVED | MOST, BLIND | A | MX], set(), id="blocklists explain nothing else"
        ),
        pytest.param(
            [UNSERVED | PUBLIC, ZONE], set(), id="a public resolver explains its own zones"
        ),
        pytest.param([BOGUS | A, DANE | A], {"DeliverabilityDaneBroken"}, id="bogus DNSSEC"),
        pytest.param([BOGUS | A, DANE | B], set(), id="bogus DNSSEC of another domain"),
        pytest.param([BOUNCES | A, WEAK | A], {"Weak"}, id="page silences ticket"),
        pytest.param([BOUNCES | A, WEAK | B], set(), id="of its own domain only"),
        pytest.param([BOUNCES | A, BLIND | A], set(), id="never one about the monitor"),
        pytest.param([BOUNCES, WEAK], set(), id="no domain is not the same domain"),
    ],
)
def test_an_alert_that_another_explains_is_silenced(
    alertmanager_url: str, firing: list[dict[str, str]], silenced: set[str]
) -> None:
    alerts = f"{alertmanager_url}/api/v2/alerts"
    everything = [*firing, *LAST]
    ask(alerts, [{"labels": labels} for labels in everything])
    try:
        assert _silenced(alerts, count=len(everything)) == silenced
    finally:
        past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
        ask(alerts, [{"labels": labels, "endsAt": past} for labels in everything])


def _silenced(url: str, *, count: int) -> set[str]:
    """The names of the inhibited alerts, once `LAST` shows that Alertmanager has thought about all."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        there = ask(url)
        names = {a["labels"]["alertname"] for a in there if a["status"]["inhibitedBy"]}
        if len(there) == count and "LastTicket" in names:
            return names - {"LastTicket"}
        time.sleep(0.05)
    raise AssertionError("Alertmanager did not take the alerts")
