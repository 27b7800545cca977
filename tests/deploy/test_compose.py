"""What `deploy/` starts is there, closed to the outside, and accepted by the real programs."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
CONFIG: dict[str, Any] = yaml.safe_load((DEPLOY / "config.yaml").read_text())


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def _mounts(service: dict[str, Any]) -> dict[str, str]:
    """Source by target of the mounts of one service."""
    parts = (volume.split(":") for volume in service.get("volumes", ()))
    return {target: source for source, target, *_ in parts}


def test_the_whole_is_started() -> None:
    assert set(SERVICES) == {"daemon", "unbound", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_and_builds_exists(name: str) -> None:
    """A mount of a missing path would be an empty directory, made silently."""
    for source in _mounts(SERVICES[name]).values():
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]
    if build := SERVICES[name].get("build"):
        assert (DEPLOY / build["context"] / "Dockerfile").is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not str(service.get("image", "")).endswith(":latest")


@pytest.mark.parametrize("service", ["daemon", "prometheus", "alertmanager"])
def test_a_service_reads_a_file_of_the_tree(service: str) -> None:
    """The path inside the container, followed through the mounts, is a file here."""
    command = " ".join(SERVICES[service]["command"])
    (inside,) = re.findall(r"--config(?:\.file=| )(\S+)", command)
    target, source = next(
        (t, s) for t, s in _mounts(SERVICES[service]).items() if inside.startswith(t)
    )
    assert (DEPLOY / source / inside.removeprefix(target).lstrip("/")).is_file()


def test_the_daemon_asks_the_own_resolver() -> None:
    """config.yaml names the address and port that compose and unbound.conf give to the resolver."""
    address = SERVICES["unbound"]["networks"]["default"]["ipv4_address"]
    assert ip_address(address) in ip_network(
        COMPOSE["networks"]["default"]["ipam"]["config"][0]["subnet"]
    )
    (port,) = re.findall(
        r"^\s*port: (\d+)$", (DEPLOY / "unbound/unbound.conf").read_text(), re.MULTILINE
    )
    assert CONFIG["resolver"]["nameservers"] == [f"{address}:{port}"]


def test_the_services_find_each_other() -> None:
    """What Prometheus scrapes and alerts, and what Grafana asks, are services at their ports."""
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    grafana = yaml.safe_load(
        (ROOT / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    configs = [*prometheus["scrape_configs"], *prometheus["alerting"]["alertmanagers"]]
    targets = {t for c in configs for s in c["static_configs"] for t in s["targets"]}
    targets |= {source["url"].removeprefix("http://") for source in grafana["datasources"]}
    published = {
        f"{name}:{port.split(':')[-1]}"
        for name, service in SERVICES.items()
        for port in service.get("ports", ())
    }
    assert {"daemon:9825", "alertmanager:9093", "prometheus:9090"} <= targets <= published


def test_the_starter_configuration_is_valid() -> None:
    result = _run(
        Path(sys.executable).parent / "deliverability",
        "validate",
        "--config",
        DEPLOY / "config.yaml",
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.servers
def test_the_service_unit_is_accepted_and_hardened() -> None:
    """systemd knows every setting, and its own measure of exposure is low (10 is bare)."""
    analyze = _program("systemd-analyze")
    unit = DEPLOY / "systemd/deliverability.service"
    result = _run(analyze, "security", "--offline=yes", "--threshold=15", unit)
    if "Overall exposure level" not in result.stdout:
        pytest.skip(f"systemd-analyze cannot look at a file here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stdout.splitlines()[-1]
    verified = _run(analyze, "verify", unit)
    assert "Unknown" not in verified.stderr


def _free_port() -> int:
    """A port that is free for UDP and TCP on loopback, below those of outgoing connections."""
    for port in range(18_000, 20_000):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.skip("no free port")


@contextmanager
def _server(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def _answer(name: str, port: int) -> dns.message.Message:
    """The first answer that is no failure, within ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        query = dns.message.make_query(name, "A")
        try:
            answer = dns.query.udp(query, "127.0.0.1", port=port, timeout=1)
        except (OSError, dns.exception.Timeout):
            answer = None
        if answer is not None and answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            return answer
        assert time.monotonic() < deadline, f"no answer for {name}: {answer}"
        time.sleep(0.05)  # the server is starting


@pytest.mark.servers
def test_the_resolver_configuration_is_accepted() -> None:
    """Unchanged, by the real unbound's own look at it."""
    if not Path("/usr/share/dns/root.key").exists():
        pytest.skip("dns-root-data is not installed")
    result = _run(_program("unbound-checkconf"), DEPLOY / "unbound/unbound.conf")
    assert result.returncode == 0, result.stderr


@pytest.mark.servers
def test_the_resolver_passes_a_listing_on(tmp_path: Path) -> None:
    """A blocklist's 127.0.0.2 reaches the daemon through a real unbound with this configuration."""
    unbound, rbldnsd = _program("unbound"), _program("rbldnsd")
    if not Path("/usr/share/dns/root.key").exists():
        pytest.skip("dns-root-data is not installed")
    (tmp_path / "zone").write_text(
        "$SOA 3600 ns.bl.test. hostmaster.bl.test. 0 600 300 86400 300\n"
        "$NS 3600 ns.bl.test.\n:127.0.0.2:listed\n127.0.0.2\n"
    )
    blocklist_port = _free_port()
    blocklist = [rbldnsd, "-n", "-f", "-b", f"127.0.0.1/{blocklist_port}", "-r", str(tmp_path)]
    tmp_path.chmod(0o755)
    with _server([*blocklist, "bl.test:ip4set:zone"], tmp_path / "rbldnsd.log"):
        assert _answer("2.0.0.127.bl.test", blocklist_port).answer
        port = _free_port()
        conf = (DEPLOY / "unbound/unbound.conf").read_text()
        conf = conf.replace("interface: 0.0.0.0", "interface: 127.0.0.1")
        conf = re.sub(r"\bport: \d+", f"port: {port}", conf, count=1)
        conf = conf.replace(
            "server:",
            "server:\n    do-not-query-localhost: no\n"
            '    domain-insecure: "test."\n    local-zone: "test." nodefault',
            1,
        )
        conf += f'stub-zone:\n    name: "bl.test."\n    stub-addr: 127.0.0.1@{blocklist_port}\n'
        (tmp_path / "unbound.conf").write_text(conf)
        command = [unbound, "-d", "-c", str(tmp_path / "unbound.conf")]
        with _server(command, tmp_path / "unbound.log"):
            listed = _answer("2.0.0.127.bl.test", port)
            clean = _answer("1.0.0.127.bl.test", port)
    assert [str(record) for rrset in listed.answer for record in rrset] == ["127.0.0.2"]
    assert clean.rcode() == dns.rcode.NXDOMAIN
