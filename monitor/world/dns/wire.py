"""The DNS transports: one query out, whatever comes back in, over UDP or TCP. The caller bounds the time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

_MOST_WAITING = 64
"""Datagrams kept for reading; more is a flood, and what is dropped is asked for again."""


@dataclass(frozen=True, slots=True)
class Nameserver:
    """Where questions go: an address and a port."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )

    @classmethod
    def parse(cls, text: str) -> "Nameserver":
        """From `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5353`.

        Raises:
            ValueError: anything else.
        """
        address, port = text, ""
        if text.startswith("["):
            address, _, port = text[1:].partition("]")
            port = port.removeprefix(":")
        elif text.count(":") == 1:
            address, _, port = text.partition(":")
        if port and not (port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError(f"{text!r} has no valid port")
        return cls(str(ip_address(address)), int(port) if port else 53)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes | Exception] = asyncio.Queue(_MOST_WAITING)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        if not self._arrived.full():
            self._arrived.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        if not self._arrived.full():
            self._arrived.put_nowait(exc)

    async def next(self) -> bytes:
        arrived = await self._arrived.get()
        if isinstance(arrived, Exception):
            raise arrived
        return arrived


@asynccontextmanager
async def udp_replies(
    query: bytes, server: Nameserver
) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Send the query; what is yielded gives the next datagram that the server sends.

    The socket is connected and its port random: the kernel drops what comes from elsewhere, and a
    port where nobody listens is known at once.

    Raises:
        OSError: the server cannot be reached, now or when a datagram is awaited.
    """
    transport, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
        _Datagrams, remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(query)
        yield datagrams.next
    finally:
        transport.close()


async def tcp_reply(query: bytes, server: Nameserver) -> bytes:
    """One query and one response on a connection of its own (RFC 7766).

    Raises:
        OSError: the server cannot be reached.
        EOFError: the server closed the connection before the response was whole.
    """
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()
