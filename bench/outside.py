"""DNS lookups and STARTTLS probes against the lab, which runs in a process of its own.

`python bench/outside.py CASE LAB` where LAB is the lab's directory. Only our side's CPU is measured.

- `dns`: Resolver through a view without cache, 100 questions in flight; names that do not exist, as
  most answers of a blocklist. `dns_peer`: dnspython's asyncresolver, the same names, as many at once.
- `probe`: SmtpProber, one conversation after the other. `probe_peer`: aiosmtplib with a context of
  its own each time; `probe_shared`: aiosmtplib with one context for all.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiosmtplib
import dns.asyncresolver
import dns.resolver
from measure import Figures, tell, used

from monitor.check import DnsStatus
from monitor.world.clock import SystemClock
from monitor.world.dns.resolver import Resolver
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp import SmtpProber
from monitor.world.tls import TrustStore

QUESTIONS = 4_000
IN_FLIGHT = 100
PROBES = 60
PEER_PROBES = 30
HOST = "mx1.shop.example"
NAMES = [f"{number}.2.0.192.zen.spamhaus.org" for number in range(QUESTIONS)]


def lab() -> dict:
    return json.loads((Path(sys.argv[2]) / "lab.json").read_text())


async def _all(names: list[str], ask: Callable[[str], Awaitable[None]]) -> Figures:
    waiting: Iterator[str] = iter(names)

    async def work() -> None:
        for name in waiting:
            await ask(name)

    with used() as usage:
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return {
        "us_a_question": 1e6 * usage.cpu / len(names),
        "questions_a_second": len(names) / usage.wall,
    }


async def _dns() -> Figures:
    resolver = Resolver(clock=SystemClock(), nameservers=[lab()["resolver"]])
    client = resolver.fresh()

    async def ask(name: str) -> None:
        answer = await client.ask(name, "A")
        if answer.status is not DnsStatus.NXDOMAIN:
            raise SystemExit(f"{name}: {answer}")

    found = await _all(NAMES, ask)
    await resolver.aclose()
    return found


async def _dns_peer() -> Figures:
    address, _, port = lab()["resolver"].partition(":")
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [address], int(port)

    async def ask(name: str) -> None:
        try:
            await resolver.resolve(f"{name}.", "A")
        except dns.resolver.NXDOMAIN:
            return
        raise SystemExit(f"{name}: there is an answer")

    return await _all(NAMES, ask)


async def _address() -> str:
    resolver = Resolver(clock=SystemClock(), nameservers=[lab()["resolver"]])
    answer = await resolver.ask(HOST, "A")
    await resolver.aclose()
    return answer.records[0]


async def _probes(probe: Callable[[str], Awaitable[None]], number: int) -> Figures:
    address = await _address()
    await probe(address)
    with used() as usage:
        for _ in range(number):
            await probe(address)
    return {"cpu_ms": 1e3 * usage.cpu / number, "wall_ms": 1e3 * usage.wall / number}


async def _probe() -> Figures:
    clock = SystemClock()
    prober = SmtpProber(
        guard=AddressGuard(allow=["127.0.0.0/8"], ports={25: lab()["ports"]["25"]}),
        evidence=EgressEvidence(clock=clock),
        store=TrustStore.of_system(Path(lab()["ca"])),
        clock=clock,
        helo="bench.example",
    )

    async def probe(address: str) -> None:
        seen = await prober.converse(address, HOST, 25)
        if seen.failure is not None or seen.tls is None:
            raise SystemExit(f"no conversation: {seen}")

    return await _probes(probe, PROBES)


async def _aiosmtplib(context: ssl.SSLContext | None, number: int) -> Figures:
    options = {"tls_context": context} if context else {"validate_certs": False}

    async def probe(address: str) -> None:
        client = aiosmtplib.SMTP(
            hostname=address,
            port=lab()["ports"]["25"],
            local_hostname="bench.example",
            start_tls=True,
            **options,
        )
        await client.connect()
        await client.quit()

    return await _probes(probe, number)


def _shared_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    tell(
        {
            "dns": lambda: asyncio.run(_dns()),
            "dns_peer": lambda: asyncio.run(_dns_peer()),
            "probe": lambda: asyncio.run(_probe()),
            "probe_peer": lambda: asyncio.run(_aiosmtplib(None, PEER_PROBES)),
            "probe_shared": lambda: asyncio.run(_aiosmtplib(_shared_context(), PROBES)),
        }
    )
