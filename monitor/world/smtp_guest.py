"""The SMTP wire: aiosmtplib's protocol, with limits on what a server may send to us."""

import asyncio
import socket
import ssl
from typing import cast

from aiosmtplib.errors import SMTPException, SMTPServerDisconnected, SMTPTimeoutError
from aiosmtplib.protocol import SMTPProtocol

LONGEST_LINE = 2048
"""Bytes; RFC 5321 §4.5.3.1.5 allows 512, real servers send more."""
MOST_LINES = 100
"""Lines of one reply."""
MOST_BYTES = 65536
"""Of one conversation."""

_REPLY_CODES = range(200, 600)


class MisbehavedError(Exception):
    """The server broke the protocol or our limits, or closed the connection; the text says how."""


class GuestProtocol(SMTPProtocol):
    """One connection as a guest: replies bounded in lines, line length and total size.

    What a server sends before it is asked, or behind the reply that was asked for, is dropped;
    `spoke_out_of_turn` says that it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spoke_out_of_turn = False
        self._broken = ""
        self._received = 0
        self._lines = 0
        self._line_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count, then let aiosmtplib parse."""
        self._count(data)
        if self._broken:
            self.abort()
            return
        waiter = self._response_waiter
        if not self._response_pending or waiter is None or waiter.done():
            self.spoke_out_of_turn = True
        super().data_received(data)
        if waiter is not None and waiter.done() and self._buffer:
            self.spoke_out_of_turn = True
            self._buffer.clear()

    def _count(self, data: bytes) -> None:
        self._received += len(data)
        first, *others = data.split(b"\n")
        longest = max(self._line_bytes + len(first), *map(len, others), 0)
        self._line_bytes = len(others[-1]) if others else self._line_bytes + len(first)
        self._lines += len(others)
        if longest > LONGEST_LINE:
            self._broken = f"sent a line longer than {LONGEST_LINE} bytes"
        elif self._lines > MOST_LINES:
            self._broken = f"sent a reply of more than {MOST_LINES} lines"
        elif self._received > MOST_BYTES:
            self._broken = f"sent more than {MOST_BYTES} bytes"

    async def reply(self, seconds: float) -> tuple[int, str]:
        """The server's next reply (the banner): code and text, lines joined by newline.

        Raises:
            TimeoutError: not within `seconds`.
            MisbehavedError: no valid reply came.
        """
        try:
            code, text = await self.read_response(timeout=seconds)
        except SMTPTimeoutError:
            raise TimeoutError from None
        except SMTPException as error:
            raise MisbehavedError(self._misdeed(error)) from None
        return self._plain(code, text)

    async def command(self, *words: str, seconds: float) -> tuple[int, str]:
        """Send a command and read its reply; raises as `reply` does."""
        self._lines = 0
        self.spoke_out_of_turn = False
        try:
            code, text = await self.execute_command(
                *(word.encode("ascii") for word in words), timeout=seconds
            )
        except SMTPTimeoutError:
            raise TimeoutError from None
        except SMTPException as error:
            raise MisbehavedError(self._misdeed(error)) from None
        return self._plain(code, text)

    def _plain(self, code: int, text: str) -> tuple[int, str]:
        if code not in _REPLY_CODES:
            raise MisbehavedError("sent a reply without a valid code")
        # aiosmtplib keeps bytes that are no UTF-8 as surrogates, which no file or page can hold.
        return code, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def _misdeed(self, error: SMTPException) -> str:
        if self._broken:
            return self._broken
        if isinstance(error, SMTPServerDisconnected):
            return "closed the connection"
        return str(error.message)[:200]

    async def take(self, connection: socket.socket) -> None:
        """Speak on a connected socket, which is ours to close from here on."""
        await asyncio.get_running_loop().create_connection(lambda: self, sock=connection)

    async def take_encrypted(
        self, connection: socket.socket, context: ssl.SSLContext, host: str, seconds: float
    ) -> None:
        """The same with TLS before the first word, with `host` as SNI; raises as `upgrade` does."""
        await asyncio.get_running_loop().create_connection(
            lambda: self,
            sock=connection,
            ssl=context,
            server_hostname=host,
            ssl_handshake_timeout=seconds,
        )

    async def upgrade(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Start TLS on this connection, with `host` as SNI.

        Raises:
            OSError: the handshake failed (`ssl.SSLError`), was cut off, or took longer than `seconds`
                (`ConnectionAbortedError`).
            ValueError: the name cannot be sent as SNI.
        """
        if self.transport is None:
            raise ConnectionResetError("closed the connection")
        upgraded = await asyncio.get_running_loop().start_tls(
            cast("asyncio.WriteTransport", self.transport),
            self,
            context,
            server_hostname=host,
            ssl_handshake_timeout=seconds,
        )
        if upgraded is None:  # the connection was lost meanwhile
            raise ConnectionResetError("closed the connection")
        self.transport = upgraded
        self._over_ssl = True

    @property
    def tls(self) -> ssl.SSLObject:
        """The TLS session of a connection that has one."""
        if self.transport is None:
            raise ConnectionResetError("closed the connection")
        return cast("ssl.SSLObject", self.transport.get_extra_info("ssl_object"))

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()
