"""A bad link on loopback, in a process of its own: datagrams take their time, and some get lost."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DELAY_SECONDS = 0.010
"""Each way: a round trip takes 20 ms."""
LOSS = 0.05


@contextmanager
def lossy_link(port: int) -> Iterator[int]:
    """The port that leads to `port` over the bad link."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)


class _Front(asyncio.DatagramProtocol):
    """Who asks, each with a socket of its own to the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._backs: dict[tuple[str, int], _Back] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        back = self._backs.get(addr)
        if back is None:
            back = self._backs[addr] = _Back(self, addr)
            opened = asyncio.get_running_loop().create_datagram_endpoint(
                lambda: back, remote_addr=("127.0.0.1", self._port)
            )
            back.opening = asyncio.create_task(opened)
        _later(back.forward, data)


class _Back(asyncio.DatagramProtocol):
    def __init__(self, front: _Front, addr: tuple[str, int]) -> None:
        self._front = front
        self._addr = addr
        self._transport: asyncio.DatagramTransport | None = None
        self.opening: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def forward(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        _later(self._front.transport.sendto, data, self._addr)


def _later(send: object, *arguments: object) -> None:
    if random.random() >= LOSS / 2:
        asyncio.get_running_loop().call_later(DELAY_SECONDS, send, *arguments)


async def _serve(port: int) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Front(port), local_addr=("127.0.0.1", 0)
    )
    print(transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
