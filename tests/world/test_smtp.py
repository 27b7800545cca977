"""The prober against real SMTP and TLS servers on loopback, polite and hostile ones."""

import asyncio
import re
import ssl
import time
import tracemalloc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import trustme
from aiosmtpd.smtp import SMTP
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import SmtpConversation, SmtpFailure
from monitor.world.clock import SystemClock
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp import SmtpProber
from monitor.world.tls import TrustStore
from tests.world.loopback import Dialogue, StartTcp

HOST = "mx.example.com"
NOW = datetime.now(UTC)
AUTHORITY = trustme.CA()
ANCHOR = x509.load_pem_x509_certificate(AUTHORITY.cert_pem.bytes())


def prober(
    port: int, *, well_known: int = 25, allow: str = "127.0.0.0/8", **options: object
) -> SmtpProber:
    options = {
        "command_seconds": 2.0,
        "total_seconds": 4.0,
        "helo": "monitor.example.com",
    } | options
    return SmtpProber(
        evidence=EgressEvidence(clock=SystemClock()),
        guard=AddressGuard(allow=[allow], ports={well_known: port}),
        store=TrustStore([ANCHOR]),
        clock=SystemClock(),
        **options,
    )


def context_for(
    authority: trustme.CA = AUTHORITY, *, not_after: datetime | None = None, newest: str = ""
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "*.example.net", "192.0.2.1", not_after=not_after).configure_cert(
        context
    )
    if newest:
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion[newest]
    return context


