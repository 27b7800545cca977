import asyncio

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import pytest

from monitor.lab import Lab
from tests.lab.asking import ask, values

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRUTH = [
    ("shop.example", "MX", {"10 mx1.shop.example.", "20 mx2.shop.example."}),
    ("shop.example", "NS", {"ns1.dns.example.", "ns2.dns.example."}),
    ("SHOP.Example", "A", {"127.0.1.80"}),
    ("nothing.shop.example", "TXT", "NXDOMAIN"),
    ("shop.example", "AAAA", "NODATA"),
    # Above an existing name, so it exists (RFC 8020).
    ("_domainkey.shop.example", "TXT", "NODATA"),
    ("www.shop.example", "A", {"127.0.1.80"}),
    # An alias into another zone.
    ("em.news.example", "MX", {"10 mx.sendgrid.net."}),
    ("parked.example", "MX", {"0 ."}),
    # A host brings its A and PTR records, forward-confirmed.
    ("mx1.shop.example", "A", {"127.0.1.10"}),
    ("10.1.0.127.in-addr.arpa", "PTR", {"mx1.shop.example."}),
    ("10.2.0.192.in-addr.arpa", "PTR", {"mta1.shop.example."}),
    (
        "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "PTR",
        {"mta1.shop.example."},
    ),
    ("mta1.shop.example", "AAAA", {"2001:db8::10"}),
    ("canary-1.example", "A", {"127.0.1.30"}),
    ("anything.invalid", "A", "NXDOMAIN"),
    ("a.name.of.the.real.internet.com", "A", "NXDOMAIN"),
    # Blocklists prove themselves (RFC 5782 §5) ...
    ("2.0.0.127.zen.lab.example", "A", {"127.0.0.2"}),
    ("1.0.0.127.zen.lab.example", "A", "NXDOMAIN"),
    (
        "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.lab.example",
        "A",
        {"127.0.0.2"},
    ),
    (
        "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.lab.example",
        "A",
        "NXDOMAIN",
    ),
    ("test.dbl.lab.example", "A", {"127.0.0.2"}),
    ("invalid.dbl.lab.example", "A", "NXDOMAIN"),
    ("2.0.0.127.zen.lab.example", "TXT", {'"Test entry (RFC 5782 section 5)"'}),
    ("40.113.0.203.zen.lab.example", "A", {"127.0.0.10"}),
    ("10.2.0.192.zen.lab.example", "A", "NXDOMAIN"),
    # ... or misbehave as the real ones do.
    ("2.0.0.127.dbl.lab.example", "A", {"127.0.1.255"}),
    ("10.2.0.192.refusing.lab.example", "A", {"127.255.255.254"}),
    ("1.0.0.127.dead.lab.example", "A", {"127.0.0.2"}),
    ("10.2.0.192.parking.lab.example", "A", {"203.0.113.9"}),
    ("any.refused.hostile.example", "A", "REFUSED"),
    ("failing.hostile.example", "A", "SERVFAIL"),
    ("x.rewritten.hostile.example", "A", {"203.0.113.9"}),
]


@pytest.mark.parametrize(("name", "rdtype", "expected"), TRUTH)
async def test_a_question_has_one_answer(
    lab: Lab, name: str, rdtype: str, expected: str | set[str]
) -> None:
    assert await values(lab, name, rdtype) == expected


@pytest.mark.parametrize("name", ["nothing.shop.example", "_domainkey.shop.example"])
async def test_absence_comes_with_the_zones_soa(lab: Lab, name: str) -> None:
    (soa,) = (await ask(lab, name, "TXT")).authority
    assert soa.name.to_text() == "shop.example."
    assert soa[0].minimum == 2


async def test_a_loop_of_aliases_is_shown_and_ends(lab: Lab) -> None:
    response = await ask(lab, "loop.hostile.example", "A")
    assert [rrset[0].target.to_text() for rrset in response.answer] == [
        "loop2.hostile.example.",
        "loop.hostile.example.",
    ]


