"""The lab's servers and Debian's tell the checks the same."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
import yaml

from checks.blocklist.check import BlocklistCheck
from checks.blocklist.settings import BlocklistSettings
from checks.smtp.check import SmtpCheck, SmtpSettings
from checks.smtp_audit.check import SmtpAuditCheck, SmtpAuditSettings
from monitor.check import World
from monitor.lab import Lab
from monitor.lab.certificates import open_authority
from monitor.model import AddressTarget, DomainTarget, HostTarget, Outcome, Target
from monitor.world.clock import SystemClock
from monitor.world.dns.resolver import Resolver
from monitor.world.egress import EgressEvidence
from monitor.world.fake import FakeWorld
from monitor.world.guard import AddressGuard
from monitor.world.smtp import SmtpProber
from monitor.world.smtp_audit import SmtpAuditProber
from monitor.world.tls import TrustStore
from tests.checks.debian_servers import open_folder, postfix, rbldnsd

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """The lab with the shop's address and domain listed; no daemon listens."""
    directory: Path = tmp_path_factory.mktemp("lab")
    async with Lab(directory=directory, listen="127.0.0.1:9") as running:
        for incident in ("address-listed", "domain-listed"):
            await running.start_incident(incident)
        yield running


RESOLVERS: list[Resolver] = []


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def resolvers_closed() -> AsyncIterator[None]:
    """What a test leaves open would be complained of in the middle of another."""
    yield
    while RESOLVERS:
        await RESOLVERS.pop().aclose()


def world(*, dns_port: int | None = None, **smtp: Any) -> World:
    """A world whose DNS, or whose SMTP, is real."""
    fake = FakeWorld().world()
    if dns_port is None:
        return replace(fake, smtp=SmtpProber(clock=SystemClock(), **smtp), clock=SystemClock())
    resolver = Resolver(clock=fake.clock, nameservers=[f"127.0.0.1:{dns_port}"], timeout=1)
    RESOLVERS.append(resolver)
    view = resolver.per_look()
    return replace(fake, dns=view, zones=view.keeping_nothing())


def told(outcome: Outcome) -> Any:
    """What was learnt, without words, times and what servers of any kind are free to offer."""
    looks = {
        look.subject: (
            look.state,
            [(f.code, f.severity) for f in look.findings],
            [(s.gauge, dict(s.labels), s.value) for s in look.samples],
        )
        for look in outcome.looks
    }
    samples = {
        (s.gauge, *s.labels.values()): s.value
        for s in outcome.samples
        if not s.gauge.endswith(("_seconds", "_offered", "_bytes"))
    }
    return looks, samples, outcome.failure


# --- blocklists ---------------------------------------------------------------------------------------

ZONES = ("zen.lab.example", "dbl.lab.example")
RBLDNSD = {
    "zen.lab.example": {
        "ip4set": (
            "127.0.0.2 :2:Test entry\n192.0.2.10 :2:listed\n203.0.113.40 :127.0.0.10:policy"
        ),
        "ip6trie": "::ffff:7f00:2 :2:Test entry",
    },
    "dbl.lab.example": {"dnset": "test :2:Test entry\nshop.example :127.0.1.2:listed"},
}
TARGETS: list[Target] = [
    AddressTarget(ip_address("192.0.2.10"), "shop.example"),
    AddressTarget(ip_address("203.0.113.40"), "weak.example"),
    AddressTarget(ip_address("198.51.100.20"), "news.example"),
    AddressTarget(ip_address("2001:db8::10"), "shop.example"),
    DomainTarget("shop.example"),
    DomainTarget("news.example"),
]
LISTED = {"192.0.2.10", "203.0.113.40", "shop.example"}


@pytest.fixture(scope="module")
def rbldnsd_port() -> Iterator[int]:
    with rbldnsd(RBLDNSD) as port:
        yield port


