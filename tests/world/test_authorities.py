"""Authoritative servers asked themselves: real ones on loopback that say what the test says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import dns.flags
import dns.rcode
import pytest
from dns.message import Message

from monitor.check import DnsStatus
from monitor.world.dns.authorities import AuthorityWatch
from monitor.world.fake import FakeWorld
from monitor.world.guard import AddressGuard
from tests.world.loopback import DnsServer
from tests.world.test_dns import reply, says, silent, wire

RECORD = '_dmarc.example.com. 60 IN TXT "v=DMARC1; p=reject"'
OTHER = '_dmarc.example.com. 60 IN TXT "v=DMARC1; p=none"'

Start = Callable[..., Awaitable[AuthorityWatch]]


def authoritative(*lines: str, **how: object) -> Callable[[Message, str], list[bytes]]:
    def script(query: Message, transport: str) -> list[bytes]:
        assert not query.flags & dns.flags.RD, "an authoritative server is asked for its own data"
        response = reply(query, *lines, **how)
        response.flags |= dns.flags.AA
        return [wire(response, transport)]

    return script


@pytest.fixture
async def watch() -> AsyncIterator[Start]:
    """Starts a server for each script and gives what asks them; `fake` is what the resolver says."""
    servers: list[DnsServer] = []

    async def start(
        scripts: Mapping[str, Callable[[Message, str], list[bytes]]],
        allow: str = "127.0.0.0/8",
        **fake: object,
    ) -> AuthorityWatch:
        addresses: dict[str, str] = {}
        port = 0
        for number, (name, script) in enumerate(scripts.items(), start=1):
            server = DnsServer(script, port, f"127.0.0.{number}")
            await server.start()
            servers.append(server)
            addresses[name], port = server.host, server.port
        data = {"ns": {"example.com": tuple(scripts)}, "a": addresses} | fake
        guard = AddressGuard(allow=[allow], ports={53: port})
        return AuthorityWatch(resolver=FakeWorld(**data), guard=guard)

    yield start
    for server in servers:
        server.close()


TXT = {"_dmarc.example.com": "v=DMARC1; p=quarantine"}
"""What a resolver still has."""


async def test_what_all_servers_say_counts_before_what_a_resolver_still_has(watch: Start) -> None:
    authorities = await watch(
        {"ns1.x": authoritative(RECORD), "ns2.x": authoritative(RECORD)}, txt=TXT
    )
    answer = await authorities.ask("_dmarc.example.com", "TXT")
    assert answer.records == ("v=DMARC1; p=reject",)
    assert answer.disagreement == ""


async def test_servers_that_differ_are_told_and_change_nothing(watch: Start) -> None:
    authorities = await watch(
        {"ns1.x": authoritative(RECORD), "ns2.x": authoritative(OTHER)}, txt=TXT
    )
    answer = await authorities.ask("_dmarc.example.com", "TXT")
    assert answer.records == ("v=DMARC1; p=quarantine",)
    told = "ns1.x: v=DMARC1; p=reject; ns2.x: v=DMARC1; p=none"
    assert answer.disagreement == f"the name servers disagree: {told}"


async def test_a_record_that_only_one_server_lacks_is_a_disagreement(watch: Start) -> None:
    none = authoritative(rcode=3)
    authorities = await watch({"ns1.x": authoritative(RECORD), "ns2.x": none}, txt=TXT)
    answer = await authorities.ask("_dmarc.example.com", "TXT")
    told = "ns1.x: v=DMARC1; p=reject; ns2.x: no record"
    assert answer.disagreement == f"the name servers disagree: {told}"


@pytest.mark.parametrize(
    "deaf", [says(OTHER), authoritative(rcode=2), authoritative(rcode=5), lambda *_: [b"\x00" * 12]]
)
async def test_servers_that_cannot_tell_have_no_voice(watch: Start, deaf: object) -> None:
    """And what the others say otherwise than the resolver may be old: only time tells."""
    authorities = await watch({"ns1.x": deaf, "ns2.x": authoritative(RECORD)}, txt=TXT)
    answer = await authorities.ask("_dmarc.example.com", "TXT")
    assert (answer.records, answer.disagreement) == (("v=DMARC1; p=quarantine",), "")


async def test_the_resolver_counts_where_no_server_can_be_reached(watch: Start) -> None:
    authorities = await watch({"ns1.x": silent}, txt=TXT)
    answer = await authorities.ask("_dmarc.example.com", "TXT")
    assert answer.records == ("v=DMARC1; p=quarantine",)
    (said,) = await authorities.each("example.com", "_dmarc.example.com", "TXT")
    assert said.answer.status is DnsStatus.TIMEOUT


async def test_a_resolver_that_fails_is_not_overruled(watch: Start) -> None:
    authorities = await watch(
        {"ns1.x": authoritative(RECORD)}, fail={"_dmarc.example.com TXT": "servfail"}
    )
    answer = await authorities.ask("_dmarc.example.com", "TXT")
    assert answer.status is DnsStatus.SERVFAIL


async def test_an_alias_belongs_to_other_servers(watch: Start) -> None:
    alias = authoritative("s1._domainkey.example.com. 60 IN CNAME s1.platform.net.")
    authorities = await watch(
        {"ns1.x": alias},
        cname={"s1._domainkey.example.com": "s1.platform.net"},
        txt={"s1.platform.net": "v=DKIM1; p="},
    )
    answer = await authorities.ask("s1._domainkey.example.com", "TXT")
    assert answer.records == ("v=DKIM1; p=",)


async def test_servers_at_private_addresses_are_not_asked(watch: Start) -> None:
    authorities = await watch({"ns1.x": authoritative(RECORD)}, allow="192.0.2.0/24", txt=TXT)
    (said,) = await authorities.each("example.com", "_dmarc.example.com", "TXT")
    assert (said.answer.status, said.heard) == (DnsStatus.ERROR, False)
    assert "not a public address" in said.answer.reason
    assert (await authorities.ask("_dmarc.example.com", "TXT")).records == (
        "v=DMARC1; p=quarantine",
    )


async def test_whether_a_server_serves_the_zone_is_told(watch: Start) -> None:
    soa = "example.com. 60 IN SOA ns1.x. h.x. 7 1 1 1 1"
    authorities = await watch({"ns1.x": authoritative(soa), "ns2.x": says(soa), "ns3.x": silent})
    said = await authorities.each("example.com", "example.com", "SOA")
    assert [(one.server, one.authoritative, one.heard) for one in said] == [
        ("ns1.x", True, True),
        ("ns2.x", False, True),
        ("ns3.x", False, False),
    ]
    assert said[0].answer.records == ("ns1.x. h.x. 7 1 1 1 1",)


async def test_a_server_that_is_not_there_is_silent_too(watch: Start) -> None:
    authorities = await watch(
        {"ns1.x": silent},
        ns={"example.com": "ns2.x"},
        a={"ns2.x": "127.0.0.9"},  # nobody listens there
    )
    (said,) = await authorities.each("example.com", "example.com", "SOA")
    assert (said.answer.status, said.heard) == (DnsStatus.TIMEOUT, False)


async def test_a_server_that_does_not_know_edns_is_asked_without(watch: Start) -> None:
    def old(query: Message, transport: str) -> list[bytes]:
        if query.edns >= 0:
            return [wire(reply(query, rcode=dns.rcode.FORMERR), transport)]
        return authoritative(RECORD)(query, transport)

    authorities = await watch({"ns1.x": old}, txt=TXT)
    assert (await authorities.ask("_dmarc.example.com", "TXT")).records == ("v=DMARC1; p=reject",)


async def test_the_parents_referral_is_read_with_its_glue(watch: Start) -> None:
    def refers(query: Message, transport: str) -> list[bytes]:
        lines = ("example.com. 60 IN NS ns1.example.com.", "example.com. 60 IN NS ns2.x.")
        glue = "ns1.example.com. 60 IN A 192.0.2.53"
        return says(authority=lines, additional=(glue,))(query, transport)

    authorities = await watch({"a.gtld": refers}, ns={"com": "a.gtld"})
    delegation = await authorities.delegation("example.com")
    assert (delegation.parent, delegation.reason) == ("com", "")
    assert delegation.nameservers == ("ns1.example.com", "ns2.x")
    assert delegation.glue == {"ns1.example.com": ("192.0.2.53",)}


async def test_a_parent_that_does_not_answer_tells_nothing(watch: Start) -> None:
    authorities = await watch({"a.gtld": authoritative(rcode=5)}, ns={"com": "a.gtld"})
    delegation = await authorities.delegation("example.com")
    assert delegation.nameservers == ()
    assert "a.gtld" in delegation.reason
