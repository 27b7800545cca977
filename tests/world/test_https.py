"""The HTTPS client against real TLS servers on loopback, good, broken and hostile ones."""

import asyncio
import gzip
import ssl
import time
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
import trustme
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import DnsAnswer, DnsClient, DnsStatus, HttpsFailure, HttpsReply, Question
from monitor.world.clock import SystemClock
from monitor.world.fake import FakeWorld
from monitor.world.guard import AddressGuard
from monitor.world.https import HttpsGetter
from monitor.world.tls import TrustStore
from tests.world.loopback import Dialogue, StartTcp

HOST = "mta-sts.example.com"
URL = f"https://{HOST}/.well-known/mta-sts.txt"
AUTHORITY = trustme.CA()
ANCHOR = x509.load_pem_x509_certificate(AUTHORITY.cert_pem.bytes())
POLICY = b"version: STSv1\nmode: none\nmax_age: 86400\n"
MEGABYTE = 2**20


def getter(
    port: int,
    *,
    resolver: DnsClient | None = None,
    allow: Sequence[str] = ("127.0.0.0/8", "::1/128"),
    **options: object,
) -> HttpsGetter:
    return HttpsGetter(
        guard=AddressGuard(allow=allow, ports={443: port}),
        resolver=resolver or FakeWorld(a={HOST: ["127.0.0.1"]}),
        store=TrustStore([ANCHOR]),
        clock=SystemClock(),
        **{"total_seconds": 3.0} | options,
    )


def context_for(
    *names: str, authority: trustme.CA = AUTHORITY, not_after: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (HOST,)), not_after=not_after).configure_cert(context)
    return context


GOOD = context_for()


