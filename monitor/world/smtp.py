"""The SMTP prober: one polite conversation (EHLO, STARTTLS, EHLO, QUIT), never MAIL or RCPT."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from monitor.check import Clock, SmtpConversation, SmtpFailure, TlsSession
from monitor.model import Address
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp_connect import (
    DONE,
    IMPLICIT_TLS_PORT,
    READY,
    Connector,
    EndedError,
    address_literal,
    banner,
    expect,
    explained_handshake,
    explained_reply,
    extensions_of,
    full_host_name,
    leave,
)
from monitor.world.smtp_guest import GuestProtocol
from monitor.world.tls import TrustStore, looking_context, moment, read_session


@dataclass(slots=True)
class _Notes:
    """What the conversation under way has shown so far."""

    address: str
    clock: Clock
    phase: str = "connect"
    phases: dict[str, float] = field(default_factory=dict)
    banner: str = ""
    greeting: str = ""
    extensions: dict[str, str] = field(default_factory=dict)
    starttls_offered: bool | None = None
    tls: TlsSession | None = None
    injected: bool = False

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Measure a phase; one that ends early leaves no time."""
        self.phase = phase
        started = self.clock.monotonic()
        yield
        self.phases[phase] = self.clock.monotonic() - started

    def greeted(self, reply: str) -> None:
        """Take what a reply to EHLO tells; the last one counts."""
        self.greeting = reply.partition("\n")[0].strip()
        self.extensions = extensions_of(reply)

    def conversation(self, end: EndedError | None) -> SmtpConversation:
        return SmtpConversation(
            address=self.address,
            phases=self.phases,
            banner=self.banner,
            greeting=self.greeting,
            extensions=self.extensions,
            starttls_offered=self.starttls_offered,
            tls=self.tls,
            injected=self.injected,
            reply_code=end.code if end else None,
            failure=end.failure if end else None,
            reason=end.reason if end else "",
        )


class SmtpProber:
    """Implements `monitor.check.SmtpClient`.

    Args:
        helo: our name in EHLO; "" is this machine's, or our address where the machine has no full name.
        source_address: the address to connect from, for servers of its family.
        command_seconds: the limit of one step (connecting, one reply, the TLS handshake).
        total_seconds: the limit of a conversation.

    `SmtpConversation.reply_code` is that of the reply which ended the conversation early, else None.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        evidence: EgressEvidence,
        store: TrustStore,
        clock: Clock,
        helo: str = "",
        source_address: Address | None = None,
        command_seconds: float = 30.0,
        total_seconds: float = 60.0,
    ) -> None:
        self._connector = Connector(
            guard=guard,
            evidence=evidence,
            source_address=source_address,
            seconds=command_seconds,
        )
        self._store = store
        self._clock = clock
        self._helo = helo or full_host_name()
        self._command_seconds = command_seconds
        self._total_seconds = total_seconds
        self._context = looking_context()

    async def converse(self, address: str, host: str, port: int) -> SmtpConversation:
        """One conversation with `address`; `host` is the name for SNI. Port 465 is TLS from the start."""
        notes = _Notes(address, self._clock)
        try:
            async with asyncio.timeout(self._total_seconds):
                await self._visit(notes, host, port)
        except TimeoutError:
            reason = f"not finished within {self._total_seconds:g} s (phase {notes.phase})"
            return notes.conversation(EndedError(SmtpFailure.TIMEOUT, reason))
        except OSError:
            reason = f"the server closed the connection (phase {notes.phase})"
            return notes.conversation(EndedError(SmtpFailure.PROTOCOL, reason))
        except EndedError as end:
            return notes.conversation(end)
        return notes.conversation(None)

    async def _visit(self, notes: _Notes, host: str, port: int) -> None:
        self._connector.permit(notes.address)
        with notes.timed("connect"):
            connection = await self._connector.connect(notes.address, port)
        guest = GuestProtocol()
        implicit = port == IMPLICIT_TLS_PORT
        try:
            if implicit:
                with self._handshake(notes):
                    await guest.take_encrypted(
                        connection, self._context, host, self._command_seconds
                    )
                self._read_session(guest, notes)
            else:
                await guest.take(connection)
            await self._talk(guest, notes, host, implicit=implicit)
        finally:
            guest.abort()

    async def _talk(
        self, guest: GuestProtocol, notes: _Notes, host: str, *, implicit: bool
    ) -> None:
        helo = self._helo or address_literal(guest)
        with notes.timed("banner"):
            notes.banner = await banner(guest, self._command_seconds)
        with notes.timed("ehlo"):
            notes.greeted(await self._command(guest, notes, DONE, "EHLO", helo))
        if not implicit:
            notes.starttls_offered = "STARTTLS" in notes.extensions
        if notes.starttls_offered:
            with notes.timed("starttls"):
                await self._command(guest, notes, READY, "STARTTLS")
            # RFC 3207 §4.2: what came in the clear counts for nothing once TLS is on.
            notes.injected = guest.spoke_out_of_turn
            with self._handshake(notes):
                await guest.upgrade(self._context, host, self._command_seconds)
            self._read_session(guest, notes)
            notes.phase = "ehlo"
            notes.greeted(await self._command(guest, notes, DONE, "EHLO", helo))
        await leave(guest)

    @contextmanager
    def _handshake(self, notes: _Notes) -> Iterator[None]:
        with explained_handshake(self._command_seconds), notes.timed("tls"):
            yield

    def _read_session(self, guest: GuestProtocol, notes: _Notes) -> None:
        notes.tls = read_session(guest.tls, self._store, moment(self._clock.now()))

    async def _command(
        self, guest: GuestProtocol, notes: _Notes, expected: int, *words: str
    ) -> str:
        with explained_reply(self._command_seconds, words[0], notes.phase):
            code, text = await guest.command(*words, seconds=self._command_seconds)
        return await expect(guest, code, text, expected, f"to {words[0]}")
