"""The auditor against real SMTP and TLS servers on loopback, good, bad and hostile ones."""

import asyncio
import ssl
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trustme
from aiosmtpd.smtp import SMTP
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.check import AuditPart, Envelope, SmtpAudit
from monitor.world.clock import SystemClock
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp_audit import ENVELOPES_AT_ONCE, SmtpAuditProber
from tests.world.loopback import Dialogue, StartTcp

HOST = "mx.example.com"
AUTHORITY = trustme.CA()
STRANGERS = (Envelope("a@example.com", "b@example.net"), Envelope("", "b@example.net"))
EVERYTHING = set(AuditPart)


def auditor(
    port: int, *, well_known: int = 25, allow: str = "127.0.0.0/8", seconds: float = 1.0
) -> SmtpAuditProber:
    return SmtpAuditProber(
        evidence=EgressEvidence(clock=SystemClock()),
        guard=AddressGuard(allow=[allow], ports={well_known: port}),
        helo="monitor.example.com",
        command_seconds=seconds,
        total_seconds=5.0,
    )


def context_for(ciphers: str = "DEFAULT") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(HOST).configure_cert(context)
    context.set_ciphers(ciphers)
    return context


class Gate:
    """aiosmtpd's handler; takes mail for example.com only, and notes what was asked for."""

    def __init__(self) -> None:
        self.recipients: list[str] = []
        self.connections = 0
        self.data = 0

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        self.recipients.append(address)
        envelope.rcpt_tos.append(address)
        return "250 OK" if address.endswith("@example.com") else "554 5.7.1 Relay access denied"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        self.data += 1
        return "250 OK"


StartSmtp = Callable[..., Awaitable[tuple[int, Gate]]]


@pytest.fixture
async def smtp_server() -> AsyncIterator[StartSmtp]:
    """Start aiosmtpd, with STARTTLS where it gets a context; gives its port and its handler."""
    servers: list[asyncio.Server] = []

    async def start(
        starttls: ssl.SSLContext | None = None,
        *,
        ssl: ssl.SSLContext | None = None,
        **options: object,
    ) -> tuple[int, Gate]:
        gate, loop = Gate(), asyncio.get_running_loop()

        def conversation() -> SMTP:
            gate.connections += 1
            return SMTP(gate, hostname=HOST, tls_context=starttls, loop=loop, **options)

        server = await loop.create_server(conversation, "127.0.0.1", 0, ssl=ssl)
        servers.append(server)
        return server.sockets[0].getsockname()[1], gate

    yield start
    for server in servers:
        server.close()


async def test_all_of_a_good_host_is_known(smtp_server: StartSmtp) -> None:
    port, gate = await smtp_server(context_for())
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, STRANGERS)
    assert dict(seen.unknown) == {}
    assert [v for v, accepted in seen.protocols.items() if accepted] == ["TLSv1.2", "TLSv1.3"]
    assert list(seen.protocols) == ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
    assert (seen.weak_suites, seen.secure_renegotiation, seen.injectable) == ((), True, False)
    assert [(r.envelope, r.code) for r in seen.replies] == [(one, 554) for one in STRANGERS]
    assert (seen.clear_mechanisms, seen.source) == ((), "127.0.0.1")
    assert gate.data == 0, "no mail was sent"
    assert gate.connections < 15


async def test_port_465_speaks_tls_from_the_start(smtp_server: StartSmtp) -> None:
    port, _ = await smtp_server(
        ssl=context_for("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0")
    )
    seen = await auditor(port, well_known=465).audit("127.0.0.1", HOST, 465, STRANGERS)
    assert dict(seen.unknown) == {}
    assert seen.protocols["TLSv1.2"]
    assert seen.weak_suites == ("TLS_ECDHE_ECDSA_WITH_NULL_SHA",)
    assert [reply.code for reply in seen.replies] == [554, 554]


async def test_a_host_without_tls_accepts_no_version_of_it(smtp_server: StartSmtp) -> None:
    port, _ = await smtp_server()
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, STRANGERS)
    assert dict(seen.unknown) == {}
    assert not any(seen.protocols.values())
    assert seen.secure_renegotiation is None


