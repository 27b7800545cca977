"""Clients that are slow, greedy or speak something else."""

import asyncio
import socket

import pytest

from monitor.web import guard, server
from monitor.web.server import build_application, serve
from tests.web.fake_backend import FakeBackend


async def connect(running):
    host, _, port = running.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def started(backend, monkeypatch, **limits):
    for name, value in limits.items():
        monkeypatch.setattr(server, name, value)
    return await serve(build_application(backend), "127.0.0.1:0")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch, sent):
    """Slowloris: neither silence nor a head that trickles keeps a connection."""
    running = await started(FakeBackend(), monkeypatch, _IDLE_SECONDS=0.3)
    reader, writer = await connect(running)
    writer.write(sent)

    async def trickle():
        while not writer.is_closing():
            writer.write(b"x" if sent else b"")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    try:
        async with asyncio.timeout(5):
            assert await reader.read() == b""
    except ConnectionResetError:
        pass
    finally:
        writer.close()
        await trickling
        await running.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 100 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["long-line", "long-header", "many-headers", "tls"],
)
async def test_what_is_no_decent_request_is_a_400(monkeypatch, head):
    running = await started(FakeBackend(), monkeypatch)
    reader, writer = await connect(running)
    writer.write(head)
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.0 400")
    writer.close()
    await running.close()


async def test_a_client_that_does_not_read_is_dropped(monkeypatch):
    """Its answer would stay in memory for ever."""
    monkeypatch.setattr(guard, "SEND_SECONDS", 0.3)
    running = await started(FakeBackend(exposition=b"x" * 30_000_000), monkeypatch)
    host, _, port = running.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.to_thread(client.recv, 1)
        async with asyncio.timeout(5):
            while running._runner.server.connections:
                await asyncio.sleep(0.02)
    await running.close()


async def test_a_request_that_hangs_does_not_hold_up_the_end(monkeypatch):
    backend = FakeBackend()
    called = asyncio.Event()

    async def hang():
        called.set()
        await asyncio.Event().wait()

    backend.not_ready = hang
    running = await started(backend, monkeypatch, FINISH_SECONDS=0.1)
    _reader, writer = await connect(running)
    writer.write(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    await called.wait()
    async with asyncio.timeout(2):
        await running.close()
    writer.close()


async def test_a_taken_address_is_an_os_error():
    running = await serve(build_application(FakeBackend()), "127.0.0.1:0")
    with pytest.raises(OSError, match="in use"):
        await serve(build_application(FakeBackend()), running.url.removeprefix("http://"))
    await running.close()


async def test_ipv6_addresses_are_served():
    running = await serve(build_application(FakeBackend()), "[::1]:0")
    assert running.url.startswith("http://[::1]:")
    await running.close()
