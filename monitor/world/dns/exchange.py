"""One query to one server, and its response: UDP, TCP where that was truncated. The caller bounds the tries."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from monitor.world.dns.message import NotOursError, Query, TruncatedError
from monitor.world.dns.wire import Nameserver, tcp_reply, udp_replies

_QUICKLY_READ = 4096
"""Bytes of a response that are parsed on the spot."""

_Read = TypeVar("_Read")


async def over_udp(
    query: Query,
    server: Nameserver,
    seconds: float,
    read: Callable[[bytes], _Read],
    *,
    tcp_seconds: float,
) -> _Read:
    """What `read` makes of the response; over TCP, within `tcp_seconds`, where that over UDP was truncated.

    `read` raises what `monitor.world.dns.message.read_message` raises.

    Raises:
        TimeoutError: there was no response in time.
        OSError, EOFError: the server cannot be reached, or hung up.
    """
    try:
        async with asyncio.timeout(seconds), udp_replies(query.wire, server) as next_reply:
            while True:
                wire = await next_reply()
                try:
                    return await _read_whole(wire, read)
                except NotOursError:
                    continue  # forged or broken: the true one may follow (CVE-2023-29483)
    except TruncatedError:
        return await over_tcp(query, server, tcp_seconds, read)


async def over_tcp(
    query: Query, server: Nameserver, seconds: float, read: Callable[[bytes], _Read]
) -> _Read:
    """The same over TCP.

    Raises:
        NotOursError, TruncatedError: the response is none, or is still not whole.
        TimeoutError, OSError, EOFError: as above.
    """
    async with asyncio.timeout(seconds):
        return await _read_whole(await tcp_reply(query.wire, server), read)


async def _read_whole(wire: bytes, read: Callable[[bytes], _Read]) -> _Read:
    if len(wire) <= _QUICKLY_READ:
        return read(wire)
    # A large response can be made to cost a second of parsing, which must not hold up the others.
    return await asyncio.to_thread(read, wire)
