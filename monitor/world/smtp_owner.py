"""How an owner comes into a mail host: conversations, and TLS handshakes that are never finished."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from monitor.check import SmtpFailure
from monitor.protocol.tls_hello import Accepted, HelloError, Refused, ServerFlight
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
    own_address,
)
from monitor.world.smtp_guest import GuestProtocol


@dataclass(slots=True)
class Door:
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
    async def conversation(self) -> AsyncIterator["Talk"]:
        """A conversation after EHLO; in the clear, but on a port that begins with TLS.

        Raises:
            EndedError: it did not come about.
        """
        connection = await self.connector.connect(self.address, self.port)
        talk = Talk(self, OwnerProtocol())
        try:
            await talk.begin(connection)
            self.source = own_address(talk.guest)
            yield talk
        finally:
            talk.guest.abort()

    @asynccontextmanager
    async def unfinished_handshake(self) -> AsyncIterator["HelloListener"]:
        """Where a TLS handshake would begin, with STARTTLS agreed upon where it takes that."""
        listener = HelloListener()
        if self.implicit:
            connection = await self.connector.connect(self.address, self.port)
            await asyncio.get_running_loop().create_connection(lambda: listener, sock=connection)
            try:
                yield listener
            finally:
                listener.abort()
            return
        async with self.conversation() as talk:
            await talk.command(READY, "STARTTLS")
            listener.take_over(talk.guest.connection)
            yield listener


class OwnerProtocol(GuestProtocol):
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
class Talk:
    """One conversation."""

    door: Door
    guest: OwnerProtocol
    extensions: dict[str, str] = field(default_factory=dict)
    encrypted: bool = False

    async def begin(self, connection: socket.socket) -> None:
        """The banner and EHLO, with TLS before them where the port wants it."""
        if self.door.implicit:
            with explained_handshake(self.door.seconds):
                await self.guest.take_encrypted(
                    connection, self.door.tls, self.door.host, self.door.seconds
                )
            self.encrypted = True
        else:
            await self.guest.take(connection)
        await banner(self.guest, self.door.seconds)
        await self._ehlo()

    async def upgrade(self) -> None:
        """TLS on this connection, once STARTTLS was agreed upon."""
        with explained_handshake(self.door.seconds):
            await self.guest.upgrade(self.door.tls, self.door.host, self.door.seconds)
        self.encrypted = True

    async def encrypt(self) -> None:
        """TLS where it is offered."""
        if not self.encrypted and "STARTTLS" in self.extensions:
            await self.command(READY, "STARTTLS")
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
        self.extensions = extensions_of(await self.command(DONE, "EHLO", helo))


class HelloListener(asyncio.Protocol):
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
        """Asyncio's: the connection is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio's: a part of the answer."""
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
        """Asyncio's: the server hung up."""
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
