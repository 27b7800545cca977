"""Servers on loopback that do what a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.world.dns.resolver import Resolver
from tests.world.loopback import Dialogue, DnsServer, Script, StartDns, StartTcp


@pytest.fixture(autouse=True)
async def resolvers_closed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A resolver keeps its sockets; what a test leaves open would be complained of in the middle of another."""
    made: list[Resolver] = []
    begin = Resolver.__init__

    def remembered(resolver: Resolver, **options: Any) -> None:
        begin(resolver, **options)
        made.append(resolver)

    monkeypatch.setattr(Resolver, "__init__", remembered)
    yield
    for resolver in made:
        await resolver.aclose()


@pytest.fixture
async def dns_server() -> AsyncIterator[StartDns]:
    servers: list[DnsServer] = []

    async def start(script: Script) -> DnsServer:
        server = DnsServer(script)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def tcp_server() -> AsyncIterator[StartTcp]:
    """Start a TCP server that holds a dialogue with each client; gives its port."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None] | None] = set()

    async def start(dialogue: Dialogue, **options: object) -> int:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task())
            try:
                await dialogue(reader, writer)
            except OSError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0, **options)
        servers.append(server)
        return server.sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def unused_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
