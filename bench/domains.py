"""A full look at a domain, ours and checkdmarc's, in a lab whose resolver takes 20 ms for an answer.

Runs in a network namespace of its own (needs root), where the lab's servers listen at the real ports:
checkdmarc knows no others. `python bench/domains.py ours_one|peer_one|ours_bulk|peer_bulk`
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from measure import Figures, started_lab, tell, used

from monitor.cli.bulk import look_at_all
from monitor.cli.oneshot import NothingKept, look, named_target, task_of
from monitor.cli.report import Report
from monitor.cli.source import loaded
from monitor.world.budgets import PacedBudgets
from monitor.world.build import build_world
from monitor.world.clock import SystemClock

DOMAINS = 1000
ONE_BY_ONE = 10
PEER_BULK = 50
WITH_POLICY = 100
ANSWER_AFTER = "20ms"
_INSIDE = "BENCH_INSIDE"
_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr/to3K4LCKrkfStRy460RJgHyAlCBOYPKrh6g2jAfo7H+nF5AyDjGA6t"
    "Tdww9wXkYnL8irG+/8G24ywg2sHpicWf7KCecJtnNaBPG9YlmJSknEjDCK81Q4OCgVqw3s+GmWkvszqtvm10yjU3Wmhgh/66zsvF"
    "Er40hN79wM7C824sTvnLpdVOf5O/1ks9gLdYp3B69gt/+GrtpKP6XSWQhbcG5tApuQu2kzKrwiCU9VZBQNywi8ezZfuTSyAFJKRS"
    "NUcZMcJWTsLYOCT4vbSdmQ2qvAghaPXXc0HJGCcxvdvczzpwOze8aXFxQqz4+6rgHCkeeXuGFeL55XqmXsl1lwIDAQAB"
)


def name(number: int) -> str:
    return f"d{number:04}.example"


def scenario() -> dict[str, Any]:
    """Domains that are all well, each with every record; the first have an MTA-STS policy as well."""
    zones: dict[str, Any] = {
        ".": {"@": {"NS": "ns1.dns.example"}},
        "example": {"@": {"NS": "ns1.dns.example"}},
        "dns.example": {"@": {"NS": ["ns1.dns.example", "ns2.dns.example"]}},
        "hosting.example": {
            "@": {"NS": ["ns1.dns.example", "ns2.dns.example"], "A": "127.0.2.80"},
            "spf": {
                "TXT": "v=spf1 include:spf-a.hosting.example include:spf-b.hosting.example ~all"
            },
            "spf-a": {"TXT": "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/64 ~all"},
            "spf-b": {"TXT": "v=spf1 ip4:198.51.100.0/24 a:out.hosting.example ~all"},
            "out": {"A": "203.0.113.7"},
        },
    }
    zones |= {name(number): _zone(number) for number in range(DOMAINS)}
    return {
        "name": "bench",
        "ttl": 3600,
        "zones": zones,
        "nameservers": {"ns1.dns.example": "127.0.1.53", "ns2.dns.example": "127.0.1.54"},
        "hosts": {
            "mx1.hosting.example": {"address": "127.0.2.10"},
            "mx2.hosting.example": {"address": "127.0.2.11"},
        },
        "sites": {f"mta-sts.{name(number)}": _policy(number) for number in range(WITH_POLICY)},
        "behaviours": {"slow": {"suffix": ".", "do": "slow", "delay": ANSWER_AFTER}},
        "configuration": {
            "domains": [{"name": name(0)}],
            "resolver": {"canaries": ["hosting.example"]},
            "network": {"port25_canaries": ["mx1.hosting.example"]},
            "checks": {"mx": {"reachable_networks": ["127.0.0.0/8"]}},
        },
    }


def _zone(number: int) -> dict[str, Any]:
    own = name(number)
    zone = {
        "@": {
            "SOA": f"ns1.dns.example hostmaster.{own} 2026112401 3600 600 1209600 3600",
            "NS": ["ns1.dns.example", "ns2.dns.example"],
            "MX": ["10 mx1.hosting.example", "20 mx2.hosting.example"],
            "TXT": "v=spf1 include:spf.hosting.example mx -all",
            "A": "127.0.2.80",
        },
        "_dmarc": {"TXT": f"v=DMARC1; p=reject; rua=mailto:dmarc@{own}"},
        "s1._domainkey": {"TXT": f"v=DKIM1; k=rsa; p={_KEY}"},
        "_smtp._tls": {"TXT": f"v=TLSRPTv1; rua=mailto:tls@{own}"},
    }
    if number < WITH_POLICY:
        zone["_mta-sts"] = {"TXT": "v=STSv1; id=20261124"}
    return zone


def _policy(number: int) -> dict[str, Any]:
    body = "version: STSv1\nmode: enforce\nmx: *.hosting.example\nmax_age: 604800\n"
    return {
        "address": f"127.0.{3 + number // 250}.{number % 250 + 1}",
        "documents": {"/.well-known/mta-sts.txt": {"body": body}},
    }


@contextmanager
def lab() -> Iterator[Path]:
    """The lab at the real ports; gives its directory."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "scenario.yaml").write_text(yaml.safe_dump(scenario()))
        process = started_lab(directory, "real-ports")
        try:
            yield directory
        finally:
            process.terminate()
            process.wait(30)


