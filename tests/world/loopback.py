"""A nameserver on loopback that says what a test says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import dns.message
import dns.rdatatype

Script = Callable[[dns.message.Message, str], list[bytes]]
"""(query, `udp` or `tcp`) -> what to send, in this order; nothing is silence."""


@dataclass
class DnsServer:
    """A nameserver on one port, UDP and TCP; `asked` has (name, type, transport) in order."""

    script: Script
    port: int = 0
    host: str = "127.0.0.1"
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    closers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def replies(self, wire: bytes, transport: str) -> list[bytes]:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()  # it comes in any case
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), transport))
        self.was_asked.set()
        return self.script(query, transport)

    async def start(self) -> None:
        tcp = await asyncio.start_server(self._converse, self.host, self.port)
        self.port = tcp.sockets[0].getsockname()[1]
        udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(self.host, self.port)
        )
        self.closers = [tcp.close, udp.close]

    def close(self) -> None:
        for close in self.closers:
            close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await reader.readexactly(2), "big")
            for reply in self.replies(await reader.readexactly(size), "tcp"):
                writer.write(reply)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for reply in self.server.replies(data, "udp"):
            self.transport.sendto(reply, addr)


StartDns = Callable[[Script], Awaitable[DnsServer]]
Dialogue = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcp = Callable[..., Awaitable[int]]
"""(dialogue, options of asyncio.start_server) -> port"""
