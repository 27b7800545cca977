"""One query to one server, and its response: UDP, TCP where that was truncated. The caller bounds the tries."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from monitor.world.dns.message import NotOursError, TruncatedError
from monitor.world.dns.nameserver import Nameserver
from monitor.world.dns.pace import Deadlines
from monitor.world.dns.query import Query
from monitor.world.dns.tcp import over_tcp
from monitor.world.dns.udp import Sent, UdpChannel

_Read = TypeVar("_Read")


async def exchanged(
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
    loop = asyncio.get_running_loop()
    deadlines = Deadlines()
    channel = UdpChannel(server, deadlines, sockets=1)
    response: asyncio.Future[_Read] = loop.create_future()
    try:
        channel.ask(_Awaited(query, seconds, read, response), loop.time(), loop)
        return await response
    except TruncatedError:
        return await over_tcp(query, server, tcp_seconds, read)
    finally:
        channel.close()
        deadlines.close()


class _Awaited(Sent, Generic[_Read]):
    """A query with a future for what is read of its response."""

    def __init__(
        self,
        query: Query,
        seconds: float,
        read: Callable[[bytes], _Read],
        future: asyncio.Future[_Read],
    ) -> None:
        super().__init__()
        self.query = query
        self.seconds = seconds
        self.future = future
        self._read = read

    def replied(self, wire: bytes) -> None:
        if self.future.done():
            return
        try:
            self.future.set_result(self._read(wire))
        except NotOursError:
            return  # forged or broken: the true one may follow (CVE-2023-29483)
        except Exception as error:  # noqa: BLE001 - told to who waits
            self.future.set_exception(error)

    def silent(self) -> None:
        self.unreached(TimeoutError())

    def unreached(self, error: OSError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