def ours_one() -> Figures:
    """One domain after the other, with nothing remembered of the one before."""
    with lab() as directory:
        config = loaded(directory / "config.yaml")

        async def one(number: int) -> float:
            clock, nothing = SystemClock(), NothingKept()
            worlds = build_world(
                config,
                windows=nothing,
                results=nothing,
                budgets=PacedBudgets(clock=clock),
                clock=clock,
            )
            try:
                task = task_of(named_target(name(number)), config, ())
                report = await look(task, worlds, clock, seconds=15, progress=lambda *_: None)
            finally:
                await worlds.aclose()
            _sane(report)
            return report.seconds

        asyncio.run(one(ONE_BY_ONE))
        with used() as usage:
            seconds = [asyncio.run(one(number)) for number in range(ONE_BY_ONE)]
    return {"seconds": statistics.median(seconds), "cpu_ms": 1000 * usage.cpu / ONE_BY_ONE}


def ours_bulk() -> Figures:
    with lab() as directory:
        config = loaded(directory / "config.yaml")
        targets = [named_target(name(number)) for number in range(DOMAINS)]
        with used() as usage:
            asyncio.run(
                look_at_all(targets, config, (), clock=SystemClock(), seconds=15, told=_sane)
            )
    return _each(usage.wall, usage.cpu, DOMAINS)


def _sane(report: Report) -> None:
    """A look that saw nothing would be fast too."""
    found = {result.check: result.status for result in report.results}
    if any(found[check] != "ok" for check in ("spf", "dmarc", "mx", "dkim", "smtp", "tls_rpt")):
        raise SystemExit(f"{report.target}: {report}")


def peer_one() -> Figures:
    with lab() as directory, used() as usage:
        _checkdmarc(directory, [name(ONE_BY_ONE)])
        seconds = []
        for number in range(ONE_BY_ONE):
            started = time.perf_counter()
            _checkdmarc(directory, [name(number)])
            seconds.append(time.perf_counter() - started)
    return {"seconds": statistics.median(seconds), "cpu_ms": 1000 * usage.cpu / ONE_BY_ONE}


def peer_bulk() -> Figures:
    """Fewer domains: it takes its time."""
    with lab() as directory, used() as usage:
        _checkdmarc(directory, [name(number) for number in range(DOMAINS - PEER_BULK, DOMAINS)])
    return _each(usage.wall, usage.cpu, PEER_BULK)


def _each(wall: float, cpu: float, number: int) -> Figures:
    return {"ms_a_domain": 1000 * wall / number, "cpu_ms_a_domain": 1000 * cpu / number}


def _checkdmarc(directory: Path, domains: list[str]) -> None:
    os.environ["SSL_CERT_FILE"] = str(directory / "ca.pem")
    import checkdmarc

    found: Any = checkdmarc.check_domains(domains, nameservers=["127.0.0.1"], check_mx_tls=True)
    for one in found if isinstance(found, list) else [found]:
        if not (
            one["spf"]["valid"] and one["dmarc"]["valid"] and one["mx"]["hosts"][0]["starttls"]
        ):
            raise SystemExit(f"{one}")


def enter_the_lab() -> None:
    """This process's network is the lab's alone, and its system asks the lab's resolver."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix="resolv.conf", delete=False) as file:
        file.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    Path(file.name).unlink()


CASES = {"ours_one": ours_one, "peer_one": peer_one, "ours_bulk": ours_bulk, "peer_bulk": peer_bulk}

if __name__ == "__main__":
    if _INSIDE not in os.environ:
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    enter_the_lab()
    tell(CASES)