async def test_txt_is_cut_into_strings_and_keeps_every_octet(lab: Lab) -> None:
    (rrset,) = (await ask(lab, "s1._domainkey.shop.example", "TXT", edns=1232)).answer
    assert [len(string) for string in rrset[0].strings] == [255, 155]
    hostile = await ask(lab, "hostile.example", "TXT", edns=1232)
    texts = {b"".join(rdata.strings) for rdata in hostile.answer[0]}
    assert any(b"\x1b[31mred" in text and b"\x00\x07" in text for text in texts)
    assert b"\xff\xff\xff\xfe\x00\xff\xfe\xff\xc0\x80" in texts


@pytest.mark.parametrize(
    ("name", "edns", "truncated"),
    [
        ("long.hostile.example", 0, True),
        ("long.hostile.example", 1232, True),
        ("long.hostile.example", 4096, True),
        ("hostile.example", 0, False),
        ("s1._domainkey.shop.example", 0, False),
        ("truncated.hostile.example", 1232, True),
        ("huge.hostile.example", 1232, True),
    ],
)
async def test_what_does_not_fit_is_truncated_and_whole_over_tcp(
    lab: Lab, name: str, edns: int, truncated: bool
) -> None:
    by_udp = await ask(lab, name, "TXT", edns=edns)
    assert bool(by_udp.flags & dns.flags.TC) is truncated
    assert bool(by_udp.answer) is not truncated
    by_tcp = await ask(lab, name, "TXT", edns=edns, tcp=True)
    assert by_tcp.answer
    assert not by_tcp.flags & dns.flags.TC


async def test_a_huge_rrset_has_a_thousand_records(lab: Lab) -> None:
    assert len(await values(lab, "huge.hostile.example", "TXT")) == 1000


@pytest.mark.parametrize("name", ["dropped.hostile.example", "2.0.0.127.silent.lab.example"])
async def test_silence_is_silence(lab: Lab, name: str) -> None:
    with pytest.raises(dns.exception.Timeout):
        await ask(lab, name, "A")


async def test_garbage_comes_before_the_right_answer(lab: Lab) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            heard.put_nowait(data)

    query = dns.message.make_query("garbage.hostile.example", "A")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Ear, remote_addr=lab.resolver
    )
    transport.sendto(query.to_wire())
    async with asyncio.timeout(5):
        wrong_id, malformed, right = [await heard.get() for _ in range(3)]
    transport.close()
    assert dns.message.from_wire(wrong_id).id != query.id
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(malformed)
    assert query.is_response(dns.message.from_wire(right))


async def test_an_answer_of_another_class_is_none(lab: Lab) -> None:
    (rrset,) = (await ask(lab, "wrong-class.hostile.example", "TXT")).answer
    assert rrset.rdclass == dns.rdataclass.CH


async def test_a_name_that_points_at_itself_cannot_be_read(lab: Lab) -> None:
    with pytest.raises(dns.name.BadPointer):
        await ask(lab, "pointer-loop.hostile.example", "TXT", tcp=True)


@pytest.mark.parametrize(("name", "strings"), [("large-text", 253), ("many-strings", 32_500)])
async def test_a_text_may_be_as_large_as_a_message(lab: Lab, name: str, strings: int) -> None:
    assert (await ask(lab, f"{name}.hostile.example", "TXT", edns=1232)).flags & dns.flags.TC
    (rrset,) = (await ask(lab, f"{name}.hostile.example", "TXT", tcp=True)).answer
    assert len(rrset[0].strings) == strings
    assert len(rrset[0].to_wire()) > 64_000


async def test_what_does_not_fit_may_not_be_had_over_tcp_either(lab: Lab) -> None:
    name = "udp-only.hostile.example"
    assert (await ask(lab, name, "TXT")).flags & dns.flags.TC
    with pytest.raises(EOFError):
        await ask(lab, name, "TXT", tcp=True)