class Guestbook:
    """aiosmtpd's handler; notes the commands that came."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.left = asyncio.Event()

    async def handle_EHLO(self, server, session, envelope, hostname, responses) -> list[str]:  # noqa: N802
        session.host_name = hostname
        self.commands.append(f"EHLO {hostname}")
        return responses

    async def handle_QUIT(self, server, session, envelope) -> str:  # noqa: N802
        self.commands.append("QUIT")
        self.left.set()
        return "221 Bye"


StartSmtp = Callable[..., Awaitable[tuple[int, Guestbook]]]


@pytest.fixture
async def smtp_server() -> AsyncIterator[StartSmtp]:
    """Start aiosmtpd, with STARTTLS where it gets a context; gives its port and its guestbook."""
    servers: list[asyncio.Server] = []

    async def start(
        starttls: ssl.SSLContext | None = None, **options: object
    ) -> tuple[int, Guestbook]:
        book, loop = Guestbook(), asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(book, hostname=HOST, tls_context=starttls, loop=loop),
            "127.0.0.1",
            0,
            **options,
        )
        servers.append(server)
        return server.sockets[0].getsockname()[1], book

    yield start
    for server in servers:
        server.close()


async def test_a_polite_conversation_shows_all_there_is(smtp_server: StartSmtp) -> None:
    port, book = await smtp_server(context_for())
    seen = await prober(port).converse("127.0.0.1", HOST, 25)
    assert (seen.failure, seen.reason, seen.reply_code) == (None, "", None)
    assert seen.banner.startswith(HOST)
    assert seen.greeting == HOST
    assert seen.starttls_offered is True
    assert not seen.injected
    assert "SIZE" in seen.extensions
    assert "STARTTLS" not in seen.extensions, "the last EHLO, inside TLS, counts"
    assert list(seen.phases) == ["connect", "banner", "ehlo", "starttls", "tls"]
    assert all(0 <= seconds < 2 for seconds in seen.phases.values())
    assert book.commands == ["EHLO monitor.example.com", "EHLO monitor.example.com", "QUIT"]


async def test_the_certificate_and_the_protocol_are_read(smtp_server: StartSmtp) -> None:
    end = (NOW + timedelta(days=9)).replace(microsecond=0)
    port, _ = await smtp_server(context_for(not_after=end))
    tls = (await prober(port).converse("127.0.0.1", HOST, 25)).tls
    assert (tls.protocol, tls.untrusted) == ("TLSv1.3", None)
    assert tls.cipher.startswith("TLS_")
    leaf = tls.chain[0]
    assert leaf.names == (HOST, "*.example.net", "192.0.2.1")
    assert leaf.not_after == end
    assert leaf.issuer == ANCHOR.subject.rfc4514_string()
    assert len(leaf.fingerprint_sha256) == 64


async def test_the_whole_chain_is_read_leaf_first(smtp_server: StartSmtp) -> None:
    port, _ = await smtp_server(context_for(AUTHORITY.create_child_ca()))
    tls = (await prober(port).converse("127.0.0.1", HOST, 25)).tls
    assert tls.untrusted is None
    assert [certificate.issuer for certificate in tls.chain] == [
        tls.chain[1].subject,
        ANCHOR.subject.rfc4514_string(),
    ]


EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)
DISTRUSTED = [
    (lambda: context_for(not_after=EXPIRED), "the certificate expired on 2020-01-01"),
    (
        lambda: context_for(trustme.CA(organization_name="Elsewhere")),
        "no trusted authority issued it; its issuer is",
    ),
]


@pytest.mark.parametrize(("context", "reason"), DISTRUSTED)
async def test_a_bad_certificate_is_read_and_its_fault_named(
    smtp_server: StartSmtp, context: Callable[[], ssl.SSLContext], reason: str
) -> None:
    port, book = await smtp_server(context())
    seen = await prober(port).converse("127.0.0.1", HOST, 25)
    assert seen.failure is None
    assert seen.tls.untrusted.startswith(reason)
    assert seen.tls.chain[0].names[0] == HOST
    assert book.commands[-1] == "QUIT"


async def test_the_expiry_of_an_expired_certificate_stays_visible(smtp_server: StartSmtp) -> None:
    port, _ = await smtp_server(context_for(not_after=EXPIRED))
    tls = (await prober(port).converse("127.0.0.1", HOST, 25)).tls
    assert tls.chain[0].not_after == EXPIRED


@pytest.mark.parametrize(
    ("newest", "protocol"), [("TLSv1", "TLSv1"), ("TLSv1_1", "TLSv1.1"), ("TLSv1_2", "TLSv1.2")]
)
async def test_old_protocols_are_spoken_and_named(
    smtp_server: StartSmtp, newest: str, protocol: str
) -> None:
    port, _ = await smtp_server(context_for(newest=newest))
    seen = await prober(port).converse("127.0.0.1", HOST, 25)
    assert (seen.failure, seen.tls.protocol) == (None, protocol)


async def test_port_465_speaks_tls_from_the_start(smtp_server: StartSmtp) -> None:
    port, book = await smtp_server(ssl=context_for())
    seen = await prober(port, well_known=465).converse("127.0.0.1", HOST, 465)
    assert seen.failure is None
    assert (seen.starttls_offered, seen.tls.untrusted) == (None, None)
    assert list(seen.phases) == ["connect", "tls", "banner", "ehlo"]
    assert book.commands == ["EHLO monitor.example.com", "QUIT"]


async def test_a_server_without_starttls_is_shown_as_such(smtp_server: StartSmtp) -> None:
    port, book = await smtp_server()
    seen = await prober(port, well_known=587).converse("127.0.0.1", HOST, 587)
    assert (seen.failure, seen.starttls_offered, seen.tls) == (None, False, None)
    assert book.commands[-1] == "QUIT"


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "mx.example.com"])
async def test_no_connection_leaves_for_a_forbidden_address(address: str) -> None:
    seen = await prober(1).converse(address, HOST, 25)
    assert (seen.failure, dict(seen.phases)) == (SmtpFailure.FORBIDDEN, {})
    assert seen.reason


async def test_a_refused_connection_is_named(unused_port: int) -> None:
    seen = await prober(unused_port).converse("127.0.0.1", HOST, 25)
    assert seen.failure is SmtpFailure.CONNECT
    assert "Connection refused" in seen.reason


async def test_the_configured_source_address_is_used(tcp_server: StartTcp) -> None:
    peers = []

    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])

    port = await tcp_server(dialogue)
    await prober(port, source_address=ip_address("127.0.0.77")).converse("127.0.0.1", HOST, 25)
    assert peers == ["127.0.0.77"]


async def test_a_machine_without_a_full_name_greets_by_its_address(
    smtp_server: StartSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "pod-7")
    port, book = await smtp_server()
    await prober(port, helo="").converse("127.0.0.1", HOST, 25)
    assert book.commands[0] == "EHLO [127.0.0.1]"


# --- hostile servers ---


def plays(
    *replies: bytes, then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
) -> Dialogue:
    """The first reply is the banner, each other answers one line; `then` takes over after them."""

    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, reply in enumerate(replies):
            if number:
                await reader.readline()
            writer.write(reply)
        if then:
            await then(writer)
        await reader.read()

    return dialogue


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"2")
        await asyncio.sleep(0.05)


async def endless_lines(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"250-MORE\r\n" * 10)
        await writer.drain()


async def endless_line(writer: asyncio.StreamWriter) -> None:
    for _ in range(160):
        writer.write(b"x" * 65536)
        await writer.drain()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def endless_greeting(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-mx welcomes you\r\n" * 10)
        await writer.drain()


async def long_lines(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"250-" + b"x" * 1900 + b"\r\n")
        await writer.drain()


async def endless_inside_tls(writer: asyncio.StreamWriter) -> None:
    await writer.start_tls(context_for())
    await endless_lines(writer)


async def glued(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 go\r\n")
    for _ in range(1000):
        writer.write(b"250-x\r\n" * 1000)
        await writer.drain()


BANNER, EHLO = b"220 mx ESMTP\r\n", b"250-mx\r\n250 STARTTLS\r\n"
UNPRINTABLE = b"220 \xff\xfe\x1b[31m\r\n"

HOSTILE = {
    "a banner of 20 bytes a second": (
        plays(then=drip),
        "timeout",
        "no complete reply within 0.5 s",
    ),
    "no banner": (plays(), "timeout", "no complete reply within 0.5 s"),
    "an endless reply": (plays(BANNER, then=endless_lines), "protocol", "more than 100 lines"),
    "a line of 10 MB": (plays(BANNER, then=endless_line), "protocol", "longer than 2048 bytes"),
    "a banner of 10 MB": (plays(then=endless_line), "protocol", "longer than 2048 bytes"),
    "an endless banner": (plays(then=endless_greeting), "protocol", "more than 100 lines"),
    "gigantic lines": (plays(BANNER, then=long_lines), "protocol", "more than 65536 bytes"),
    "an endless reply inside TLS": (
        plays(BANNER, EHLO, b"220 go\r\n", then=endless_inside_tls),
        "protocol",
        "more than 100 lines",
    ),
    "seven megabytes behind STARTTLS": (
        plays(BANNER, EHLO, b"", then=glued),
        "protocol",
        "more than 100 lines",
    ),
    "hanging up at once": (plays(then=hang_up), "protocol", "closed the connection"),
    "hanging up after EHLO": (plays(BANNER, then=hang_up), "protocol", "closed the connection"),
    "not SMTP": (plays(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", "Malformed"),
    "HTTP": (plays(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol", "Malformed"),
    "a code that is none": (plays(b"999 hello\r\n"), "protocol", "without a valid code"),
    "a refusing banner": (
        plays(b"554 no service\r\n", b"221 bye\r\n"),
        "reply",
        "said 554 as its banner: no service",
    ),
    "busy": (plays(b"421 try later\r\n", b"221 bye\r\n"), "reply", "said 421"),
    "EHLO refused": (plays(BANNER, b"502 what\r\n", b"221 bye\r\n"), "reply", "said 502 to EHLO"),
    "STARTTLS refused": (
        plays(BANNER, EHLO, b"454 not now\r\n", b"221 bye\r\n"),
        "reply",
        "said 454 to STARTTLS",
    ),
    "TLS never answers": (
        plays(BANNER, EHLO, b"220 go\r\n"),
        "timeout",
        "TLS handshake was not finished",
    ),
    "TLS is no TLS": (
        plays(BANNER, EHLO, b"220 go\r\n", b"500 what?\r\n"),
        "tls",
        "TLS handshake failed",
    ),
    "TLS hangs up": (
        plays(BANNER, EHLO, b"220 go\r\n", then=hang_up),
        "tls",
        "closed the connection",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_whatever_a_server_does_the_conversation_ends_with_its_reason(
    tcp_server: StartTcp, what: str
) -> None:
    dialogue, failure, reason = HOSTILE[what]
    port = await tcp_server(dialogue)
    started = time.monotonic()
    seen = await prober(port, command_seconds=0.5).converse("127.0.0.1", HOST, 25)
    assert time.monotonic() - started < 3
    assert seen.failure == SmtpFailure(failure), seen.reason
    assert reason in seen.reason
    assert "connect" in seen.phases
    assert (seen.reply_code is not None) == (failure == "reply")


GREEDY = [what for what in HOSTILE if re.search("endless|10 MB|gigantic|megabytes", what)]
MOST_MEMORY = 10 * 2**20


@pytest.mark.parametrize("what", GREEDY)
async def test_whatever_a_server_sends_little_memory_is_used(
    tcp_server: StartTcp, what: str
) -> None:
    """The server's own included."""
    port = await tcp_server(HOSTILE[what][0])
    client = prober(port, command_seconds=0.5)
    tracemalloc.start()
    try:
        await client.converse("127.0.0.1", HOST, 25)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


