"""What blocklists cost the daemon: 100,000 addresses in 60 zones as state, and /metrics while a sweep runs.

`python bench/blocklists.py state|sweep`

- `state`: every address is clean in all zones, one in a hundred is listed in one; judged by the runner's own
  `merge`, kept in a store on disk and in the exposition. Then one scrape, after a first one.
- `sweep`: the daemon in a process of its own, 10,240 addresses in 60 zones of an rbldnsd, all of them looked at
  each minute; /metrics is asked for every 50 ms.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from ipaddress import IPv4Address
from pathlib import Path

import yaml
from lookups import rbldnsd
from measure import Figures, forget_peak, peak_mib, resident_mib, tell, used

from checks.blocklist.check import BlocklistCheck
from monitor.model import Finding, Look, Outcome, Sample, Severity
from monitor.publish.exposition import Exposition
from monitor.runner.judge import JudgedLook
from monitor.runner.merge import Run, merge
from monitor.store.kept import KeptFinding
from monitor.store.store import Store
from monitor.world.clock import SystemClock

ADDRESSES = 100_000
ZONES = [f"zone{number:02}.bl.example" for number in range(60)]
RANGES = [f"5.9.{number}.0/24" for number in range(40)]
SECONDS = 60.0
START_SECONDS = 60.0


def _looks(address: str, *, listed: bool) -> tuple[JudgedLook, ...]:
    clean = tuple(JudgedLook(Look.known(zone)) for zone in ZONES[:-1])
    if not listed:
        return (*clean, JudgedLook(Look.known(ZONES[-1])))
    labels = {"kind": "ip4", "zone": ZONES[-1], "severity": "critical", "meaning": "listed"}
    finding = Finding("address_listed", f"{address} is listed in {ZONES[-1]}", "Stop the cause.")
    look = Look.known(ZONES[-1], (finding,), samples=(Sample("blocklist_listed", 1.0, labels),))
    kept = KeptFinding(finding, "blocklist.address_listed", Severity.CRITICAL, since=0.0)
    return (*clean, JudgedLook(look, (kept,)))


async def _state() -> Figures:
    about, clock = BlocklistCheck.about, SystemClock()
    exposition = Exposition()
    exposition.configure([about])
    before = resident_mib()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{folder}/state.db", clock=clock)
        for number in range(ADDRESSES):
            address = str(IPv4Address(0x05090000 + number))
            looks = _looks(address, listed=number % 100 == 0)
            outcome = Outcome(tuple(judged.look for judged in looks))
            run = Run("blocklist", address, "example.com", clock.now(), outcome, looks)
            kept = merge(None, run, awaiting=frozenset(), about=about)
            store.keep(kept)
            exposition.update(kept, ())
            if number % 5_000 == 0:
                await store.flush()
        await store.flush()
        exposition.render((), now=clock.now(), openmetrics=False)
        resident = resident_mib()
        forget_peak()
        with used() as usage:
            text = exposition.render((), now=clock.now(), openmetrics=False).encode()
        peak = peak_mib()
        await store.close()
    return {
        "resident_mib": resident,
        "state_mib": resident - before,
        "peak_mib": peak,
        "scrape_seconds": usage.wall,
        "text_mib": len(text) / 2**20,
    }


def _config(folder: Path, dns_port: int, http_port: int) -> Path:
    test = {"ip4": {"listed": "127.0.0.2", "clean": "127.0.0.1"}}
    zones = [
        {
            "zone": zone,
            "kinds": ["ip4"],
            "codes": {"127.0.0.2": {"meaning": "listed", "severity": "page"}},
            "test": test,
        }
        for zone in ZONES
    ]
    settings = {"interval": "1m", "catalogue": zones, "zones": ZONES}
    off = ("bimi", "bulk_sender", "dane", "dkim", "dmarc", "mta_sts", "mx", "ns", "parked", "rates")
    more = ("rdns", "smtp", "spf", "tls_rpt", "tracking")
    document = {
        "domains": [{"name": "example.com"}],
        "senders": [{"name": "mta", "domains": ["example.com"], "addresses": RANGES}],
        "checks": {"blocklist": settings} | {name: {"enabled": False} for name in off + more},
        "resolver": {
            "nameservers": [f"127.0.0.1:{dns_port}"],
            "canaries": [f"2.0.0.127.{zone}" for zone in ZONES[:3]],
        },
        "network": {"allow": ["127.0.0.0/8"], "port25_canaries": []},
        "store": {"url": f"sqlite:///{folder}/state.db"},
        "server": {"listen": f"127.0.0.1:{http_port}"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _scrape(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read()


def _ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if b"deliverability_blocklist_zones{" in _scrape(url):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit("the daemon does not come up")


def _lookups(text: bytes) -> float:
    lines = [line for line in text.splitlines() if b"_zone_queries_total{" in line]
    return sum(float(line.rpartition(b" ")[2]) for line in lines)


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def sweep() -> Figures:
    with tempfile.TemporaryDirectory() as text, rbldnsd() as dns_port:
        folder = Path(text)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            http_port = free.getsockname()[1]
        command = Path(sys.executable).with_name("deliverability")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(command), "run", "--config", str(_config(folder, dns_port, http_port))],
                stdout=log,
                stderr=log,
            )
        url = f"http://127.0.0.1:{http_port}/metrics"
        try:
            _ready(url, process)
            return _watched(url, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _watched(url: str, pid: int) -> Figures:
    taken, first, cpu, started = [], _lookups(_scrape(url)), _cpu_seconds(pid), time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        before = time.perf_counter()
        last = _scrape(url)
        taken.append(time.perf_counter() - before)
        time.sleep(0.05)
    wall = time.perf_counter() - started
    taken.sort()
    return {
        "p50_ms": 1e3 * taken[len(taken) // 2],
        "p99_ms": 1e3 * taken[int(0.99 * len(taken))],
        "lookups_a_second": (_lookups(last) - first) / wall,
        "cpu_percent": 100 * (_cpu_seconds(pid) - cpu) / wall,
        "us_a_lookup": 1e6 * (_cpu_seconds(pid) - cpu) / (_lookups(last) - first),
    }


if __name__ == "__main__":
    tell({"state": lambda: asyncio.run(_state()), "sweep": sweep})