async def test_one_suite_of_each_weakness_is_named(smtp_server: StartSmtp) -> None:
    port, _ = await smtp_server(
        context_for(
            "ECDHE-ECDSA-NULL-SHA:AECDH-AES128-SHA:AECDH-AES256-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"
        )
    )
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, ())
    assert sorted(name.partition("_WITH_")[0] for name in seen.weak_suites) == [
        "TLS_ECDHE_ECDSA",
        "TLS_ECDH_anon",
    ]


async def test_logins_before_tls_are_seen(smtp_server: StartSmtp) -> None:
    port, _ = await smtp_server(context_for(), auth_require_tls=False)
    seen = await auditor(port, well_known=587).audit("127.0.0.1", HOST, 587, ())
    assert seen.clear_mechanisms == ("LOGIN", "PLAIN")


async def test_many_envelopes_take_several_connections(smtp_server: StartSmtp) -> None:
    many = [Envelope("", f"b{n}@example.net") for n in range(ENVELOPES_AT_ONCE * 2 + 1)]
    port, gate = await smtp_server(context_for())
    before = (await auditor(port).audit("127.0.0.1", HOST, 25, ())) and gate.connections
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, many)
    assert gate.recipients == [one.recipient for one in many]
    assert len(seen.replies) == len(many)
    assert gate.connections == 2 * before + 3


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "mx.example.com"])
async def test_no_connection_leaves_for_a_forbidden_address(address: str) -> None:
    seen = await auditor(1).audit(address, HOST, 25, STRANGERS)
    assert seen.unknown.keys() == EVERYTHING
    assert "not a" in seen.unknown[AuditPart.RELAY]


async def test_a_refused_connection_is_tried_once(unused_port: int) -> None:
    seen = await auditor(unused_port).audit("127.0.0.1", HOST, 25, STRANGERS)
    assert seen.unknown.keys() == EVERYTHING
    assert "Connection refused" in seen.unknown[AuditPart.PROTOCOLS]


# --- servers that do as a test says ---

EHLO = b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


def serves(
    replies: dict[bytes, bytes], *, tls: bool = False, keeps: bool = False, glued: bytes = b""
) -> Dialogue:
    """Answers commands by their verb; on STARTTLS begins TLS, with what came before it kept or forgotten."""

    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(replies.get(b"banner", b"220 mx ESMTP\r\n"))
        pending = b""
        while part := await reader.read(4096):
            pending += part
            while b"\n" in pending:
                command, _, pending = pending.partition(b"\n")
                verb = command[:4].upper()
                writer.write(replies.get(verb, b"250 OK\r\n"))
                await writer.drain()
                if verb == b"STAR" and tls:
                    writer.write(glued)
                    pending = pending if keeps else b""
                    await writer.start_tls(context_for())
                if verb == b"QUIT":
                    return

    return dialogue


POLITE = {b"EHLO": EHLO, b"STAR": b"220 go\r\n", b"QUIT": b"221 bye\r\n", b"RCPT": b"550 no\r\n"}
INJECTION = {
    "forgets what came before": (serves(POLITE, tls=True), False),
    "keeps what came before": (serves(POLITE, tls=True, keeps=True), True),
    "refuses two at once": (serves(POLITE | {b"STAR": b"503 not so\r\n"}), False),
    "answers in the clear": (serves(POLITE, tls=True, glued=b"250 OK\r\n"), False),
}


@pytest.mark.parametrize("what", INJECTION)
async def test_a_command_in_plaintext_is_answered_inside_tls_or_not(
    tcp_server: StartTcp, what: str
) -> None:
    dialogue, injectable = INJECTION[what]
    port = await tcp_server(dialogue)
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, ())
    assert AuditPart.INJECTION not in seen.unknown
    assert seen.injectable is injectable


async def test_a_host_that_has_had_enough_leaves_the_rest_unknown(tcp_server: StartTcp) -> None:
    plain = {b"EHLO": b"250 mx\r\n", b"QUIT": b"221 bye\r\n"}
    port = await tcp_server(serves(plain | {b"RCPT": b"421 4.7.0 too many errors\r\n"}))
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, STRANGERS)
    assert seen.replies == ()
    assert "no envelope" in seen.unknown[AuditPart.RELAY]
    assert seen.unknown.keys() == {AuditPart.RELAY}