def old_context() -> ssl.SSLContext:
    context = context_for()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def response(status: str = "200 OK", *headers: str, body: bytes = POLICY) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Site:
    """Answers each request with the same bytes, hangs up after, and notes the requests."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.requests: list[bytes] = []
        self.peers: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.reply)
        await writer.drain()


async def test_a_document_comes_with_all_that_is_told_of_it(tcp_server: StartTcp) -> None:
    port = await tcp_server(
        Site(response("200 OK", "Content-Type: Text/Plain; charset=utf-8")), ssl=GOOD
    )
    reply = await getter(port).get(URL)
    assert (reply.failure, reply.reason, reply.status) == (None, "", 200)
    assert (reply.url, reply.content_type, reply.location) == (URL, "text/plain", "")
    assert reply.body == POLICY
    assert 0 < reply.seconds < 3
    assert (reply.tls.protocol, reply.tls.untrusted) == ("TLSv1.3", None)
    leaf = x509.load_der_x509_certificate(reply.tls.chain[0].der)
    assert leaf.serial_number
    assert reply.tls.chain[0].names == (HOST,)


async def test_the_request_says_who_we_are_and_asks_for_nothing_packed(
    tcp_server: StartTcp,
) -> None:
    site = Site(response())
    await getter(await tcp_server(site, ssl=GOOD)).get(f"{URL}?a=%41")
    start, *headers = site.requests[0].decode().strip().split("\r\n")
    assert start == "GET /.well-known/mta-sts.txt?a=A HTTP/1.1"
    named = dict(header.split(": ", 1) for header in headers)
    assert named["Host"] == HOST
    assert named["User-Agent"].startswith("deliverability-monitor/")
    assert named["Accept-Encoding"] == "identity"


async def test_no_cookie_is_given_back(tcp_server: StartTcp) -> None:
    site = Site(response("200 OK", "Set-Cookie: seen=1; Path=/"))
    client = getter(await tcp_server(site, ssl=GOOD))
    for _ in range(2):
        assert (await client.get(URL)).status == 200
    assert len(site.requests) == 2
    assert b"ookie" not in site.requests[1]


async def test_the_environments_proxy_is_not_asked(
    tcp_server: StartTcp, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    reply = await getter(await tcp_server(Site(response()), ssl=GOOD)).get(URL)
    assert reply.body == POLICY


async def test_a_redirect_is_told_and_not_followed(tcp_server: StartTcp) -> None:
    """RFC 8461 §3.3: "HTTP 3xx redirects MUST NOT be followed"."""
    site = Site(response("301 Moved", f"Location: https://{HOST}/other", body=b""))
    reply = await getter(await tcp_server(site, ssl=GOOD)).get(URL)
    assert (reply.failure, reply.status) == (None, 301)
    assert reply.location == f"https://{HOST}/other"
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content"])
async def test_a_status_that_is_no_success_is_no_failure(tcp_server: StartTcp, status: str) -> None:
    port = await tcp_server(Site(response(status, body=b"")), ssl=GOOD)
    reply = await getter(port).get(URL)
    assert (reply.failure, reply.status, reply.content_type) == (None, int(status[:3]), "")


# --- certificates ---

EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)
DISTRUSTED = {
    "of another name": (
        lambda: context_for("www.example.com"),
        "names www.example.com, not mta-sts",
    ),
    "of a deeper name": (lambda: context_for("*.mta-sts.example.com"), "not mta-sts.example.com"),
    "expired": (lambda: context_for(not_after=EXPIRED), "the certificate expired on 2020-01-01"),
    "of an unknown authority": (
        lambda: context_for(authority=trustme.CA(organization_name="Elsewhere")),
        "no trusted authority issued it",
    ),
    "with TLS 1.1": (old_context, "the server speaks TLSv1.1 at best"),
}


@pytest.mark.parametrize("what", DISTRUSTED)
async def test_a_bad_certificate_is_shown_and_its_server_asked_nothing(
    tcp_server: StartTcp, what: str
) -> None:
    make, reason = DISTRUSTED[what]
    heard: list[bytes] = []
    over = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.read())
        finally:
            over.set()

    reply = await getter(await tcp_server(listen, ssl=make())).get(URL)
    assert reply.failure is HttpsFailure.TLS
    assert reason in reply.reason
    assert (reply.status, reply.body) == (None, b"")
    assert reply.tls.chain[0].der
    await asyncio.wait_for(over.wait(), 5)
    assert b"".join(heard) == b""


async def test_a_wildcard_names_the_host(tcp_server: StartTcp) -> None:
    port = await tcp_server(Site(response()), ssl=context_for("*.example.com"))
    assert (await getter(port).get(URL)).body == POLICY


# --- addresses ---


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_no_connection_leaves_for_a_forbidden_address(
    tcp_server: StartTcp, address: str
) -> None:
    site = Site(response())
    port = await tcp_server(site, ssl=GOOD)
    zone = {"aaaa" if ":" in address else "a": {HOST: [address]}}
    client = getter(port, allow=(), resolver=FakeWorld(**zone))
    bracketed = f"[{address}]" if ":" in address else address
    for url in (URL, f"https://{bracketed}/"):
        reply = await client.get(url)
        assert (reply.failure, reply.tls) == (HttpsFailure.FORBIDDEN, None)
        assert address in reply.reason
    assert site.peers == []


class Rebinding:
    """A resolver that gives a permitted address first, and one inside ever after."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        self.asked += 1
        address = "127.0.0.1" if self.asked == 1 else "127.0.0.66"
        records = (address,) if rtype == "A" else ()
        return DnsAnswer(Question(name, rtype), DnsStatus.OK, records)

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        return [await self.ask(question.name, question.rtype) for question in questions]


async def test_the_address_that_was_judged_is_the_one_connected_to(tcp_server: StartTcp) -> None:
    inside = Site(response(body=b"secret"))
    port = await tcp_server(Site(response()), ssl=GOOD)
    rebound = await asyncio.start_server(inside, "127.0.0.66", port, ssl=GOOD)
    try:
        client = getter(port, resolver=Rebinding(), allow=["127.0.0.1/32"])
        assert (await client.get(URL)).body == POLICY
        assert (await client.get(URL)).failure is HttpsFailure.FORBIDDEN
        assert inside.peers == []
    finally:
        rebound.close()


