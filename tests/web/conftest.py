"""A real server on a loopback port, and a client."""

import aiohttp
import pytest

from monitor.web.server import build_application, serve
from tests.web.fake_backend import FakeBackend


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.fixture
async def server(backend):
    running = await serve(build_application(backend), "127.0.0.1:0")
    yield running
    await running.close()


@pytest.fixture
async def client(server):
    async with aiohttp.ClientSession(server.url, auto_decompress=False) as session:
        yield session
