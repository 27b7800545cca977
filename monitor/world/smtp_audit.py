"""The SMTP auditor: what only the owner of a mail host may do to it. Sends no mail: it knows no DATA."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from monitor.check import AuditPart, Envelope, EnvelopeReply, SmtpAudit, SmtpFailure
from monitor.protocol.cipher_suites import WEAK_SUITES, weakness
from monitor.protocol.names import is_host_name
from monitor.protocol.tls_hello import (
    Accepted,
    HelloError,
    Refused,
    ServerFlight,
    Version,
    client_hello,
)
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp_connect import (
    IMPLICIT_TLS_PORT,
    Connector,
    EndedError,
    address_literal,
    expect,
    explained_handshake,
    explained_reply,
    extensions_of,
    full_host_name,
    leave,
    own_address,
)
from monitor.world.smtp_guest import GuestProtocol
from monitor.world.tls import looking_context

ENVELOPES_AT_ONCE = 8
"""Of one connection: servers slow down for clients with more errors, or hang up (postfix: ten)."""

_READY = 220
_DONE = 250
_CLOSING = 221
_NO_SERVICE = 421


class SmtpAuditProber:
    """Implements `monitor.check.SmtpAuditor`.

    Args:
        helo: our name in EHLO; "" is this machine's, or our address where the machine has no full name.
        source_address: the address to connect from, for servers of its family.
        command_seconds: the limit of one step (connecting, one reply, a TLS handshake).
        total_seconds: the limit of an audit.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        evidence: EgressEvidence,
        helo: str = "",
        source_address: str | None = None,
        command_seconds: float = 20.0,
        total_seconds: float = 240.0,
    ) -> None:
        self._connector = Connector(
            guard=guard,
            evidence=evidence,
            source_address=source_address,
            seconds=command_seconds,
        )
        self._helo = helo or full_host_name()
        self._command_seconds = command_seconds
        self._total_seconds = total_seconds
        self._context = looking_context()

    async def audit(
        self, address: str, host: str, port: int, envelopes: Sequence[Envelope]
    ) -> SmtpAudit:
        """Everything that can be found out at `address`, one connection after the other."""
        door = _Door(
            address=address,
            host=host,
            port=port,
            connector=self._connector,
            helo=self._helo,
            seconds=self._command_seconds,
            tls=self._context,
        )
        late = f"not looked at within {self._total_seconds:g} s"
        audit = _Audit(door, envelopes, dict.fromkeys(AuditPart, late))
        try:
            async with asyncio.timeout(self._total_seconds):
                await audit.run()
        except TimeoutError:
            pass  # what is not known yet has its reason already
        return audit.result()


@dataclass(slots=True)
class _Door:
    """One port of one address, and how to come in."""

    address: str
    host: str
    port: int
    connector: Connector
    helo: str
    seconds: float
    tls: ssl.SSLContext
    source: str = ""

    @property
    def implicit(self) -> bool:
        """TLS comes before SMTP."""
        return self.port == IMPLICIT_TLS_PORT

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator["_Talk"]:
        """A conversation after EHLO; in the clear, but on a port that begins with TLS.

        Raises:
            EndedError: it did not come about.
        """
        connection = await self.connector.connect(self.address, self.port)
        talk = _Talk(self, _OwnerProtocol())
        try:
            await talk.begin(connection)
            self.source = own_address(talk.guest)
            yield talk
        finally:
            talk.guest.abort()

    @asynccontextmanager
    async def unfinished_handshake(self) -> AsyncIterator["_HelloListener"]:
        """Where a TLS handshake would begin, with STARTTLS agreed upon where it takes that."""
        listener = _HelloListener()
        if self.implicit:
            connection = await self.connector.connect(self.address, self.port)
            await asyncio.get_running_loop().create_connection(lambda: listener, sock=connection)
            try:
                yield listener
            finally:
                listener.abort()
            return
        async with self.conversation() as talk:
            await talk.command(_READY, "STARTTLS")
            listener.take_over(talk.guest.connection)
            yield listener


class _OwnerProtocol(GuestProtocol):
    """A connection of an owner, who may send what a guest may not."""

    @property
    def connection(self) -> asyncio.Transport:
        """The transport of a connection that is open."""
        if self.transport is None:
            raise ConnectionResetError("closed the connection")
        return cast("asyncio.Transport", self.transport)

    async def commands(self, *commands: str, seconds: float) -> tuple[int, str]:
        """Send several commands in one packet, and read the reply to the first; raises as `reply` does."""
        self.connection.write("".join(f"{command}\r\n" for command in commands).encode("ascii"))
        return await self.reply(seconds)


