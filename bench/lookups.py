"""Blocklist lookups, ours and others', of the same rbldnsd: 10,000 addresses in 100 zones, each listed once.

`python bench/lookups.py CASE`. Only the asking side's CPU is measured; every case says how many listings it found.

- `ours`: `ask_many` as the blocklist check has it, which keeps no answer, one call an address, 32 at a time, as the runner does.
- `ours_lossy`: the same, of a tenth of the addresses, behind a link that takes 20 ms and drops 5 of 100 datagrams.
- `dnspython`: `dns.asyncresolver`, 1,000 at once, of a fiftieth of the addresses.
- `pydnsbl`: with its own defaults, of a twentieth, in an environment of its own (it pins aiodns below 4).
- `dnsperf`: all of them, its own defaults.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.asyncresolver
import dns.resolver
from link import lossy_link
from measure import Figures, tell, used

from monitor.app.collector import calm
from monitor.check import DnsStatus, Question
from monitor.world.clock import SystemClock
from monitor.world.dns.resolver import Resolver

ADDRESSES = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(10_000)]
ZONES = [f"zone{number:02}.bl.example" for number in range(100)]
AT_ONCE = 32
PEER_AT_ONCE = 1_000
LOSSY_SECONDS = 5.0


def names_of(address: str) -> list[str]:
    reverse = ".".join(reversed(address.split(".")))
    return [f"{reverse}.{zone}" for zone in ZONES]


@contextmanager
def rbldnsd() -> Iterator[int]:
    """A server of the zones; the address at place n is listed in zone n modulo 100."""
    with tempfile.TemporaryDirectory() as text:
        folder, port = Path(text), 20_000 + time.time_ns() // 1000 % 20_000
        folder.chmod(0o755)
        for number, zone in enumerate(ZONES):
            listed = "\n".join(["127.0.0.2", *ADDRESSES[number :: len(ZONES)]])
            (folder / zone).write_text(
                f"$SOA 3600 ns.example h.example 0 600 300 86400 300\n:127.0.0.2:listed\n{listed}\n"
            )
        data = [f"{zone}:ip4set:{zone}" for zone in ZONES]
        server = subprocess.Popen(
            ["rbldnsd", "-n", "-f", "-b", f"127.0.0.1/{port}", "-w", text, *data],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()
            server.wait(10)


def _wait_for(port: int) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 0.2
    for _ in range(50):
        try:
            resolver.resolve(f"2.0.0.127.{ZONES[-1]}", "A")
        except (OSError, dns.exception.DNSException):
            time.sleep(0.1)
        else:
            return
    raise SystemExit("rbldnsd does not answer")


def figures(cpu: float, wall: float, number: int, found: int) -> Figures:
    return {
        "us_a_lookup": 1e6 * cpu / number,
        "lookups_a_second": number / wall,
        "listings_found": float(found),
    }


async def _ask(resolver: Resolver, addresses: list[str]) -> int:
    """How many listings were found; an answer that tells nothing ends the measurement."""
    waiting, found = iter(addresses), 0
    zones = resolver.per_look().keeping_nothing()

    async def work() -> None:
        nonlocal found
        for address in waiting:
            questions = [Question(name, "A") for name in names_of(address)]
            answers = await zones.ask_many(questions)
            listed = [a for a in answers if a.status is DnsStatus.OK]
            blind = [a for a in answers if not a.known]
            if blind or any(a.records != ("127.0.0.2",) for a in listed):
                raise SystemExit(f"not known: {blind[:1]}, or invented: {listed}")
            found += len(listed)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return found


async def _ours(port: int, addresses: list[str], seconds: float = 5.0) -> Figures:
    resolver = Resolver(clock=SystemClock(), nameservers=[f"127.0.0.1:{port}"], timeout=seconds)
    with used() as usage:
        found = await _ask(resolver, addresses)
    await resolver.aclose()
    return figures(usage.cpu, usage.wall, len(addresses) * len(ZONES), found)


def ours() -> Figures:
    calm()  # as the daemon does
    with rbldnsd() as port:
        return asyncio.run(_ours(port, ADDRESSES))


def ours_lossy() -> Figures:
    with rbldnsd() as port, lossy_link(port) as behind:
        return asyncio.run(_ours(behind, ADDRESSES[::10], LOSSY_SECONDS))


async def _dnspython(port: int, addresses: list[str]) -> Figures:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 5.0
    names, found = iter([n for address in addresses for n in names_of(address)]), 0

    async def work() -> None:
        nonlocal found
        for name in names:
            try:
                await resolver.resolve(name, "A")
                found += 1
            except dns.resolver.NXDOMAIN:
                continue

    with used() as usage:
        await asyncio.gather(*(work() for _ in range(PEER_AT_ONCE)))
    return figures(usage.cpu, usage.wall, len(addresses) * len(ZONES), found)


def dnspython() -> Figures:
    with rbldnsd() as port:
        return asyncio.run(_dnspython(port, ADDRESSES[::50]))


def dnsperf() -> Figures:
    program = shutil.which("dnsperf")
    if program is None:
        raise SystemExit("dnsperf is missing")
    with rbldnsd() as port, tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name} A\n" for address in ADDRESSES for name in names_of(address))
        file.flush()
        done = subprocess.run(
            [program, "-s", "127.0.0.1", "-p", str(port), "-d", file.name, "-n", "1"],
            capture_output=True,
            text=True,
            check=True,
        )
    rate = re.search(r"Queries per second:\s+([\d.]+)", done.stdout)
    found = re.search(r"NOERROR (\d+)", done.stdout)
    return {
        "lookups_a_second": float(rate[1]) if rate else 0.0,
        "listings_found": float(found[1]) if found else 0.0,
    }


PYDNSBL = Path(__file__).parents[1] / ".venv" / "pydnsbl"


def pydnsbl() -> Figures:
    """Its checker asks all zones about one address; addresses one after the other, as its users do."""
    python = PYDNSBL / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PYDNSBL)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "pydnsbl==1.1.6", "pycares<5"]
        subprocess.run(install, check=True)
    with rbldnsd() as port:
        script = str(Path(__file__).parent / "pydnsbl_peer.py")
        done = subprocess.run(
            [str(python), script, str(port)], stdout=subprocess.PIPE, text=True, check=True
        )
    cpu, wall, number, found = map(float, done.stdout.split())
    return figures(cpu, wall, int(number), int(found))


if __name__ == "__main__":
    tell({f.__name__: f for f in (ours, ours_lossy, dnspython, dnsperf, pydnsbl)})
