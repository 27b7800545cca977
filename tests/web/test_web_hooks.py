"""Hooks: the raw body reaches the receiver once, within limits."""

import asyncio
import gzip
import json
from io import BytesIO

import pytest

from monitor.ingest.hooks import Reply
from monitor.web import bodies
from monitor.web.server import build_application, serve


async def test_the_body_arrives_as_it_was_sent(client, backend):
    """Signatures are over the bytes on the wire, so nothing is inflated on the way."""
    body = gzip.compress(b'{"id": "1"}\r\n')
    headers = {"Content-Encoding": "gzip", "X-Signature": "sha256=00"}
    async with client.post("/hooks/shop", data=body, headers=headers) as answer:
        assert answer.status == 200
        assert await answer.json() == backend.hook_reply.body
    [(name, headers, received)] = backend.hooked
    assert (name, received, headers["x-signature"]) == ("shop", body, "sha256=00")


async def test_the_receivers_reply_is_passed_on(client, backend):
    backend.hook_reply = Reply(503, {"error": "send them again"}, {"Retry-After": "10"})
    async with client.post("/hooks/shop", data=b"{}") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert await answer.json() == {"error": "send them again"}


async def test_head_needs_no_signature_and_counts_nothing(client, backend):
    async with client.head("/hooks/shop") as answer:
        assert answer.status == 200
    assert backend.hooked == []


async def test_get_is_not_allowed(client):
    async with client.get("/hooks/shop") as answer:
        assert answer.status == 405


async def chunks(size):
    for _ in range(size // 65536 + 1):
        yield b"x" * 65536


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_is_refused(client, backend, chunked):
    size = bodies.BODY_LIMIT + 1
    async with client.post(
        "/hooks/shop", data=chunks(size) if chunked else BytesIO(b"x" * size)
    ) as answer:
        assert answer.status == 413
        assert await answer.json() == {"error": "the body is too large"}
    assert backend.hooked == []


async def test_a_body_at_the_limit_is_taken(client, backend):
    async with client.post("/hooks/shop", data=BytesIO(b"x" * bodies.BODY_LIMIT)) as answer:
        assert answer.status == 200
    assert len(backend.hooked[0][2]) == bodies.BODY_LIMIT


async def talk(server, sent):
    """All that the server says to these bytes until it closes."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_a_body_that_does_not_come_is_a_408(backend, monkeypatch):
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.1)
    monkeypatch.setattr("monitor.web.server._LINGER_SECONDS", 0.1)
    server = await serve(build_application(backend), "127.0.0.1:0")
    said = await talk(
        server, b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    )
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert json.loads(body) == {"error": "the body did not arrive in time"}
    assert backend.hooked == []
    await server.close()


async def test_broken_chunks_are_a_400(server, backend):
    said = await talk(
        server,
        b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    )
    assert said.startswith(b"HTTP/1.0 400")
    assert backend.hooked == []