async def test_the_next_address_is_tried_where_one_is_dead_or_forbidden(
    tcp_server: StartTcp,
) -> None:
    world = FakeWorld(a={HOST: ["10.0.0.1", "127.0.0.2"]}, aaaa={HOST: ["::1"]})
    site = Site(response())
    port = await tcp_server(site, ssl=GOOD)
    world_4 = FakeWorld(a={HOST: ["10.0.0.1", "127.0.0.2", "127.0.0.1"]}, aaaa={HOST: ["::1"]})
    assert (await getter(port, resolver=world_4).get(URL)).body == POLICY
    both = await getter(port, resolver=world).get(URL)
    assert both.failure is HttpsFailure.CONNECT
    assert "127.0.0.2: Connection refused" in both.reason
    assert "::1: Connection refused" in both.reason


async def test_a_host_with_an_ipv6_address_only_is_reached() -> None:
    try:
        server = await asyncio.start_server(Site(response()), "::1", 0, ssl=GOOD)
    except OSError:
        pytest.skip("this machine has no IPv6")
    try:
        port = server.sockets[0].getsockname()[1]
        client = getter(port, resolver=FakeWorld(aaaa={HOST: ["::1"]}))
        assert (await client.get(URL)).body == POLICY
    finally:
        server.close()


async def test_ipv6_that_does_not_leave_here_says_nothing_of_a_host_that_has_no_other_address() -> (
    None
):
    unroutable = FakeWorld(aaaa={HOST: ["100::1"]})  # RFC 6666: discarded, wherever it gets
    client = getter(1, resolver=unroutable, allow=("100::/64",), connect_seconds=0.2)
    reply = await client.get(URL)
    assert (reply.failure, reply.tls) == (HttpsFailure.UNABLE, None)
    assert "100::1" in reply.reason


async def test_a_host_of_which_one_kind_of_address_is_not_told_may_answer_at_another() -> None:
    world = FakeWorld(aaaa={HOST: ["::1"]}, fail={f"{HOST} A": DnsStatus.SERVFAIL})
    reply = await getter(1, resolver=world).get(URL)
    assert reply.failure is HttpsFailure.RESOLVE
    assert "servfail" in reply.reason


async def test_a_machine_without_authorities_judges_no_certificate(tcp_server: StartTcp) -> None:
    client = HttpsGetter(
        guard=AddressGuard(
            allow=["127.0.0.0/8"], ports={443: await tcp_server(Site(response()), ssl=GOOD)}
        ),
        resolver=FakeWorld(a={HOST: ["127.0.0.1"]}),
        store=TrustStore([]),
        clock=SystemClock(),
    )
    reply = await client.get(URL)
    assert reply.failure is HttpsFailure.UNABLE
    assert "ca-certificates" in reply.reason


async def test_the_configured_source_address_is_used(tcp_server: StartTcp) -> None:
    site = Site(response())
    port = await tcp_server(site, ssl=GOOD)
    await getter(port, source_address=ip_address("127.0.0.77")).get(URL)
    assert site.peers == ["127.0.0.77"]


async def test_a_host_that_cannot_be_found_is_named_with_the_reason() -> None:
    world = FakeWorld(fail={f"{HOST} A": DnsStatus.SERVFAIL})
    assert (await getter(1, resolver=world).get(URL)).failure is HttpsFailure.RESOLVE
    reply = await getter(1, resolver=FakeWorld()).get(URL)
    assert (reply.failure, reply.tls) == (HttpsFailure.RESOLVE, None)
    assert f"{HOST} has no address" in reply.reason


REFUSED = {
    f"http://{HOST}/": "not an https URL",
    "ftp://example.com/": "not an https URL",
    "mta-sts.example.com": "not an https URL",
    "": "not an https URL",
    f"https://user:secret@{HOST}/": "a URL with a user's name",
    f"https://{HOST}:25/": "a URL of another port than 443",
    f"https://{HOST}:99999/": "no URL",
    f"https://{HOST}/{'x' * 3000}": "longer than 2048",
}


@pytest.mark.parametrize("url", REFUSED)
async def test_other_urls_are_not_asked_for(url: str) -> None:
    reply = await getter(1).get(url)
    assert (reply.url, reply.failure) == (url, HttpsFailure.FORBIDDEN)
    assert REFUSED[url] in reply.reason


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_any_text_is_a_reply_and_no_exception(url: str) -> None:
    reply = asyncio.run(getter(1, resolver=FakeWorld(), allow=()).get(url))
    assert reply.failure in {HttpsFailure.FORBIDDEN, HttpsFailure.RESOLVE}


