"""One query over TCP (RFC 7766). The caller bounds the tries."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from monitor.world.dns.nameserver import Nameserver
from monitor.world.dns.query import Query

_QUICKLY_READ = 4096
"""Bytes of a response that are parsed on the spot."""

_Read = TypeVar("_Read")


async def over_tcp(
    query: Query, server: Nameserver, seconds: float, read: Callable[[bytes], _Read]
) -> _Read:
    """What `read` makes of the response, on a connection of its own.

    Raises:
        TimeoutError: there was no response in time.
        OSError, EOFError: the server cannot be reached, or hung up.
        NotOursError, TruncatedError: the response is none, or not whole; and what else `read` raises.
    """
    async with asyncio.timeout(seconds):
        wire = await _reply(query.wire, server)
        if len(wire) <= _QUICKLY_READ:
            return read(wire)
        # A large response can be made to cost a second of parsing, which must not hold up the others.
        return await asyncio.to_thread(read, wire)


async def _reply(query: bytes, server: Nameserver) -> bytes:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()
