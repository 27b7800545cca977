"""The SMTP prober: one polite conversation (EHLO, STARTTLS, EHLO, QUIT), never MAIL or RCPT."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from monitor.check import Clock, SmtpConversation, SmtpFailure, TlsSession
from monitor.world.connect import connect_trouble, open_socket
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp_guest import GuestProtocol, MisbehavedError
from monitor.world.tls import TrustStore, looking_context, moment, read_session, ssl_words

IMPLICIT_TLS_PORT = 465

_READY = 220
_DONE = 250
_QUIT_SECONDS = 2.0


class _EndedError(Exception):
    """The conversation cannot go on."""

    def __init__(self, failure: SmtpFailure, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.code = code


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
        self.extensions = _extensions(reply)

    def conversation(self, end: _EndedError | None) -> SmtpConversation:
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
        source_address: str | None = None,
        command_seconds: float = 30.0,
        total_seconds: float = 60.0,
    ) -> None:
        self._guard = guard
        self._evidence = evidence
        self._store = store
        self._clock = clock
        self._helo = helo or _full_host_name()
        self._source = ip_address(source_address) if source_address else None
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
            return notes.conversation(_EndedError(SmtpFailure.TIMEOUT, reason))
        except OSError:
            reason = f"the server closed the connection (phase {notes.phase})"
            return notes.conversation(_EndedError(SmtpFailure.PROTOCOL, reason))
        except _EndedError as end:
            return notes.conversation(end)
        return notes.conversation(None)

    async def _visit(self, notes: _Notes, host: str, port: int) -> None:
        refusal = self._guard.permit(notes.address)
        if refusal is not None:
            raise _EndedError(SmtpFailure.FORBIDDEN, refusal)
        connection = await self._connect(notes, port)
        guest = GuestProtocol()
        implicit = port == IMPLICIT_TLS_PORT
        try:
            if implicit:
                await self._open_tls(guest, notes, connection, host)
            else:
                await asyncio.get_running_loop().create_connection(lambda: guest, sock=connection)
            await self._talk(guest, notes, host, implicit=implicit)
        finally:
            guest.abort()

    async def _connect(self, notes: _Notes, port: int) -> socket.socket:
        where = f"{notes.address} port {port}"
        try:
            with notes.timed("connect"):
                async with asyncio.timeout(self._command_seconds):
                    connection = await open_socket(
                        notes.address, self._guard.port(port), self._source
                    )
        except OSError as error:  # TimeoutError is one
            self._evidence.note(port, connected=False)
            reason = f"no connection to {where}: {connect_trouble(error, self._command_seconds)}"
            raise _EndedError(SmtpFailure.CONNECT, reason) from None
        self._evidence.note(port, connected=True)
        return connection

    async def _talk(
        self, guest: GuestProtocol, notes: _Notes, host: str, *, implicit: bool
    ) -> None:
        helo = self._helo or _address_literal(guest)
        with notes.timed("banner"):
            notes.banner = await self._reply(guest, notes, _READY)
        with notes.timed("ehlo"):
            notes.greeted(await self._command(guest, notes, _DONE, "EHLO", helo))
        if not implicit:
            notes.starttls_offered = "STARTTLS" in notes.extensions
        if notes.starttls_offered:
            with notes.timed("starttls"):
                await self._command(guest, notes, _READY, "STARTTLS")
            # RFC 3207 §4.2: what came in the clear counts for nothing once TLS is on.
            notes.injected = guest.spoke_out_of_turn
            with self._handshake(notes):
                await guest.upgrade(self._context, host, self._command_seconds)
            self._read_session(guest, notes)
            notes.phase = "ehlo"
            notes.greeted(await self._command(guest, notes, _DONE, "EHLO", helo))
        await _leave(guest)

    async def _open_tls(
        self, guest: GuestProtocol, notes: _Notes, connection: socket.socket, host: str
    ) -> None:
        # From here on the socket is the transport's, which closes it.
        with self._handshake(notes):
            await asyncio.get_running_loop().create_connection(
                lambda: guest,
                sock=connection,
                ssl=self._context,
                server_hostname=host,
                ssl_handshake_timeout=self._command_seconds,
            )
        self._read_session(guest, notes)

    @contextmanager
    def _handshake(self, notes: _Notes) -> Iterator[None]:
        try:
            with notes.timed("tls"):
                yield
        except ConnectionAbortedError:
            reason = f"the TLS handshake was not finished within {self._command_seconds:g} s"
            raise _EndedError(SmtpFailure.TIMEOUT, reason) from None
        except ssl.SSLError as error:
            reason = f"the TLS handshake failed: {ssl_words(error)}"
            raise _EndedError(SmtpFailure.TLS, reason) from None
        except OSError:
            reason = "the server closed the connection during the TLS handshake"
            raise _EndedError(SmtpFailure.TLS, reason) from None
        except ValueError as error:  # a name that cannot be sent as SNI
            raise _EndedError(SmtpFailure.TLS, str(error)) from None

    def _read_session(self, guest: GuestProtocol, notes: _Notes) -> None:
        notes.tls = read_session(guest.tls, self._store, moment(self._clock.now()))

    async def _command(
        self, guest: GuestProtocol, notes: _Notes, expected: int, *words: str
    ) -> str:
        with self._explained(notes, words[0]):
            code, text = await guest.command(*words, seconds=self._command_seconds)
        return await _expect(guest, code, text, expected, f"to {words[0]}")

    async def _reply(self, guest: GuestProtocol, notes: _Notes, expected: int) -> str:
        with self._explained(notes, "connecting"):
            code, text = await guest.reply(self._command_seconds)
        return await _expect(guest, code, text, expected, "as its banner")

    @contextmanager
    def _explained(self, notes: _Notes, what: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            reason = f"no complete reply within {self._command_seconds:g} s after {what}"
            raise _EndedError(SmtpFailure.TIMEOUT, reason) from None
        except MisbehavedError as error:
            reason = f"the server {error} (after {what}, phase {notes.phase})"
            raise _EndedError(SmtpFailure.PROTOCOL, reason) from None


async def _expect(guest: GuestProtocol, code: int, text: str, expected: int, where: str) -> str:
    if code == expected:
        return text
    await _leave(guest)
    raise _EndedError(SmtpFailure.REPLY, f"the server said {code} {where}: {text[:200]}", code)


async def _leave(guest: GuestProtocol) -> None:
    with suppress(TimeoutError, MisbehavedError):
        await guest.command("QUIT", seconds=_QUIT_SECONDS)


def _extensions(reply: str) -> dict[str, str]:
    """The keywords behind the greeting line of an EHLO reply (RFC 5321 §4.1.1.1)."""
    found = {}
    for line in reply.split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword:
            found[keyword.upper()] = parameters.strip()
    return found


def _full_host_name() -> str:
    name = socket.gethostname()
    return name if "." in name.strip(".") else ""


def _address_literal(guest: GuestProtocol) -> str:
    """Our end of the connection, for a machine without a full name (RFC 5321 §4.1.3)."""
    if guest.transport is None:
        return "[127.0.0.1]"
    address = guest.transport.get_extra_info("sockname")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
