"""Metrics, health, readiness, reload: what other programs rely on."""

import asyncio
import gzip

import aiohttp
import pytest

from monitor.web.server import build_application, serve

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_ACCEPTS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("text/html,application/xhtml+xml", TEXT),
        (OPENMETRICS, OPENMETRICS),
        (PROMETHEUS_ACCEPTS, OPENMETRICS),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=nonsense", TEXT),
    ],
)
async def test_the_format_follows_accept(client, accept, content_type):
    async with client.get("/metrics", headers={"Accept": accept, "Accept-Encoding": ""}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == content_type
        assert (await answer.read()).endswith(b"# EOF\n") == (content_type == OPENMETRICS)


@pytest.mark.parametrize(
    ("accept_encoding", "zipped"),
    [
        ("gzip", True),
        ("gzip, deflate;q=0.5", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
    ],
)
async def test_gzip_only_where_it_is_accepted(client, backend, accept_encoding, zipped):
    async with client.get("/metrics", headers={"Accept-Encoding": accept_encoding}) as answer:
        body = await answer.read()
        assert answer.headers.get("Content-Encoding") == ("gzip" if zipped else None)
        assert (gzip.decompress(body) if zipped else body) == backend.exposition


async def test_no_metrics_until_the_state_is_loaded_and_always_after(client, backend):
    """A scrape during a start must fail: an empty one would resolve every alert."""
    backend.unready = "loading the state"
    async with client.get("/metrics") as answer:
        assert (answer.status, await answer.text()) == (503, "not ready: loading the state\n")
    backend.unready = None
    async with client.get("/metrics") as answer:
        assert answer.status == 200
    backend.unready = "the store does not answer"
    async with client.get("/metrics") as answer:
        assert answer.status == 200
    async with client.get("/-/ready") as answer:
        assert (answer.status, await answer.text()) == (
            503,
            "not ready: the store does not answer\n",
        )
    async with client.get("/-/healthy") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload(client, backend, method):
    async with client.request(method, "/-/reload") as answer:
        assert answer.status == 200
    backend.reload_errors = [
        "a.yaml:3: domain: unknown key",
        "a.yaml:9: checks.smpt: unknown check",
    ]
    async with client.request(method, "/-/reload") as answer:
        assert answer.status == 400
        assert (await answer.text()).splitlines() == backend.reload_errors
    assert backend.reloads == 2


async def test_reload_is_not_for_get(client, backend):
    async with client.get("/-/reload") as answer:
        assert answer.status == 405
        assert {"POST", "PUT"} <= set(answer.headers["Allow"].split(","))
    assert backend.reloads == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "SELF"}, 200),
        ({"Origin": "SELF"}, 200),
        ({}, 200),
    ],
)
async def test_other_sites_pages_cannot_reload(client, server, backend, headers, status):
    headers = {name: value.replace("SELF", server.url) for name, value in headers.items()}
    async with client.post("/-/reload", headers=headers) as answer:
        assert answer.status == status
    assert backend.reloads == (status == 200)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/api/v1/status",
        "/domains/example.com",
        "/static/site.css",
    ],
)
async def test_head_answers_as_get_without_a_body(client, path):
    async with client.get(path) as got, client.head(path) as headed:
        assert headed.status == got.status == 200
        assert headed.headers["Content-Type"] == got.headers["Content-Type"]
        assert await headed.read() == b""


@pytest.mark.parametrize("path", ["/", "/metrics", "/nowhere", "/api/v1/status", "/hooks/x"])
async def test_security_headers_are_everywhere(client, path):
    async with client.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert {"style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "aiohttp" not in answer.headers["Server"]


async def test_a_failing_backend_is_a_500_without_a_traceback(client, backend):
    def explode():
        raise RuntimeError("secret detail")

    backend.snapshot = explode
    async with client.get("/api/v1/status") as answer:
        assert answer.status == 500
        assert set(await answer.json()) == {"error"}
        assert "secret" not in await answer.text()


async def test_closing_lets_a_request_finish(backend, monkeypatch):
    """SIGTERM during a hook: its events were stored, so the sender must hear so."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow_reload():
        started.set()
        await go_on.wait()
        return ()

    backend.reload = slow_reload
    monkeypatch.setattr("monitor.web.server._CANCEL_SECONDS", 0.01)
    server = await serve(build_application(backend), "127.0.0.1:0")
    async with aiohttp.ClientSession(server.url) as client, asyncio.TaskGroup() as tasks:
        request = tasks.create_task(client.post("/-/reload"))
        await started.wait()
        closing = tasks.create_task(server.close())
        await asyncio.sleep(0.1)
        assert not closing.done()
        go_on.set()
        assert (await request).status == 200
