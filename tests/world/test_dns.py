"""The resolver against real nameservers on loopback that say what the test says."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import DnsStatus, Question
from monitor.world.clock import SystemClock
from monitor.world.dns.nameserver import Nameserver, system_nameservers
from monitor.world.dns.resolver import Resolver
from monitor.world.fake import FakeClock
from tests.world.loopback import DnsServer, Script, StartDns, StartTcp

SOA = "example.com. 600 IN SOA ns.example.com. h.example.com. 1 2 3 4 60"


def rrset(line: str) -> dns.rrset.RRset:
    owner, ttl, cls, rtype, *data = line.split(" ")
    return dns.rrset.from_text(owner, int(ttl), cls, rtype, " ".join(data))


def reply(
    query: Message,
    *lines: str,
    rcode: int = 0,
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
) -> Message:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(rcode)
    response.answer = [rrset(line) for line in lines]
    response.authority = [rrset(line) for line in authority]
    response.additional = [rrset(line) for line in additional]
    return response


def wire(message: Message, transport: str = "udp") -> bytes:
    data = message.to_wire(max_size=65535)
    return len(data).to_bytes(2, "big") + data if transport == "tcp" else data


def says(*lines: str, **how: object) -> Callable[[Message, str], list[bytes]]:
    return lambda query, transport: [wire(reply(query, *lines, **how), transport)]


def silent(_query: Message, _transport: str) -> list[bytes]:
    return []


def resolver(*servers: object, timeout: float = 1.0, **options: object) -> Resolver:
    addresses = [server.address for server in servers]
    options.setdefault("clock", SystemClock())
    return Resolver(nameservers=addresses, timeout=timeout, **options)


FORMS = [
    ("TXT", ['x. 60 IN TXT "v=spf1 " "-all"'], ("v=spf1 -all",)),
    ("TXT", ['x. 60 IN TXT "\\195\\169\\000<b>"'], ("Ã©\x00<b>",)),
    ("A", ["x. 60 IN A 192.0.2.1"], ("192.0.2.1",)),
    ("AAAA", ["x. 60 IN AAAA 2001:DB8:0:0:0:0:0:1"], ("2001:db8::1",)),
    ("MX", ["x. 60 IN MX 10 MX.Example.COM."], ("10 mx.example.com",)),
    ("MX", ["x. 60 IN MX 0 ."], ("0 .",)),
    ("NS", ["x. 60 IN NS Ns1.Example.com."], ("ns1.example.com",)),
    ("PTR", ["x. 60 IN PTR Host.Example.com."], ("host.example.com",)),
    ("A", ["x. 60 IN CNAME Y.z.", "y.z. 30 IN A 192.0.2.2"], ("192.0.2.2",)),
    ("CNAME", ["x. 60 IN CNAME Y.z."], ("y.z",)),
    ("TLSA", ["x. 60 IN TLSA 3 1 0 abcd"], ("3 1 0 abcd",)),
]


@pytest.mark.parametrize(("rtype", "lines", "records"), FORMS)
async def test_records_have_the_promised_form(
    dns_server: StartDns, rtype: str, lines: list[str], records: tuple[str, ...]
) -> None:
    answer = await resolver(await dns_server(says(*lines))).ask("x", rtype)
    assert (answer.status, answer.records, answer.reason) == (DnsStatus.OK, records, "")
    assert answer.question == Question("x", rtype)


async def test_an_alias_gives_the_name_at_its_end_and_the_smallest_ttl(
    dns_server: StartDns,
) -> None:
    script = says("www.x. 60 IN CNAME y.z.", "y.z. 30 IN A 192.0.2.2")
    answer = await resolver(await dns_server(script)).ask("www.x", "A")
    assert (answer.canonical_name, answer.ttl) == ("y.z", 30)


def chain(length: int) -> list[str]:
    links = [f"n{i}.x. 60 IN CNAME n{i + 1}.x." for i in range(length)]
    return [*links, f"n{length}.x. 60 IN A 192.0.2.1"]


def many(count: int) -> list[str]:
    return [f"n0.x. 60 IN A 10.0.{i // 256}.{i % 256}" for i in range(count)]


CLAIMS = [
    (says(*chain(16)), "ok", ""),
    (says(*chain(17)), "error", "chain of more than 16"),
    (says("n0.x. 60 IN CNAME n1.x.", "n1.x. 60 IN CNAME n0.x."), "error", "CNAME loop"),
    (says(authority=(SOA,)), "nodata", ""),
    (says(rcode=dns.rcode.NXDOMAIN, authority=(SOA,)), "nxdomain", ""),
    (says("n0.x. 60 IN CNAME n1.x.", rcode=dns.rcode.NXDOMAIN, authority=(SOA,)), "nxdomain", ""),
    (says("n0.x. 60 IN A 192.0.2.1", rcode=dns.rcode.NXDOMAIN), "error", "together with records"),
    (says("other.x. 60 IN A 192.0.2.1", authority=(SOA,)), "nodata", ""),
    (says(authority=("x. 60 IN NS ns.x.",)), "error", "referral"),
    (says(rcode=dns.rcode.SERVFAIL), "servfail", "SERVFAIL"),
    (says(rcode=dns.rcode.REFUSED), "refused", "REFUSED"),
    (says(rcode=dns.rcode.FORMERR), "error", "FORMERR"),
    (says(rcode=dns.rcode.NOTIMP), "error", "NOTIMP"),
]


@pytest.mark.parametrize(("script", "status", "reason"), CLAIMS)
async def test_only_what_is_known_is_claimed(
    dns_server: StartDns, script: Script, status: str, reason: str
) -> None:
    answer = await resolver(await dns_server(script)).ask("n0.x", "A")
    assert answer.status == DnsStatus(status)
    assert answer.known == (not answer.reason)
    assert reason in answer.reason


@pytest.mark.parametrize(("count", "status"), [(256, "ok"), (257, "error"), (301, "error")])
async def test_a_set_of_records_has_a_limit(dns_server: StartDns, count: int, status: str) -> None:
    response = "\n".join(many(count))

    def script(query: Message, transport: str) -> list[bytes]:
        message = dns.message.make_response(query, recursion_available=True)
        addresses = [line.split(" ")[-1] for line in response.splitlines()]
        message.answer = [dns.rrset.from_text("n0.x.", 60, "IN", "A", *addresses)]
        return [wire(message, transport)]

    answer = await resolver(await dns_server(script)).ask("n0.x", "A")
    assert (answer.status, len(answer.records)) == (DnsStatus(status), 256 if status == "ok" else 0)


async def test_dnssec_validation_by_the_resolver_is_passed_on(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        message = reply(query, "x. 60 IN A 192.0.2.1")
        if query.ednsflags & dns.flags.DO:
            message.flags |= dns.flags.AD
        return [wire(message, transport)]

    assert (await resolver(await dns_server(script)).ask("x", "A")).authenticated


async def test_forged_and_broken_datagrams_are_passed_over(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        truth = reply(query, "x. 60 IN A 192.0.2.1")
        forged = reply(query, "x. 60 IN A 192.0.2.66")
        forged.id = (query.id + 1) % 65536
        other = reply(dns.message.make_query("y", "A", id=query.id), "y. 60 IN A 192.0.2.66")
        return [b"", b"garbage", wire(truth)[:-3], wire(forged), wire(other), wire(truth)]

    answer = await resolver(await dns_server(script)).ask("x", "A")
    assert answer.records == ("192.0.2.1",)


async def test_lost_packets_are_repeated(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        return says("x. 60 IN A 192.0.2.1")(query, transport) if len(server.asked) > 2 else []

    server = await dns_server(script)
    assert (await resolver(server).ask("x", "A")).status is DnsStatus.OK
    assert len(server.asked) == 3


async def test_a_passing_failure_is_asked_again_once(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        if len(server.asked) == 1:
            return says(rcode=dns.rcode.SERVFAIL)(query, transport)
        return says("x. 60 IN A 192.0.2.1")(query, transport)

    server = await dns_server(script)
    assert (await resolver(server).ask("x", "A")).status is DnsStatus.OK
    failing = await dns_server(says(rcode=dns.rcode.SERVFAIL))
    assert (await resolver(failing).ask("x", "A")).status is DnsStatus.SERVFAIL
    assert len(failing.asked) == 2


async def test_a_truncated_answer_is_asked_for_again_over_tcp(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        message = reply(query, *([f'x. 60 IN TXT "{"a" * 200}"'] if transport == "tcp" else []))
        if transport == "udp":
            message.flags |= dns.flags.TC
        return [wire(message, transport)]

    server = await dns_server(script)
    assert (await resolver(server).ask("x", "TXT")).records == ("a" * 200,)
    assert [transport for _, _, transport in server.asked] == ["udp", "tcp"]


@pytest.mark.parametrize("other_path", [False, True], ids=["truncated", "other path"])
async def test_a_server_that_does_not_know_edns_is_asked_without_over_tcp_too(
    dns_server: StartDns, other_path: bool
) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        if query.edns >= 0:
            return [wire(reply(query, rcode=dns.rcode.FORMERR), transport)]
        message = reply(query, *(["x. 60 IN A 192.0.2.1"] if transport == "tcp" else []))
        if transport == "udp":
            message.flags |= dns.flags.TC
        return [wire(message, transport)]

    client = resolver(await dns_server(script))
    answer = await (client.other_path() if other_path else client).ask("x", "A")
    assert answer.records == ("192.0.2.1",)


async def test_what_cannot_be_asked_over_tcp_is_an_error(dns_server: StartDns) -> None:
    client = resolver(await dns_server(silent))
    async with asyncio.timeout(5):
        answer = await client.other_path().ask("a..b", "A")
    assert (answer.status, "empty label" in answer.reason) == (DnsStatus.ERROR, True)


def truncated_then(tcp: bytes) -> Callable[[Message, str], list[bytes]]:
    def script(query: Message, transport: str) -> list[bytes]:
        if transport == "tcp":
            return [tcp]
        message = reply(query)
        message.flags |= dns.flags.TC
        return [wire(message)]

    return script


HOSTILE = [
    silent,
    truncated_then(b""),
    truncated_then(b"\xff\xff\x00"),
    truncated_then(b"\x00\x03abc"),
]


@pytest.mark.parametrize("script", HOSTILE)
async def test_a_question_ends_in_its_time(dns_server: StartDns, script: Script) -> None:
    started = time.monotonic()
    answer = await resolver(await dns_server(script), timeout=0.4).ask("x", "TXT")
    assert time.monotonic() - started < 1.0
    assert answer.status in {DnsStatus.TIMEOUT, DnsStatus.ERROR}
    assert "127.0.0.1" in answer.reason


async def test_a_tcp_server_that_dribbles_is_left_in_time(
    dns_server: StartDns, tcp_server: StartTcp
) -> None:
    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff\xff")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    port = await tcp_server(dribble)
    client = Resolver(clock=SystemClock(), nameservers=[f"127.0.0.1:{port}"], timeout=0.4)
    started = time.monotonic()
    answer = await client.other_path().ask("x", "A")
    assert time.monotonic() - started < 1.0
    assert answer.status is DnsStatus.TIMEOUT


async def test_a_port_where_nobody_listens_is_known_at_once(dns_server: StartDns) -> None:
    server = await dns_server(silent)
    server.close()
    started = time.monotonic()
    answer = await resolver(server, timeout=5.0).ask("x", "A")
    assert time.monotonic() - started < 1.0
    assert answer.status is DnsStatus.ERROR
    assert server.address in answer.reason


@pytest.mark.parametrize(
    "bad", [silent, says(rcode=dns.rcode.SERVFAIL), says(rcode=dns.rcode.REFUSED)]
)
async def test_the_next_nameserver_is_asked_when_one_fails(
    dns_server: StartDns, bad: Script
) -> None:
    first, second = await dns_server(bad), await dns_server(says("x. 60 IN A 192.0.2.1"))
    assert (await resolver(first, second).ask("x", "A")).records == ("192.0.2.1",)


async def test_a_failure_said_is_told_rather_than_a_silence(dns_server: StartDns) -> None:
    first, second = await dns_server(silent), await dns_server(says(rcode=dns.rcode.SERVFAIL))
    assert (await resolver(first, second, timeout=0.4).ask("x", "A")).status is DnsStatus.SERVFAIL


BAD_QUESTIONS = [
    ("", "A"),
    ("a..b", "A"),
    ("a" * 64 + ".example", "A"),
    (".".join(["a" * 60] * 5), "A"),
    ("bücher.example", "A"),
    ("a b\n.example", "A"),
    ("x", "NOPE"),
    ("x", "AXFR"),
    ("x", "ANY"),
]


@pytest.mark.parametrize(("name", "rtype"), BAD_QUESTIONS)
async def test_what_cannot_be_asked_is_an_error_with_its_reason(
    dns_server: StartDns, name: str, rtype: str
) -> None:
    server = await dns_server(silent)
    answer = await resolver(server).ask(name, rtype)
    assert (answer.status, server.asked) == (DnsStatus.ERROR, [])
    assert answer.reason.isprintable()


async def test_without_nameservers_every_answer_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.world.dns.resolver.system_nameservers", lambda: ())
    answer = await Resolver(clock=SystemClock()).ask("x", "A")
    assert answer.status is DnsStatus.ERROR
    assert "no nameserver" in answer.reason


def test_nameservers_of_the_system(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# comment\nsearch x\nnameserver 192.0.2.53\nnameserver nonsense\nnameserver ::1\nnameserver\n"
    )
    assert system_nameservers(file) == (Nameserver("192.0.2.53"), Nameserver("::1"))
    assert system_nameservers(tmp_path / "missing") == ()


NAMESERVERS = [
    ("192.0.2.1", "192.0.2.1:53"),
    ("192.0.2.1:5353", "192.0.2.1:5353"),
    ("2001:db8::1", "[2001:db8::1]:53"),
    ("[2001:db8::1]", "[2001:db8::1]:53"),
    ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
]


@pytest.mark.parametrize(("text", "shown"), NAMESERVERS)
def test_a_nameserver_has_an_address_and_a_port(text: str, shown: str) -> None:
    assert str(Nameserver.parse(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "ns.example.com", "192.0.2.1:x", "192.0.2.1:0", "192.0.2.1:70000", "[::1]:-1"]
)
def test_what_is_no_nameserver_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Nameserver.parse(text)


# --- asking once ---


async def test_an_answer_is_kept_for_its_ttl(dns_server: StartDns) -> None:
    server, clock = await dns_server(says("x. 60 IN A 192.0.2.1")), FakeClock(0)
    client = resolver(server, clock=clock)
    for advance, asked in [(0, 1), (59, 1), (1, 2)]:
        clock.advance(advance)
        assert (await client.ask("X.", "a")).records == ("192.0.2.1",)
        assert len(server.asked) == asked


LIFETIMES = [
    (says("x. 86400 IN A 192.0.2.1"), 3600),
    (says(rcode=dns.rcode.NXDOMAIN, authority=(SOA,)), 60),
    (says(authority=(SOA.replace(" 60", " 86400").replace(" 600 ", " 86400 "),)), 300),
    (says(authority=(SOA.replace(" 600 ", " 20 "),)), 20),
    (says(), 0),
    (says("x. 0 IN A 192.0.2.1"), 0),
    (says(rcode=dns.rcode.REFUSED), 0),
]


@pytest.mark.parametrize(("script", "seconds"), LIFETIMES)
async def test_nothing_is_kept_longer_than_it_is_worth(
    dns_server: StartDns, script: Script, seconds: int
) -> None:
    server, clock = await dns_server(script), FakeClock(0)
    client = resolver(server, clock=clock)
    await client.ask("x", "A")
    clock.advance(max(0, seconds - 1))
    await client.ask("x", "A")
    assert len(server.asked) == (1 if seconds else 2)
    clock.advance(1)
    await client.ask("x", "A")
    assert len(server.asked) == (2 if seconds else 3)


async def test_the_cache_is_bounded(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        return says(f"{query.question[0].name} 60 IN A 192.0.2.1")(query, transport)

    server = await dns_server(script)
    client = resolver(server, cache_size=3)
    for name in ["a", "b", "c", "a", "d", "a", "b"]:
        await client.ask(name, "A")
    assert [name for name, _, _ in server.asked] == ["a", "b", "c", "d", "b"]


async def test_the_same_question_at_once_is_asked_once(dns_server: StartDns) -> None:
    server = await dns_server(says("x. 60 IN A 192.0.2.1"))
    client = resolver(server)
    answers = await client.ask_many([Question("x", "A")] * 5)
    assert {answer.records for answer in answers} == {("192.0.2.1",)}
    assert len(server.asked) == 1
    assert client.queries == {DnsStatus.OK: 1}


async def test_who_gives_up_takes_nothing_from_who_still_waits(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        return says("x. 60 IN A 192.0.2.1")(query, transport) if len(server.asked) > 1 else []

    server = await dns_server(script)
    client = resolver(server)
    hasty, patient = (asyncio.create_task(client.ask("x", "A")) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    assert (await patient).records == ("192.0.2.1",)
    assert hasty.cancelled()


async def test_a_look_asks_each_question_once_failures_too(dns_server: StartDns) -> None:
    server = await dns_server(says(rcode=dns.rcode.REFUSED))
    client = resolver(server)
    look = client.per_look()
    for _ in range(3):
        assert (await look.ask("x", "A")).status is DnsStatus.REFUSED
    assert len(server.asked) == 1
    await client.per_look().ask("x", "A")
    assert len(server.asked) == 2


async def test_a_confirming_look_sees_past_the_cache_and_renews_it(dns_server: StartDns) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        return says(f"x. 60 IN A 192.0.2.{len(server.asked)}")(query, transport)

    server = await dns_server(script)
    client = resolver(server)
    assert (await client.ask("x", "A")).records == ("192.0.2.1",)
    assert (await client.fresh().ask("x", "A")).records == ("192.0.2.2",)
    assert (await client.ask("x", "A")).records == ("192.0.2.2",)


async def test_the_other_path_is_another_nameserver(dns_server: StartDns) -> None:
    first, second = [await dns_server(says(f"x. 60 IN A 192.0.2.{n}")) for n in (1, 2)]
    client = resolver(first, second)
    assert (await client.ask("x", "A")).records == ("192.0.2.1",)
    assert (await client.other_path().ask("x", "A")).records == ("192.0.2.2",)
    assert (await client.ask("x", "A")).records == ("192.0.2.1",)


async def test_the_other_path_of_a_single_nameserver_is_tcp(dns_server: StartDns) -> None:
    server = await dns_server(says("x. 60 IN A 192.0.2.1"))
    assert (await resolver(server).other_path().ask("x", "A")).status is DnsStatus.OK
    assert server.asked == [("x", "A", "tcp")]


async def test_many_questions_keep_their_order_and_their_number_in_flight(
    dns_server: StartDns,
) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        name = query.question[0].name.to_text().lower()
        return says(f"{name} 60 IN TXT {name}")(query, transport)

    server = await dns_server(script)
    client = resolver(server, in_flight=5)
    questions = [Question(f"n{i}.example", "TXT") for i in range(50)]
    answers = await client.ask_many(questions)
    assert [answer.records for answer in answers] == [(f"n{i}.example.",) for i in range(50)]


async def test_waiting_for_a_slot_ends_in_time_too_and_blames_no_server(
    dns_server: StartDns,
) -> None:
    client = resolver(await dns_server(silent), timeout=0.2, in_flight=1)
    answers = await asyncio.gather(*(client.ask(f"n{i}", "A") for i in range(6)))
    assert answers[0].status is DnsStatus.TIMEOUT
    assert answers[5].status is DnsStatus.ERROR
    assert "free slot" in answers[5].reason


async def test_a_question_that_waited_for_its_slot_has_all_of_its_time(
    dns_server: StartDns,
) -> None:
    def script(query: Message, transport: str) -> list[bytes]:
        first = query.question[0].name.to_text().lower() == "first."
        return [] if first else says("second. 60 IN A 192.0.2.1")(query, transport)

    client = resolver(await dns_server(script), timeout=0.4, in_flight=1)
    first, second = await asyncio.gather(client.ask("first", "A"), client.ask("second", "A"))
    assert (first.status, second.status) == (DnsStatus.TIMEOUT, DnsStatus.OK)


async def test_closing_ends_what_is_in_flight(dns_server: StartDns) -> None:
    server = await dns_server(silent)
    client = resolver(server, timeout=60)
    waiting = asyncio.create_task(client.ask("x", "A"))
    async with asyncio.timeout(5):
        await server.was_asked.wait()
        await client.aclose()
        answer = await waiting
    assert answer.status is DnsStatus.ERROR
    assert "closed" in answer.reason


@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=300), counts=st.binary(min_size=8, max_size=8), tcp=st.booleans())
def test_whatever_a_server_sends_the_question_ends_with_a_status(
    body: bytes, counts: bytes, tcp: bool
) -> None:
    """Bytes behind a header and question that fit the query, so that they are really parsed."""

    async def one() -> DnsStatus:
        def script(query: Message, transport: str) -> list[bytes]:
            head = dns.message.make_response(query).to_wire()
            wire = head[:4] + counts + head[12 : 12 + 7] + body
            return [len(wire).to_bytes(2, "big") + wire if transport == "tcp" else wire]

        server = DnsServer(script)
        await server.start()
        client = resolver(server, timeout=0.1)
        try:
            path = client.other_path() if tcp else client
            return (await path.ask("x", "A")).status
        finally:
            await client.aclose()
            server.close()

    started = time.monotonic()
    assert asyncio.run(one()) in DnsStatus
    assert time.monotonic() - started < 2