async def test_a_refused_sender_is_told_from_a_refused_recipient(tcp_server: StartTcp) -> None:
    port = await tcp_server(serves(POLITE | {b"EHLO": b"250 mx\r\n", b"MAIL": b"530 no\r\n"}))
    seen = await auditor(port).audit("127.0.0.1", HOST, 25, STRANGERS)
    assert [(reply.code, reply.refused_sender) for reply in seen.replies] == [(530, True)] * 2


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"2")
        await asyncio.sleep(0.05)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-mx\r\n" * 100)
        await writer.drain()


def after_starttls(sends: bytes) -> Dialogue:
    """Agrees to STARTTLS, and sends this without end in place of a handshake."""

    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        while command := await reader.readline():
            writer.write(POLITE.get(command[:4].upper(), b"250 OK\r\n"))
            if command.upper().startswith(b"STAR"):
                await reader.read(1)  # the hello
                while sends:
                    writer.write(sends)
                    await writer.drain()
                    await asyncio.sleep(0)
                await reader.read()

    return dialogue


HOSTILE = {
    "a banner of 20 bytes a second": (drips, EVERYTHING, "no complete reply within 0.3 s"),
    "an endless banner": (endless, EVERYTHING, "more than 100 lines"),
    "a server that is busy": (
        serves({b"banner": b"421 later\r\n"}),
        EVERYTHING,
        "said 421 as its banner",
    ),
    "TLS never answers": (
        after_starttls(b""),
        EVERYTHING - {AuditPart.AUTH},
        "no answer to a TLS hello within 0.3 s",
    ),
    "TLS is no TLS": (
        after_starttls(b"500 what?\r\n"),
        EVERYTHING - {AuditPart.AUTH},
        "no TLS",
    ),
    "records without end": (
        after_starttls(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + bytes(16380)),
        EVERYTHING - {AuditPart.AUTH},
        "longer than",
    ),
    "tiny records without end": (
        after_starttls(b"\x14\x03\x03\x00\x01\x01" * 1000),
        EVERYTHING - {AuditPart.AUTH},
        "longer than",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_whatever_a_server_does_the_audit_ends_in_time_and_little_memory(
    tcp_server: StartTcp, what: str
) -> None:
    dialogue, unknown, reason = HOSTILE[what]
    port = await tcp_server(dialogue)
    client = auditor(port, seconds=0.3)
    tracemalloc.start()
    started = time.monotonic()
    try:
        seen = await client.audit("127.0.0.1", HOST, 25, STRANGERS)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 4
    assert seen.unknown.keys() == unknown
    assert reason in seen.unknown[AuditPart.PROTOCOLS]


async def test_the_whole_audit_has_a_limit_too(tcp_server: StartTcp) -> None:
    port = await tcp_server(drips)
    client = auditor(port, seconds=60)
    client._total_seconds = 0.3
    seen = await client.audit("127.0.0.1", HOST, 25, STRANGERS)
    assert set(seen.unknown.values()) == {"not looked at within 0.3 s"}


@settings(max_examples=12, deadline=None)
@given(
    replies=st.lists(
        st.binary(max_size=80) | st.sampled_from([b"220 mx\r\n", EHLO, b"250 OK\r\n"]), max_size=5
    )
)
def test_random_servers_never_raise_and_end_in_time(replies: list[bytes]) -> None:
    async def one() -> SmtpAudit:
        async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for reply in replies:
                writer.write(reply)
                await reader.readline()
            writer.close()

        server = await asyncio.start_server(dialogue, "127.0.0.1", 0)
        client = auditor(server.sockets[0].getsockname()[1], seconds=0.05)
        try:
            return await client.audit("127.0.0.1", HOST, 25, STRANGERS)
        finally:
            server.close()

    started = time.monotonic()
    seen = asyncio.run(one())
    assert time.monotonic() - started < 3
    assert seen.unknown, "nobody like that is known in full"