@dataclass(slots=True)
class _Talk:
    """One conversation."""

    door: _Door
    guest: _OwnerProtocol
    extensions: dict[str, str] = field(default_factory=dict)
    encrypted: bool = False

    async def begin(self, connection: socket.socket) -> None:
        """The banner and EHLO, with TLS before them where the port wants it."""
        loop = asyncio.get_running_loop()
        if self.door.implicit:
            with explained_handshake(self.door.seconds):
                await loop.create_connection(
                    lambda: self.guest,
                    sock=connection,
                    ssl=self.door.tls,
                    server_hostname=self.door.host,
                    ssl_handshake_timeout=self.door.seconds,
                )
            self.encrypted = True
        else:
            await loop.create_connection(lambda: self.guest, sock=connection)
        with explained_reply(self.door.seconds, "connecting", "banner"):
            code, text = await self.guest.reply(self.door.seconds)
        await expect(self.guest, code, text, _READY, "as its banner")
        await self._ehlo()

    async def upgrade(self) -> None:
        """TLS on this connection, once STARTTLS was agreed upon."""
        with explained_handshake(self.door.seconds):
            await self.guest.upgrade(self.door.tls, self.door.host, self.door.seconds)
        self.encrypted = True

    async def encrypt(self) -> None:
        """TLS where it is offered."""
        if not self.encrypted and "STARTTLS" in self.extensions:
            await self.command(_READY, "STARTTLS")
            await self.upgrade()
            await self._ehlo()

    async def ask(self, *words: str) -> tuple[int, str]:
        """The reply to a command, whatever it is."""
        with explained_reply(self.door.seconds, words[0], "audit"):
            return await self.guest.command(*words, seconds=self.door.seconds)

    async def command(self, expected: int, *words: str) -> str:
        """The text of the expected reply."""
        code, text = await self.ask(*words)
        return await expect(self.guest, code, text, expected, f"to {words[0]}")

    async def _ehlo(self) -> None:
        helo = self.door.helo or address_literal(self.guest)
        self.extensions = extensions_of(await self.command(_DONE, "EHLO", helo))


