"""SMTP servers that misbehave: each a conversation with one client, until it leaves.

The faults are those of a hostile or broken server: S1, S2, S4, S5 and S6 of the usual fault matrix.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from monitor.lab.scenario import Manner

Conversation = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter, str, ssl.SSLContext], Awaitable[None]
]

_LONG_LINE_OCTETS = 10_000_000
_GIGANTIC_LINES = 5000
_PAUSE_SECONDS = 0.01
_CONSENT = b"220 go ahead\r\n"


async def _tarpit(
    _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, _tls: ssl.SSLContext
) -> None:
    """Give the banner at one octet a second, and never finish it."""
    for octet in f"220-{name} ".encode() + b"." * 1_000_000:
        writer.write(bytes((octet,)))
        await writer.drain()
        await asyncio.sleep(1)


async def _endless(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, _tls: ssl.SSLContext
) -> None:
    """Answer EHLO with lines of which none is the last."""
    writer.write(f"220 {name} ESMTP\r\n".encode())
    await reader.readline()
    while True:
        writer.write(f"250-{name}\r\n".encode() * 100)
        await writer.drain()
        await asyncio.sleep(_PAUSE_SECONDS)


async def _endless_banner(
    _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, _tls: ssl.SSLContext
) -> None:
    """Greet with lines of which none is the last."""
    while True:
        writer.write(f"220-{name} welcomes you\r\n".encode() * 100)
        await writer.drain()
        await asyncio.sleep(_PAUSE_SECONDS)


async def _gigantic(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, _tls: ssl.SSLContext
) -> None:
    """Answer EHLO with few lines, each as long as a careful client just takes."""
    writer.write(f"220 {name} ESMTP\r\n".encode())
    await reader.readline()
    for _ in range(_GIGANTIC_LINES):
        writer.write(b"250-" + b"X" * 2000 + b"\r\n")
        await writer.drain()
    await reader.readline()


async def _long_line(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _name: str, _tls: ssl.SSLContext
) -> None:
    """Give a banner of ten million octets in one line."""
    writer.write(b"220 " + b"x" * _LONG_LINE_OCTETS + b"\r\n")
    await writer.drain()
    await reader.readline()


async def _busy(
    _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, _tls: ssl.SSLContext
) -> None:
    """Refuse for now, before anything was asked (RFC 5321 §3.8)."""
    writer.write(f"421 4.7.0 {name} too many connections, try again later\r\n".encode())
    await writer.drain()


async def _injecting(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, tls: ssl.SSLContext
) -> None:
    """Send a plaintext reply behind the 220 to STARTTLS, which a client must drop (RFC 3207 §6)."""
    await _converse(reader, writer, name, tls, consent=_CONSENT + b"250 injected.invalid\r\n")


async def _buffering(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, tls: ssl.SSLContext
) -> None:
    """Keep what came in plaintext behind STARTTLS, and answer it inside TLS (CVE-2011-0411)."""
    await _converse(reader, writer, name, tls, keeps=True)


async def _stalled(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, _tls: ssl.SSLContext
) -> None:
    """Agree to STARTTLS and say nothing more."""
    writer.write(f"220 {name} ESMTP\r\n".encode())
    while command := await reader.readline():
        if command.upper().startswith(b"STARTTLS"):
            writer.write(_CONSENT)
            break
        writer.write(f"250-{name}\r\n250 STARTTLS\r\n".encode())
    while await reader.read(4096):
        pass


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    name: str,
    tls: ssl.SSLContext,
    *,
    consent: bytes = _CONSENT,
    keeps: bool = False,
) -> None:
    """A server as others, but for its consent to STARTTLS and for what it keeps of the time before TLS."""
    writer.write(f"220 {name} ESMTP\r\n".encode())
    encrypted, pending = False, b""
    while True:
        while b"\n" not in pending:
            part = await reader.read(4096)
            if not part:
                return
            pending += part
        command, _, pending = pending.partition(b"\n")
        verb = command.strip().upper()
        if verb == b"STARTTLS" and not encrypted:
            writer.write(consent)
            await writer.drain()
            await writer.start_tls(tls)
            encrypted, pending = True, pending if keeps else b""
        elif verb == b"QUIT":
            writer.write(b"221 bye\r\n")
            return
        else:
            writer.write(_reply_to(verb, name, encrypted=encrypted))


def _reply_to(verb: bytes, name: str, *, encrypted: bool) -> bytes:
    if verb.startswith(b"EHLO"):
        offered = "" if encrypted else "250-STARTTLS\r\n"
        return f"250-{name}\r\n250-PIPELINING\r\n{offered}250 8BITMIME\r\n".encode()
    if verb.startswith(b"RCPT"):
        return b"550 5.7.1 relaying denied\r\n"
    return b"250 2.0.0 OK\r\n"


CONVERSATIONS: dict[Manner, Conversation] = {
    Manner.TARPIT: _tarpit,
    Manner.ENDLESS: _endless,
    Manner.ENDLESS_BANNER: _endless_banner,
    Manner.GIGANTIC: _gigantic,
    Manner.LONG_LINE: _long_line,
    Manner.BUSY: _busy,
    Manner.INJECTING: _injecting,
    Manner.STALLED: _stalled,
    Manner.BUFFERING: _buffering,
}