def blocklists(lab: Lab, *zones: str) -> BlocklistCheck:
    """The check as the lab's configuration makes it."""
    configured = yaml.safe_load(lab.config_path.read_text())["checks"]["blocklist"]
    settings = {"catalogue": configured["catalogue"], "zones": zones}
    return BlocklistCheck(BlocklistSettings.model_validate(settings))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
async def test_rbldnsd_and_the_lab_list_the_same(lab: Lab, rbldnsd_port: int, target: Any) -> None:
    ours = await blocklists(lab, *ZONES).run(target, world(dns_port=lab.ports.dns))
    theirs = await blocklists(lab, *ZONES).run(target, world(dns_port=rbldnsd_port))
    assert told(ours) == told(theirs)
    assert all(look.state == "known" for look in theirs.looks)
    assert bool([f for look in theirs.looks for f in look.findings]) is (target.name in LISTED)


BAD_ZONES = {
    "refusing.lab.example": "refuses this resolver",
    "dead.lab.example": "it lists everyone",
    "silent.lab.example": "does not answer",
    "parking.lab.example": "no blocklist's",
}


@pytest.mark.parametrize(("zone", "reason"), BAD_ZONES.items())
async def test_a_zone_that_cannot_be_believed_lists_nobody(
    lab: Lab, zone: str, reason: str
) -> None:
    outcome = await blocklists(lab, zone).run(TARGETS[0], world(dns_port=lab.ports.dns))
    (look,) = outcome.looks
    assert (look.state, look.findings) == ("unknown", ())
    assert reason in look.reason


async def test_rbldnsd_that_lists_the_world_lists_nobody(lab: Lab) -> None:
    with rbldnsd(
        {"zen.lab.example": {"ip4set": "127.0.0.0/8\n192.0.2.0/24\n198.51.100.0/24"}}
    ) as port:
        outcome = await blocklists(lab, "zen.lab.example").run(TARGETS[0], world(dns_port=port))
    assert "it lists everyone" in outcome.looks[0].reason


# --- mail hosts ---------------------------------------------------------------------------------------

_PLAIN = {"smtpd_tls_security_level": "none"}
_TLS10 = {"smtpd_tls_protocols": ">=TLSv1, <=TLSv1"}
_TLS13 = {"smtpd_tls_protocols": ">=TLSv1.3"}
HOSTS: dict[str, tuple[dict[str, str], dict[str, Any], list[str]]] = {
    # host of the lab: postfix's settings, its certificate, the codes that are expected
    "good.hosts.example": (_TLS13, {}, []),
    "plain.hosts.example": (_PLAIN, {}, ["starttls_missing"]),
    "tls10.hosts.example": (_TLS10, {}, ["tls_outdated"]),
    "expired.hosts.example": ({}, {"days": -3}, ["certificate_expired"]),
    "expiring.hosts.example": ({}, {"days": 5}, ["certificate_expiring"]),
    "wrongname.hosts.example": ({}, {"name": "other.example"}, ["certificate_name_mismatch"]),
    "selfsigned.hosts.example": ({}, {"foreign": True}, ["certificate_untrusted"]),
}


def chain_file(folder: Path, host: str, authority: trustme.CA, wanted: dict[str, Any]) -> Path:
    """Key and certificate of a host in a file."""
    issuer = trustme.CA() if wanted.get("foreign") else authority
    not_after = datetime.now(UTC) + timedelta(days=wanted.get("days", 60))
    leaf = issuer.issue_cert(wanted.get("name", host), not_after=not_after)
    path = folder / f"{host}.pem"
    leaf.private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def postfix_ports(lab: Lab) -> Iterator[dict[str, int]]:
    authority = open_authority(lab.directory)
    with open_folder() as folder:
        services = {
            host: {**over, "smtpd_tls_chain_files": str(chain_file(folder, host, authority, own))}
            for host, (over, own, _) in HOSTS.items()
        }
        with postfix(services) as ports:
            yield ports