async def test_the_whole_conversation_has_a_limit_too(tcp_server: StartTcp) -> None:
    port = await tcp_server(plays(BANNER, then=drip))
    started = time.monotonic()
    seen = await prober(port, command_seconds=9, total_seconds=0.5).converse("127.0.0.1", HOST, 25)
    assert time.monotonic() - started < 2
    assert seen.failure is SmtpFailure.TIMEOUT
    assert "phase ehlo" in seen.reason
    assert seen.banner == "mx ESMTP", "what was learnt before is kept"


async def test_text_that_is_no_utf8_can_be_stored(tcp_server: StartTcp) -> None:
    port = await tcp_server(plays(UNPRINTABLE, b"250 mx\r\n", b"221 bye\r\n"))
    seen = await prober(port).converse("127.0.0.1", HOST, 25)
    assert seen.failure is None
    assert seen.banner.encode("utf-8").decode("utf-8") == "\ufffd\ufffd\x1b[31m"


async def test_a_plain_server_on_465_is_not_believed(tcp_server: StartTcp) -> None:
    port = await tcp_server(plays(BANNER, b"500 what?\r\n"))
    seen = await prober(port, well_known=465).converse("127.0.0.1", HOST, 465)
    assert (seen.failure, seen.banner, seen.tls) == (SmtpFailure.TLS, "", None)