# --- hostile servers ---

Flood = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(*parts: bytes, then: Flood | None = None, silent: bool = False) -> Dialogue:
    """Reads the request, sends the parts, floods or waits, and hangs up."""

    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
        if then:
            await then(writer)
        if silent:
            await reader.read()

    return dialogue


def repeats(part: bytes, *, pause: float = 0) -> Flood:
    """Sends the same again and again, four thousand times at most."""

    async def flood(writer: asyncio.StreamWriter) -> None:
        for _ in range(4000):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return flood


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
BOMB = gzip.compress(bytes(10 * MEGABYTE))

HOSTILE = {
    "an endless body in chunks": (
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", then=repeats(CHUNK)),
        "too_large",
        "more than 65536 bytes",
    ),
    "an endless body without a length": (
        says(HEAD + b"\r\n", then=repeats(b"x" * 65536)),
        "too_large",
        "more than 65536 bytes",
    ),
    "gigabytes, honestly announced": (
        says(HEAD + b"Content-Length: 5000000000\r\n\r\n", then=repeats(b"x" * 65536)),
        "too_large",
        "more than 65536 bytes",
    ),
    "less than was announced": (
        says(HEAD + b"Content-Length: 500\r\n\r\n" + POLICY),
        "protocol",
        "received 41 of 500 bytes",
    ),
    "chunks that end early": (
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc"),
        "protocol",
        "Not enough data",
    ),
    "two lengths": (
        says(HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\nhello"),
        "protocol",
        "Duplicate Content-Length",
    ),
    "a negative length": (
        says(HEAD + b"Content-Length: -5\r\n\r\n"),
        "protocol",
        "Invalid character in Content-Length",
    ),
    "one byte a second": (
        says(HEAD + b"Content-Length: 500\r\n\r\n", then=repeats(b"x", pause=1)),
        "timeout",
        "not finished within 0.7 s (reading the body)",
    ),
    "headers at one byte a second": (
        says(HEAD, then=repeats(b"x", pause=1)),
        "timeout",
        "not finished within 0.7 s (waiting for the reply)",
    ),
    "no reply": (says(silent=True), "timeout", "waiting for the reply"),
    "more interim replies than anyone waits for": (
        says(then=repeats(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01)),
        "timeout",
        "waiting for the reply",
    ),
    "a gzip bomb": (
        says(
            HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n".encode() + BOMB
        ),
        "protocol",
        "packed the body ('gzip')",
    ),
    "a header of a megabyte": (
        says(HEAD + b"X: " + b"x" * MEGABYTE + b"\r\n\r\n"),
        "protocol",
        "more than 8190 bytes",
    ),
    "an endless header": (
        says(HEAD + b"X: ", then=repeats(b"x" * 65536)),
        "protocol",
        "more than 8190 bytes",
    ),
    "endless headers": (
        says(HEAD, then=repeats(b"X-More: and more\r\n" * 64)),
        "protocol",
        "Too many headers",
    ),
    "endless trailers": (
        says(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
            then=repeats(b"X-More: and more\r\n" * 64),
        ),
        "protocol",
        "Too many headers",
    ),
    "hanging up instead of a reply": (says(), "protocol", "closed the connection"),
    "hanging up within the headers": (says(HEAD), "protocol", "closed the connection"),
    "SMTP": (says(b"220 mx ESMTP\r\n"), "protocol", "the reply is malformed: Bad status line"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_whatever_a_server_does_there_is_a_reason_in_time_and_little_memory(
    tcp_server: StartTcp, what: str
) -> None:
    dialogue, failure, reason = HOSTILE[what]
    port = await tcp_server(dialogue, ssl=GOOD)
    client = getter(port, total_seconds=0.7)
    tracemalloc.start()
    started = time.monotonic()
    try:
        reply = await client.get(URL)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 2
    assert reply.failure == HttpsFailure(failure), reply.reason
    assert reason in reply.reason
    assert reply.body == b""
    assert reply.tls.untrusted is None
    assert most < 8 * MEGABYTE


async def test_more_than_was_announced_never_reaches_the_body(tcp_server: StartTcp) -> None:
    port = await tcp_server(says(HEAD + b"Content-Length: 5\r\n\r\nhello and more"), ssl=GOOD)
    reply = await getter(port).get(URL)
    assert (reply.failure, reply.body) in {(None, b"hello"), (HttpsFailure.PROTOCOL, b"")}


@pytest.mark.parametrize(("size", "failure"), [(100, None), (101, HttpsFailure.TOO_LARGE)])
@pytest.mark.parametrize("head", [b"\r\n", b"Content-Length: %d\r\n\r\n"])
async def test_the_limit_counts_bytes_and_is_exact(
    tcp_server: StartTcp, size: int, failure: HttpsFailure | None, head: bytes
) -> None:
    start = head % size if b"%d" in head else head
    port = await tcp_server(says(HEAD + start + b"x" * size), ssl=GOOD)
    reply = await getter(port).get(URL, limit=100)
    assert (reply.failure, reply.status) == (failure, 200)
    assert len(reply.body) == (0 if failure else 100)


async def test_what_floods_us_is_cut_off(tcp_server: StartTcp) -> None:
    """The connection is gone when the reply is there: nothing more is taken of it."""
    sent, over = 0, asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"\r\n")
            while sent < 1000:
                writer.write(bytes(MEGABYTE))
                await writer.drain()
                sent += 1
        finally:
            over.set()

    port = await tcp_server(flood, ssl=GOOD)
    await getter(port).get(URL)
    await asyncio.wait_for(over.wait(), 5)
    assert sent < 50


async def test_a_server_that_speaks_no_tls_is_named(tcp_server: StartTcp) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response())
        await reader.read()

    reply = await getter(await tcp_server(plain)).get(URL)
    assert (reply.failure, reply.tls) == (HttpsFailure.TLS, None)
    assert "TLS handshake failed" in reply.reason


async def test_a_server_that_never_shakes_hands_is_not_waited_for(tcp_server: StartTcp) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    reply = await getter(await tcp_server(mute), total_seconds=0.3).get(URL)
    assert (reply.failure, reply.tls) == (HttpsFailure.TIMEOUT, None)
    assert "TLS handshake" in reply.reason
    assert reply.seconds < 2


async def test_hanging_up_right_after_the_handshake_is_no_surprise(tcp_server: StartTcp) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    port = await tcp_server(leave, ssl=GOOD)
    for _ in range(20):
        reply = await getter(port).get(URL)
        assert reply.failure in {HttpsFailure.PROTOCOL, HttpsFailure.TLS}


async def test_headers_that_are_no_utf8_can_be_stored(tcp_server: StartTcp) -> None:
    head = b"HTTP/1.1 302 \xff\r\nLocation: /\xff\xfe\r\nContent-Type: \xff/x\r\n"
    port = await tcp_server(says(head + b"Content-Length: 0\r\n\r\n"), ssl=GOOD)
    reply = await getter(port).get(URL)
    assert reply.status == 302
    assert reply.location.encode() == "/\ufffd\ufffd".encode()
    assert reply.content_type == "\ufffd/x"


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.binary(max_size=60)
        | st.sampled_from(
            [HEAD, b"\r\n", b"HTTP/1.1 101 Up\r\nUpgrade: x\r\n", b"Content-Length: 3\r\n"]
        ),
        max_size=5,
    )
)
def test_random_servers_never_raise_and_end_in_time(parts: list[bytes]) -> None:
    async def one() -> HttpsReply:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await says(*parts)(reader, writer)
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=GOOD)
        try:
            return await getter(server.sockets[0].getsockname()[1], total_seconds=0.5).get(URL)
        finally:
            server.close()

    started = time.monotonic()
    reply = asyncio.run(one())
    assert time.monotonic() - started < 2
    assert (reply.failure is None) == (reply.reason == "")
    assert (reply.status is None) or reply.tls
    f"{reply.location}{reply.content_type}{reply.reason}".encode()
