"""Every incident of the default scenario is seen while it lasts, by a probe of the outside, and over after."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Never

import aiosmtplib
import dns.exception
import dns.message
import dns.rcode
import pytest
from cryptography import x509

from monitor.lab import DEFAULT_SCENARIO, Incident, Lab, ScenarioError, UnknownIncidentError
from monitor.lab.scenario_file import ScenarioFile
from tests.lab.asking import ask, document, values

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSAL = {"127.255.255.254"}
SHOP_MX = "127.0.1.10"
SECOND_MX = "127.0.1.11"
CANARY = "127.0.1.30"
STS_HOST = "mta-sts.shop.example"
STS_PATH = "/.well-known/mta-sts.txt"

Probe = Callable[[Lab], Awaitable[object]]


def record(name: str, rdtype: str) -> Probe:
    async def probe(lab: Lab) -> object:
        try:
            return await values(lab, name, rdtype)
        except EOFError:
            return "cut off"

    return probe


def of_servers(name: str, rdtype: str, *servers: str) -> Probe:
    """How many records each of the name servers gives."""

    async def probe(lab: Lab) -> object:
        replies = [await ask(lab, name, rdtype, server=server) for server in servers]
        return [len(reply.answer) for reply in replies]

    return probe


def text(name: str, part: str) -> Probe:
    """Whether each of the texts at a name has a part in it."""

    async def probe(lab: Lab) -> object:
        return {part in found for found in await values(lab, name, "TXT")}

    return probe


def serves(site: str, path: str, part: str) -> Probe:
    """Whether a site's document has a part in it; else what there is instead (`404`, `refused`)."""

    async def probe(lab: Lab) -> object:
        found = await document(lab, site, path)
        return part in found if "\n" in found else found

    return probe


def registered_days(domain: str) -> Probe:
    async def probe(lab: Lab) -> object:
        registration = json.loads(await document(lab, "rdap.example", f"/domain/{domain}"))
        ends = datetime.fromisoformat(registration["events"][-1]["eventDate"])
        return (ends - datetime.now(UTC)).days

    return probe


async def starttls_offered(lab: Lab) -> object:
    async with aiosmtplib.SMTP(
        hostname=SHOP_MX, port=lab.ports.smtp, start_tls=False, timeout=5
    ) as client:
        await client.ehlo()
        return client.supports_extension("starttls")


@asynccontextmanager
async def greeted_by_second_mx(
    lab: Lab,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, ssl.SSLContext]]:
    """A conversation after EHLO, and what TLS in it needs."""
    reader, writer = await asyncio.open_connection(SECOND_MX, lab.ports.smtp)
    try:
        await reader.readline()
        writer.write(b"EHLO probe\r\n")
        while (await reader.readline())[3:4] != b" ":
            pass
        yield reader, writer, ssl.create_default_context(cafile=lab.ca_file)
    finally:
        writer.transport.abort()


async def reply_to_starttls(lab: Lab) -> object:
    """What the second MX says in plaintext when STARTTLS is asked for, and whether TLS comes about then."""
    async with greeted_by_second_mx(lab) as (reader, writer, context):
        writer.write(b"STARTTLS\r\n")
        said = (await reader.read(4096)).count(b"\r\n")
        try:
            await asyncio.wait_for(writer.start_tls(context, server_hostname="mx2.shop.example"), 1)
        except TimeoutError:
            return said, "silence"
        return said, "TLS"