async def test_a_forged_answer_comes_from_another_port_before_the_true_one(lab: Lab) -> None:
    heard: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            heard.put_nowait((data, addr[1]))

    query = dns.message.make_query("wrong-port.hostile.example", "TXT")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Ear, local_addr=("127.0.0.1", 0)
    )
    transport.sendto(query.to_wire(), lab.resolver)
    async with asyncio.timeout(5):
        (forged, elsewhere), (true, port) = await heard.get(), await heard.get()
    transport.close()
    assert (elsewhere != port, port) == (True, lab.ports.dns)
    assert query.is_response(dns.message.from_wire(forged))
    assert b"+all" in forged
    assert b"+all" not in true


async def test_a_flapping_name_is_there_every_second_time(lab: Lab) -> None:
    found = [await values(lab, "flapping.hostile.example", "A") for _ in range(4)]
    assert found == [{"127.0.1.82"}, "NXDOMAIN"] * 2


async def test_a_slow_answer_is_late(lab: Lab) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert await values(lab, "slow.hostile.example", "A") == {"127.0.1.82"}
    assert loop.time() - start >= 1.9


@pytest.mark.parametrize(
    ("server", "name", "rcode", "authoritative"),
    [
        ("127.0.1.53", "shop.example", dns.rcode.NOERROR, True),
        ("127.0.1.54", "nothing.shop.example", dns.rcode.NXDOMAIN, True),
        ("127.0.1.53", "not.ours.com", dns.rcode.REFUSED, False),
        ("127.0.1.53", "broken.example", dns.rcode.NOERROR, True),
        ("127.0.1.55", "broken.example", dns.rcode.NOERROR, False),
    ],
)
async def test_authoritative_servers_speak_for_the_zones_only(
    lab: Lab, server: str, name: str, rcode: dns.rcode.Rcode, authoritative: bool
) -> None:
    response = await ask(lab, name, "SOA", server=server)
    assert response.rcode() == rcode
    assert bool(response.flags & dns.flags.AA) is authoritative
    assert not response.flags & dns.flags.RA


async def test_a_lame_server_refers_upwards(lab: Lab) -> None:
    response = await ask(lab, "broken.example", "SOA", server="127.0.1.55")
    assert not response.answer
    assert response.authority[0].name == dns.name.root


async def test_the_resolver_offers_recursion(lab: Lab) -> None:
    response = await ask(lab, "shop.example", "SOA")
    assert response.flags & dns.flags.RA
    assert not response.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("server", "name", "vouched"),
    [
        ("127.0.0.1", "shop.example", True),
        ("127.0.0.1", "nothing.shop.example", True),
        ("127.0.0.1", ".", True),
        ("127.0.0.1", "news.example", False),
        ("127.0.1.53", "shop.example", False),
    ],
)
async def test_the_resolver_vouches_for_what_is_signed(
    lab: Lab, server: str, name: str, vouched: bool
) -> None:
    """AD: to those who ask for it, and want it checked (RFC 4035 §3.2)."""
    for flags, expected in ((dns.flags.RD, vouched), (dns.flags.RD | dns.flags.CD, False)):
        query = dns.message.make_query(name, "SOA", want_dnssec=True, flags=flags)
        response = await dns.asyncquery.udp(query, server, port=lab.ports.dns, timeout=1)
        assert bool(response.flags & dns.flags.AD) is expected
    assert not (await ask(lab, name, "SOA", server=server)).flags & dns.flags.AD


async def test_one_tcp_connection_carries_many_questions(lab: Lab) -> None:
    reader, writer = await asyncio.open_connection(*lab.resolver)
    for name in ("shop.example", "news.example"):
        query = dns.message.make_query(name, "MX")
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        assert query.is_response(dns.message.from_wire(answer))
    writer.close()
    await writer.wait_closed()


async def test_nonsense_is_not_answered_and_hurts_nobody(lab: Lab) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=lab.resolver
    )
    for wire in (b"", b"\x00", b"\xff" * 40, b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6):
        transport.sendto(wire)
    transport.close()
    assert await values(lab, "canary-1.example", "A") == {"127.0.1.30"}