async def test_hanging_up_right_after_the_handshake_is_no_surprise(tcp_server: StartTcp) -> None:
    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    port = await tcp_server(dialogue, ssl=context_for())
    for _ in range(20):
        seen = await prober(port, well_known=465).converse("127.0.0.1", HOST, 465)
        assert seen.failure in {SmtpFailure.PROTOCOL, SmtpFailure.TLS}
        assert "closed the connection" in seen.reason


@pytest.mark.parametrize("together", [True, False])
async def test_plaintext_after_starttls_is_dropped_and_reported(
    tcp_server: StartTcp, together: bool
) -> None:
    """RFC 3207 §4.2: what was injected in the clear must not be read as the answer inside TLS."""
    forged = b"250-evil\r\n250 FORGED\r\n"

    async def inject(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (BANNER, EHLO):
            writer.write(reply)
            await reader.readline()
        writer.write(b"220 go\r\n" + (forged if together else b""))
        await writer.start_tls(context_for())
        await reader.readline()
        writer.write(b"250-mx\r\n250 TRUE\r\n")
        await reader.readline()
        writer.write(b"221 bye\r\n")

    port = await tcp_server(inject)
    seen = await prober(port).converse("127.0.0.1", HOST, 25)
    assert seen.failure is None, seen.reason
    assert seen.injected is together
    assert seen.extensions == {"TRUE": ""}


@settings(max_examples=60, deadline=None)
@given(
    replies=st.lists(
        st.binary(max_size=80) | st.sampled_from([BANNER, EHLO, b"220 go\r\n"]), max_size=5
    )
)
def test_random_servers_never_raise_and_end_in_time(replies: list[bytes]) -> None:
    async def one() -> SmtpConversation:
        async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for reply in replies:
                writer.write(reply)
                await reader.readline()
            writer.close()

        server = await asyncio.start_server(dialogue, "127.0.0.1", 0)
        client = prober(server.sockets[0].getsockname()[1], command_seconds=0.1, total_seconds=0.4)
        try:
            return await client.converse("127.0.0.1", HOST, 25)
        finally:
            server.close()

    started = time.monotonic()
    seen = asyncio.run(one())
    assert time.monotonic() - started < 2
    assert (seen.failure is None) == (seen.reason == "")
    assert f"{seen.banner}{seen.reason}{seen.extensions}".encode()