class _HelloListener(asyncio.Protocol):
    """Says one ClientHello, and hears what a server's answer comes to."""

    def __init__(self) -> None:
        self._flight = ServerFlight()
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[Accepted | Refused | None] = (
            asyncio.get_running_loop().create_future()
        )

    def take_over(self, transport: asyncio.Transport) -> None:
        """Go on with a connection that somebody else opened."""
        self._transport = transport
        transport.set_protocol(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answered.done():
            return
        try:
            found = self._flight.feed(data)
        except HelloError as error:
            self._answered.set_exception(error)
        else:
            if found is not None:
                self._answered.set_result(found)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self._answered.done():
            self._answered.set_result(None)

    async def say(self, hello: bytes, seconds: float) -> Accepted | Refused | None:
        """The answer; None where the server hangs up.

        Raises:
            EndedError: it says nothing, or nothing that is TLS.
        """
        if self._transport is None:
            return None
        self._transport.write(hello)
        try:
            async with asyncio.timeout(seconds):
                return await self._answered
        except TimeoutError:
            reason = f"no answer to a TLS hello within {seconds:g} s"
            raise EndedError(SmtpFailure.TIMEOUT, reason) from None
        except HelloError as error:
            raise EndedError(SmtpFailure.TLS, str(error)) from None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(slots=True)
class _Audit:
    """An audit under way; `unknown` has a reason for each part until it is done."""

    door: _Door
    envelopes: Sequence[Envelope]
    unknown: dict[AuditPart, str]
    offers_tls: bool = True
    accepted: dict[Version, Accepted | None] = field(default_factory=dict)
    weak_suites: list[str] = field(default_factory=list)
    secure_renegotiation: bool | None = None
    injectable: bool = False
    replies: list[EnvelopeReply] = field(default_factory=list)
    clear_mechanisms: tuple[str, ...] = ()

    async def run(self) -> None:
        """Each part after the other: a host that lets nobody in is not asked again."""
        parts: dict[AuditPart, Callable[[], Awaitable[None]]] = {
            AuditPart.AUTH: self._look_at_auth,
            AuditPart.RELAY: self._look_for_relay,
            AuditPart.PROTOCOLS: self._look_at_protocols,
            AuditPart.CIPHERS: self._look_at_ciphers,
            AuditPart.RENEGOTIATION: self._look_at_renegotiation,
            AuditPart.INJECTION: self._look_for_injection,
        }
        for part, look in parts.items():
            try:
                await look()
            except EndedError as end:
                self.unknown[part] = end.reason
                if end.failure in {SmtpFailure.FORBIDDEN, SmtpFailure.CONNECT}:
                    self.unknown = dict.fromkeys(self.unknown, end.reason)
                    return
            except OSError:
                self.unknown[part] = "the server closed the connection"
            else:
                del self.unknown[part]

    def result(self) -> SmtpAudit:
        """What is known by now."""
        return SmtpAudit(
            address=self.door.address,
            source=self.door.source,
            protocols={
                version.value: found is not None for version, found in self.accepted.items()
            },
            weak_suites=tuple(self.weak_suites),
            secure_renegotiation=self.secure_renegotiation,
            injectable=self.injectable,
            replies=tuple(self.replies),
            clear_mechanisms=self.clear_mechanisms,
            unknown=dict(self.unknown),
        )

    async def _look_at_auth(self) -> None:
        async with self.door.conversation() as talk:
            if not talk.encrypted:
                self.offers_tls = "STARTTLS" in talk.extensions
                self.clear_mechanisms = _mechanisms(talk.extensions)
            await leave(talk.guest)

    # --- relaying ---

    async def _look_for_relay(self) -> None:
        while len(self.replies) < len(self.envelopes):
            tried = len(self.replies)
            await self._try(self.envelopes[tried : tried + ENVELOPES_AT_ONCE])
            if len(self.replies) == tried:
                raise EndedError(SmtpFailure.REPLY, "the host let no envelope be tried")

    async def _try(self, envelopes: Sequence[Envelope]) -> None:
        async with self.door.conversation() as talk:
            await talk.encrypt()
            for envelope in envelopes:
                reply = await _reply_to(talk, envelope)
                if reply.code == _NO_SERVICE:  # it has had enough of us, not of this envelope
                    return
                self.replies.append(reply)
                await talk.ask("RSET")
            await leave(talk.guest)

    # --- TLS ---

    async def _look_at_protocols(self) -> None:
        if not self.offers_tls:
            self.accepted = dict.fromkeys(Version)
            return
        for version in Version:
            found = await self._hello(version)
            taken = isinstance(found, Accepted) and found.version is version
            self.accepted[version] = cast("Accepted", found) if taken else None
        if not any(self.accepted.values()):
            raise EndedError(SmtpFailure.TLS, "TLS is offered, and no version of it comes about")

    async def _look_at_ciphers(self) -> None:
        versions = self._accepted_before_tls13()
        for version in dict.fromkeys((*versions[-1:], *versions[:1])):
            left = dict(WEAK_SUITES)
            while left:
                found = await self._hello(version, tuple(left))
                if not isinstance(found, Accepted) or found.suite not in left:
                    break
                name = left[found.suite]
                self.weak_suites += [] if name in self.weak_suites else [name]
                # One of each weakness is enough to know, and to act.
                left = {n: other for n, other in left.items() if weakness(other) != weakness(name)}

    async def _look_at_renegotiation(self) -> None:
        found = [self.accepted[version] for version in self._accepted_before_tls13()]
        if found:
            self.secure_renegotiation = all(one and one.secure_renegotiation for one in found)

    def _accepted_before_tls13(self) -> list[Version]:
        if reason := self.unknown.get(AuditPart.PROTOCOLS):
            raise EndedError(SmtpFailure.TLS, f"its TLS versions are not known: {reason}")
        return [v for v, found in self.accepted.items() if found and v is not Version.TLS1_3]

    async def _hello(
        self, version: Version, suites: Sequence[int] = ()
    ) -> Accepted | Refused | None:
        hello = client_hello(
            version, suites, server_name=_sni(self.door.host), random=os.urandom(64)
        )
        async with self.door.unfinished_handshake() as listener:
            return await listener.say(hello, self.door.seconds)

    async def _look_for_injection(self) -> None:
        """CVE-2011-0411: NOOP goes out with STARTTLS; inside TLS nothing but the reply to QUIT may come."""
        if self.door.implicit or not self.offers_tls:
            return
        async with self.door.conversation() as talk:
            with explained_reply(self.door.seconds, "STARTTLS and NOOP", "audit"):
                code, _ = await talk.guest.commands("STARTTLS", "NOOP", seconds=self.door.seconds)
            if code != _READY:
                return  # it refuses what is not alone
            # A reply to NOOP in the clear is none inside TLS.
            talk.guest.spoke_out_of_turn = False
            try:
                await talk.upgrade()
            except EndedError as end:
                if end.failure is SmtpFailure.TLS:
                    return  # NOOP was taken for a part of the handshake
                raise
            early = talk.guest.spoke_out_of_turn
            code, _ = await talk.ask("QUIT")
            self.injectable = early or code != _CLOSING


async def _reply_to(talk: _Talk, envelope: Envelope) -> EnvelopeReply:
    code, text = await talk.ask("MAIL", f"FROM:<{envelope.sender}>")
    if code != _DONE:
        return EnvelopeReply(envelope, code, text, refused_sender=True)
    code, text = await talk.ask("RCPT", f"TO:<{envelope.recipient}>")
    return EnvelopeReply(envelope, code, text)


def _mechanisms(extensions: dict[str, str]) -> tuple[str, ...]:
    """RFC 4954 §3, and the older `AUTH=LOGIN` of some servers."""
    told = [extensions.get("AUTH", "")]
    for keyword, parameters in extensions.items():
        if keyword.startswith("AUTH="):
            told += [keyword.removeprefix("AUTH="), parameters]
    return tuple(dict.fromkeys(" ".join(told).upper().split()))


def _sni(host: str) -> str:
    """The name for SNI, which no address may be (RFC 6066 §3)."""
    return host if is_host_name(host) else ""