@pytest.mark.parametrize("host", HOSTS)
async def test_postfix_and_the_lab_are_judged_the_same(
    lab: Lab, postfix_ports: dict[str, int], host: str
) -> None:
    outcomes = []
    for address, port in (
        (str(lab.world.hosts[host].address), lab.ports.smtp),
        ("127.0.0.1", postfix_ports[host]),
    ):
        guard = AddressGuard(allow=["127.0.0.0/8"], ports={25: port})
        outside = world(
            guard=guard,
            evidence=EgressEvidence(clock=SystemClock()),
            store=TrustStore.of_system(lab.ca_file),
            helo="monitor.shop.example",
        )
        outside = replace(outside, dns=FakeWorld(a={host: address}))
        outcomes.append(
            await SmtpCheck(SmtpSettings()).run(HostTarget(host, 25, "hosts.example"), outside)
        )
    ours, theirs = (
        ([(f.code, f.severity) for look in o.looks for f in look.findings], told(o)[1:])
        for o in outcomes
    )
    assert ours == theirs
    assert [code for code, _ in theirs[0]] == HOSTS[host][2]


# --- our own mail hosts, tried out --------------------------------------------------------------------

_CLOSED = {"mynetworks": "192.0.2.0/24", "smtpd_tls_protocols": ">=TLSv1.2"}
AUDITED: dict[str, tuple[dict[str, str], list[str]]] = {
    # name: postfix's settings, the codes that are expected
    "closed": (_CLOSED, []),
    "everybody is trusted": ({**_CLOSED, "mynetworks": "0.0.0.0/0"}, ["open_relay"]),
    "every recipient is welcome": (
        {
            **_CLOSED,
            "smtpd_relay_restrictions": "",
            "smtpd_recipient_restrictions": "check_recipient_access static:OK, reject",
        },
        ["open_relay"],
    ),
    "old versions": ({**_CLOSED, "smtpd_tls_protocols": ">=TLSv1"}, ["tls_outdated"]),
    "weak suites": ({**_CLOSED, "tls_medium_cipherlist": "ALL:eNULL:@SECLEVEL=0"}, ["cipher_weak"]),
    "no TLS": ({**_CLOSED, **_PLAIN}, []),
}
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")


@pytest.fixture(scope="module")
def audited_folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def audited_ports(audited_folder: Path, lab: Lab) -> Iterator[dict[str, int]]:
    chain = chain_file(audited_folder, "mx.example.com", open_authority(lab.directory), {})
    services = {
        name: {**settings, "smtpd_tls_chain_files": str(chain)}
        for name, (settings, _) in AUDITED.items()
    }
    with postfix(services, audited_folder) as ports:
        yield ports


@pytest.mark.parametrize("name", AUDITED)
async def test_postfix_is_audited_and_no_mail_is_sent(
    audited_ports: dict[str, int], audited_folder: Path, name: str
) -> None:
    auditor = SmtpAuditProber(
        guard=AddressGuard(allow=["127.0.0.0/8"], ports={25: audited_ports[name]}),
        evidence=EgressEvidence(clock=SystemClock()),
        helo="monitor.shop.example",
    )
    outside = replace(FakeWorld().world(), smtp_audit=auditor)
    target = HostTarget("127.0.0.1", 25, "example.com", own=True)
    outcome = await SmtpAuditCheck(SmtpAuditSettings(relay="always")).run(target, outside)
    assert outcome.failure is None
    assert [look.reason for look in outcome.looks if look.state != "known"] == []
    assert [f.code for look in outcome.looks for f in look.findings] == AUDITED[name][1]
    queued = [path for q in QUEUES for path in (audited_folder / "spool" / q).rglob("*")]
    assert [path for path in queued if path.is_file()] == []
    log = (audited_folder / "log").read_text()
    assert "connect from" in log
    assert "data=" not in log
    assert "from=<relay-test@example.com>, size=" not in log