async def _tls(
    lab: Lab, host: str = SHOP_MX, name: str | None = "mx1.shop.example", port: str = "smtps"
) -> ssl.SSLObject:
    """A session with a host; without a name any that the certificate has will do."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    context.check_hostname = name is not None
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    _, writer = await asyncio.open_connection(
        host, getattr(lab.ports, port), ssl=context, server_hostname=name
    )
    try:
        return writer.get_extra_info("ssl_object")
    finally:
        writer.transport.abort()


async def replies_inside_tls(lab: Lab) -> object:
    """The codes that the second MX answers with inside TLS, where NOOP came before and QUIT in it."""
    async with greeted_by_second_mx(lab) as (reader, writer, context):
        writer.write(b"STARTTLS\r\nNOOP\r\n")
        await reader.readline()
        await writer.start_tls(context, server_hostname="mx2.shop.example")
        writer.write(b"QUIT\r\n")
        return [line[:3] for line in (await reader.read()).splitlines()]


async def reply_to_a_stranger(lab: Lab) -> object:
    """What the first MX says to mail from elsewhere to elsewhere."""
    async with aiosmtplib.SMTP(
        hostname=SHOP_MX, port=lab.ports.smtp, start_tls=False, timeout=5
    ) as client:
        await client.mail("a@other.example")
        reply = await client.execute_command(b"RCPT", b"TO:<b@elsewhere.example>")
        return str(reply.code)


async def login_offered(lab: Lab) -> object:
    """Whether the first MX offers AUTH before TLS."""
    async with aiosmtplib.SMTP(
        hostname=SHOP_MX, port=lab.ports.submission, start_tls=False, timeout=5
    ) as client:
        await client.ehlo()
        return client.supports_extension("auth")


def accepts(*, newest: str, ciphers: str) -> Probe:
    """Whether the first MX shakes hands with a client that can do no more than this."""

    async def probe(lab: Lab) -> object:
        context = ssl.create_default_context(cafile=lab.ca_file)
        context.set_ciphers(ciphers)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion[newest]
        try:
            _, writer = await asyncio.open_connection(
                SHOP_MX, lab.ports.smtps, ssl=context, server_hostname="mx1.shop.example"
            )
        except (ssl.SSLError, ConnectionError):
            return False
        writer.transport.abort()
        return True

    return probe


async def names_in_certificate(lab: Lab) -> object:
    der = (await _tls(lab, "127.0.1.20", None)).getpeercert(binary_form=True)
    assert der is not None
    extensions = x509.load_der_x509_certificate(der).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names.get_values_for_type(x509.DNSName))


def certificate_days(host: str, name: str, port: str = "smtps") -> Probe:
    async def probe(lab: Lab) -> object:
        der = (await _tls(lab, host, name, port)).getpeercert(binary_form=True)
        assert der is not None
        left = x509.load_der_x509_certificate(der).not_valid_after_utc - datetime.now(UTC)
        return left.days

    return probe


async def tls_version(lab: Lab) -> object:
    return (await _tls(lab)).version()


def connects(host: str, port: str) -> Probe:
    async def probe(lab: Lab) -> object:
        try:
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(host, getattr(lab.ports, port))
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            return "silence"
        writer.transport.abort()
        return True

    return probe


def hears(server: str, name: str) -> Probe:
    """Whether a name server answers about a name at all."""

    async def probe(lab: Lab) -> object:
        try:
            return bool((await ask(lab, name, "SOA", server=server)).answer)
        except dns.exception.Timeout:
            return False

    return probe


async def answers(lab: Lab) -> object:
    """How many of 40 questions are answered, in tens, and whether one of them by a failure."""
    outcomes = await asyncio.gather(
        *(ask(lab, "canary-1.example", "A") for _ in range(40)), return_exceptions=True
    )
    heard = [each for each in outcomes if isinstance(each, dns.message.Message)]
    assert all(isinstance(each, dns.message.Message | dns.exception.Timeout) for each in outcomes)
    return len(heard) // 10, any(each.rcode() == dns.rcode.SERVFAIL for each in heard)


async def silent(lab: Lab) -> object:
    return (await answers(lab)) == (0, False)


DMARC = '"v=DMARC1; p={0}; sp={0};{1} rua=mailto:dmarc@shop.example"'
REJECT = {DMARC.format("reject", " adkim=s;")}
SPF = '"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx {}all"'
VERIFICATION = '"verification=0a1b2c3d4e5f"'
IPV6_REVERSED = ip_address("2001:db8::10").reverse_pointer.removesuffix(".ip6.arpa")
SHOP_MXS = {"10 mx1.shop.example.", "20 mx2.shop.example."}
NEWS_SOA = {"ns1.dns.example. hostmaster.news.example. 2026110101 3600 600 604800 2"}
TLSA = {
    "3 1 1 dc0ce633dbcc913dafafa4b89ac44d8ce683fdfc3f60c8bdf21213b9f2b534ba",
    "3 1 1 3eab3fba5026b61d007cbf411b90f3c88ff89cf0a8088cbbfc3eaaca867dd663",
}
STALE_TLSA = {"3 1 1 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
SEEN = [
    ("address-listed", record("10.2.0.192.zen.lab.example", "A"), "NXDOMAIN", {"127.0.0.2"}),
    ("domain-listed", record("shop.example.dbl.lab.example", "A"), "NXDOMAIN", {"127.0.1.2"}),
    ("dmarc-weakened", record("_dmarc.shop.example", "TXT"), REJECT, {DMARC.format("none", "")}),
    ("dmarc-vanished", record("_dmarc.shop.example", "TXT"), REJECT, "NODATA"),
    ("dmarc-garbled", text("_dmarc.news.example", "rua=mailto:"), {True}, {False}),
    (
        "dmarc-disagreed",
        of_servers("_dmarc.shop.example", "TXT", "127.0.1.53", "127.0.1.54"),
        [1, 1],
        [1, 0],
    ),
    (
        "dmarc-reports-refused",
        record("news.example._report._dmarc.shop.example", "TXT"),
        {'"v=DMARC1"'},
        "NXDOMAIN",
    ),
    ("dkim-key-revoked", text("s1._domainkey.shop.example", "p=MII"), {True}, {False}),
    ("dkim-key-testing", text("s2._domainkey.shop.example", "; t=y;"), {False}, {True}),
    ("spf-doubled", text("news.example", "sendgrid.net"), {True}, {True, False}),
    ("spf-sender-dropped", text("shop.example", "192.0.2.10"), {True, False}, {False}),
    ("mx-host-dead", record("mx3.shop.example", "A"), "NXDOMAIN", "NXDOMAIN"),
    (
        "mx-host-dead",
        record("shop.example", "MX"),
        SHOP_MXS,
        {"10 mx1.shop.example.", "20 mx2.shop.example.", "30 mx3.shop.example."},
    ),
    (
        "address-suspicious",
        record(f"{IPV6_REVERSED}.zen.lab.example", "A"),
        "NXDOMAIN",
        {"127.0.0.20"},
    ),
    ("domain-abused", record("news.example.dbl.lab.example", "A"), "NXDOMAIN", {"127.0.1.102"}),
    ("certificate-expiring", certificate_days(SHOP_MX, "mx1.shop.example"), 59, 1),
    ("certificate-ageing", certificate_days(SECOND_MX, "mx2.shop.example"), 59, 13),
    ("certificate-misnamed", names_in_certificate, {"mx.news.example"}, {"other.example"}),
    ("starttls-injection", reply_to_starttls, (1, "TLS"), (2, "TLS")),
    ("starttls-buffered", replies_inside_tls, [b"221"], [b"250", b"221"]),
    ("open-relay", reply_to_a_stranger, "550", "250"),
    ("tls-old-accepted", accepts(newest="TLSv1", ciphers="DEFAULT@SECLEVEL=0"), False, True),
    ("cipher-null-accepted", accepts(newest="TLSv1_2", ciphers="NULL:@SECLEVEL=0"), False, True),
    ("login-before-tls", login_offered, False, True),
    ("mx-stalled", reply_to_starttls, (1, "TLS"), (1, "silence")),
    ("mx-unusable", record("gone.news.example", "A"), "NXDOMAIN", "NXDOMAIN"),
    (
        "mx-unusable",
        record("news.example", "MX"),
        {"10 mx.news.example."},
        {"10 gone.news.example."},
    ),
    (
        "spf-softened",
        record("shop.example", "TXT"),
        {VERIFICATION, SPF.format("-")},
        {VERIFICATION, SPF.format("~")},
    ),
    (
        "reverse-dns-missing",
        record("10.2.0.192.in-addr.arpa", "PTR"),
        {"mta1.shop.example."},
        "NXDOMAIN",
    ),
    (
        "reverse-dns-generic",
        record("20.100.51.198.in-addr.arpa", "PTR"),
        {"o1.news.example."},
        {"dsl-20.news.example."},
    ),
    ("reverse-dns-generic", record("dsl-20.news.example", "A"), "NXDOMAIN", {"198.51.100.20"}),
    (
        "single-name-server",
        record("shop.example", "NS"),
        {"ns1.dns.example.", "ns2.dns.example."},
        {"ns1.dns.example."},
    ),
    ("starttls-withdrawn", starttls_offered, True, False),
    ("tls-outdated", tls_version, "TLSv1.3", "TLSv1"),
    ("mx-down", connects(SHOP_MX, "smtp"), True, False),
    ("mx-down", connects(SECOND_MX, "smtp"), True, True),
    ("port25-blocked", connects(CANARY, "smtp"), True, False),
    ("port25-blocked", connects(SHOP_MX, "smtps"), True, True),
    (
        "ns-unresolvable",
        record("shop.example", "NS"),
        {"ns1.dns.example.", "ns2.dns.example."},
        "SERVFAIL",
    ),
    ("ns-unresolvable", record("canary-1.example", "A"), {"127.0.1.30"}, {"127.0.1.30"}),
    ("resolver-dead", silent, False, True),
    ("network-down", silent, False, True),
    ("network-down", connects(CANARY, "https"), False, "silence"),
    ("mta-sts-outdated", serves(STS_HOST, STS_PATH, "mx: mx1.shop"), True, False),
    ("mta-sts-weakened", serves(STS_HOST, STS_PATH, "mode: enforce"), True, False),
    ("mta-sts-weakened", text("_mta-sts.shop.example", "20261124"), {True}, {False}),
    ("mta-sts-host-failing", serves(STS_HOST, STS_PATH, "STSv1"), True, "503"),
    (
        "mta-sts-doubled",
        record("_mta-sts.news.example", "TXT"),
        "NXDOMAIN",
        {'"v=STSv1; id=1"', '"v=STSv1; id=2"'},
    ),
    ("tls-reports-lost", text("_smtp._tls.shop.example", "tls@shop.example"), {True}, {False}),
    (
        "click-host-dangling",
        record("click.news.example", "CNAME"),
        {"u1234.ct.sendgrid.net."},
        {"u9999.ct.sendgrid.net."},
    ),
    ("click-host-dangling", record("u9999.ct.sendgrid.net", "A"), "NXDOMAIN", "NXDOMAIN"),
    (
        "link-certificate-ageing",
        certificate_days("127.0.1.64", "links.shop.example", "https"),
        59,
        13,
    ),
    ("logo-host-down", serves("brand.shop.example", "/logo.svg", "tiny-ps"), True, "refused"),
    ("bimi-record-invalid", text("default._bimi.news.example", "l=https://"), {True}, {False}),
    ("domain-expiring", registered_days("shop.example"), 299, 1),
    ("domain-ageing", registered_days("news.example"), 199, 20),
    ("dnssec-bogus", record("shop.example", "MX"), SHOP_MXS, "SERVFAIL"),
    ("dnssec-bogus", of_servers("shop.example", "MX", "127.0.1.53"), [1], [1]),
    ("dane-mismatch", record("_25._tcp.mx2.shop.example", "TLSA"), TLSA, STALE_TLSA),
    ("dane-unsigned", record("_25._tcp.mx.news.example", "TLSA"), "NXDOMAIN", STALE_TLSA),
    ("name-server-silent", record("news.example", "SOA"), NEWS_SOA, NEWS_SOA),
    ("name-server-silent", hears("127.0.1.54", "news.example"), True, False),
    ("parked-opened", text("parked.example", "-all"), {True}, {False}),
    ("network-down", serves(STS_HOST, STS_PATH, "STSv1"), True, "silence"),
    ("network-down", connects(SHOP_MX, "smtp"), True, "silence"),
    ("resolver-lossy", answers, (4, False), (2, True)),
    (
        "blocklist-lists-everyone",
        record("1.0.0.127.traps.lab.example", "A"),
        "NXDOMAIN",
        {"127.0.0.2"},
    ),
    (
        "blocklist-emptied",
        record("2.0.0.127.traps.lab.example", "A"),
        {"127.0.0.2"},
        "NODATA",
    ),
    ("blocklist-silent", hears("127.0.0.1", "traps.lab.example"), True, False),
    (
        "resolver-refusing-blocklists",
        record("2.0.0.127.zen.lab.example", "A"),
        {"127.0.0.2"},
        REFUSAL,
    ),
    ("resolver-refusing-blocklists", record("test.dbl.lab.example", "A"), {"127.0.0.2"}, REFUSAL),
]


@pytest.mark.parametrize(("name", "probe", "before", "during"), SEEN)
async def test_an_incident_is_seen_while_it_lasts(
    lab: Lab, name: str, probe: Probe, before: object, during: object
) -> None:
    assert await probe(lab) == before
    await lab.start_incident(name)
    try:
        assert await probe(lab) == during
    finally:
        await lab.end_incident(name)
    assert await probe(lab) == before


async def test_every_incident_has_a_test() -> None:
    in_traffic_tests = {"bounce-spike", "hook-secret-wrong"}
    assert {name for name, *_ in SEEN} | in_traffic_tests == set(
        ScenarioFile(DEFAULT_SCENARIO).base.incidents
    )


async def test_incidents_compose_and_end_in_any_order(lab: Lab) -> None:
    probe = record("_dmarc.shop.example", "TXT")
    listed = record("10.2.0.192.zen.lab.example", "A")
    for name in ("dmarc-weakened", "address-listed", "dmarc-vanished", "dmarc-vanished"):
        await lab.start_incident(name)
    assert await probe(lab) == "NODATA"
    assert await listed(lab) == {"127.0.0.2"}
    await lab.end_incident("dmarc-vanished")
    assert await probe(lab) == {DMARC.format("none", "")}
    await lab.end_incident("dmarc-weakened")
    await lab.end_incident("dmarc-weakened")
    assert await probe(lab) == REJECT
    assert await listed(lab) == {"127.0.0.2"}
    await lab.end_incident("address-listed")
    assert await listed(lab) == "NXDOMAIN"


async def test_a_host_that_goes_down_cuts_its_conversations(lab: Lab) -> Never:
    reader, writer = await asyncio.open_connection(SHOP_MX, lab.ports.smtp)
    assert (await reader.readline()).startswith(b"220 ")
    await lab.start_incident("mx-down")
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    await lab.end_incident("mx-down")
    writer.close()


async def test_an_incident_of_ones_own(lab: Lab) -> None:
    moved = Incident(
        description="moved",
        world={"zones": {"shop.example": {"www": {"CNAME": None, "A": "127.0.1.99"}}}},
    )
    await lab.start_incident("moved", moved)
    assert await values(lab, "www.shop.example", "A") == {"127.0.1.99"}
    await lab.end_incident("moved")
    assert await values(lab, "www.shop.example", "A") == {"127.0.1.80"}
    with pytest.raises(UnknownIncidentError):
        await lab.end_incident("moved")


@pytest.mark.parametrize(
    ("incident", "message"),
    [
        ({"world": {"zones": {"shop.example": {"@": {"MX": "mx1"}}}}}, "zones.shop.example.@: "),
        ({"world": {"hosts": {"mx1.shop.example": {"manner": "kind"}}}}, "manner"),
        ({"world": {"hosts": {"new.example": {"address": "192.0.2.1"}}}}, "127.0.0.0/8"),
        ({"world": {"traffic": {"shop": None}}}, "cannot add or remove"),
        ({"world": {"nameservers": {"ns1.dns.example": None}}}, "name servers stay"),
        ({"on_end": {"nothing": {"messages": 1}}}, "no such flow of traffic: nothing"),
    ],
)
async def test_an_incident_that_does_not_fit_changes_nothing(
    lab: Lab, incident: dict[str, Any], message: str
) -> None:
    world = lab.world
    with pytest.raises(ScenarioError, match=message):
        await lab.start_incident("odd", Incident(description="odd", **incident))
    assert lab.world is world
    assert not lab.is_on("odd")


async def test_an_unknown_incident(lab: Lab) -> None:
    with pytest.raises(UnknownIncidentError):
        await lab.start_incident("nothing-like-it")
