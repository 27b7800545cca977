"""Debian's DNS servers in place of the lab's: each in a private folder, on a port of loopback."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.asyncquery
import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.NS
import dns.zone
import dns.zonefile
from cryptography.hazmat.primitives.asymmetric import ec

from monitor.lab.scenario import Scenario
from monitor.lab.zones import Zones
from tests.e2e.servers import Running, need, running, until

ANY_SERVER = "ns1.dns.example."

# What unbound answers by itself unless told otherwise (RFC 6303 §4.2, §4.4): the lab's addresses.
OF_DOCUMENTATION = (
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "127.in-addr.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
)


def zone_files(world: Scenario) -> dict[str, str]:
    """The lab's zones as zone files, by origin; the root is among them, so that every name is in one."""
    zones = Zones(world)
    lines: dict[dns.name.Name, list[str]] = {origin: [] for origin in zones._origins}
    for owner, node in zones._nodes.items():
        origin = zones.zone_of(owner)
        lines[origin] += [rrset.to_text() for rrset in node.values()]
        if owner == origin and dns.rdatatype.NS not in node:
            lines[origin].append(f"{origin} {world.ttl} IN NS {ANY_SERVER}")
    return {origin.to_text(): "\n".join(text) + "\n" for origin, text in lines.items()}


@asynccontextmanager
async def knot(files: Mapping[str, str], directory: Path, port: int) -> AsyncIterator[Running]:
    """A knot that serves these zones, once it answers."""
    need("knotd")
    directory.mkdir()
    entries = []
    for number, (origin, text) in enumerate(files.items()):
        (directory / f"{number}.zone").write_text(text)
        entries.append(f"  - domain: {origin}\n    file: {directory}/{number}.zone\n")
    config = directory / "knot.conf"
    config.write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {directory}\n"
        f"database:\n  storage: {directory}\n"
        "log:\n  - target: stderr\n    any: info\n"
        f"template:\n  - id: default\n    storage: {directory}\n    zonefile-sync: -1\n"
        f"zone:\n{''.join(entries)}"
    )
    async with running("knotd", "-c", config, output=directory / "knot.log") as process:
        await until(
            f"knot answers for all zones: {directory}/knot.log",
            lambda: _serve(list(files), port),
            seconds=15,
        )
        yield process


def signed(origin: str, text: str, *, expiration: datetime) -> tuple[str, str]:
    """A zone file with signatures that end then, made a week before, and the DS record of its key."""
    zone = dns.zone.from_text(text, origin, relativize=False)
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm = dns.dnssec.Algorithm.ECDSAP256SHA256
    key = dns.dnssec.make_dnskey(private.public_key(), algorithm, flags=257)
    with zone.writer() as transaction:
        dns.dnssec.sign_zone(
            zone,
            transaction,
            keys=[(private, key)],
            inception=min(datetime.now(UTC), expiration) - timedelta(days=7),
            expiration=expiration,
        )
    return zone.to_text(relativize=False), dns.dnssec.make_ds(origin, key, "SHA256").to_text()


@asynccontextmanager
async def unbound(
    stubs: Mapping[str, int], directory: Path, port: int, anchors: Sequence[str] = ()
) -> AsyncIterator[Running]:
    """A recursive resolver that finds each of these zones at a port of loopback, once it answers.

    It validates what is below the `anchors` (DS records), where there are any.
    """
    need("unbound")
    directory.mkdir()
    config = directory / "unbound.conf"
    config.write_text(
        "server:\n"
        f"  interface: 127.0.0.1@{port}\n"
        f'  directory: "{directory}"\n'
        '  pidfile: ""\n  username: ""\n  chroot: ""\n  logfile: ""\n  use-syslog: no\n'
        "  do-not-query-localhost: no\n  do-ip6: no\n"
        f'  module-config: "{"validator " if anchors else ""}iterator"\n  ede: yes\n'
        + "".join(f'  trust-anchor: "{anchor}"\n' for anchor in anchors)
        + "".join(f'  local-zone: "{zone}" nodefault\n' for zone in OF_DOCUMENTATION)
        + "remote-control:\n  control-enable: no\n"
        + "".join(
            f'stub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{stub}\n'
            for zone, stub in stubs.items()
        )
    )
    async with running("unbound", "-d", "-c", config, output=directory / "unbound.log") as process:
        await until(
            f"unbound answers: {directory}/unbound.log", lambda: _serve(["."], port), seconds=15
        )
        yield process


async def _serve(origins: list[str], port: int) -> bool:
    try:
        for origin in origins:
            query = dns.message.make_query(origin, "SOA")
            reply = await dns.asyncquery.udp(query, "127.0.0.1", port=port, timeout=1)
            if not reply.answer:
                return False
    except (OSError, dns.exception.DNSException):
        return False
    return True
