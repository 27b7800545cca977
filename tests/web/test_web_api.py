"""The API: its fields, its filters, its description, and accepting drift."""

import json

import pytest

from monitor.web.api import openapi
from monitor.web.server import build_application
from tests.web.fake_backend import ACCEPTED, HOSTILE, SEEN

ACCEPT = {"check": "dmarc", "target": "example.com", "subject": "record", "seen": SEEN}


def api_routes(backend):
    return {
        (route.resource.canonical, route.method.lower())
        for route in build_application(backend).router.routes()
        if route.resource.canonical.startswith("/api/") and route.method != "HEAD"
    }


def test_openapi_describes_exactly_the_routes(backend):
    described = {(path, method) for path, item in openapi()["paths"].items() for method in item}
    assert described == api_routes(backend)


def resolve(schema):
    while "$ref" in schema:
        node = openapi()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def conforms(value, schema, where="$"):
    """A value against the part of JSON Schema that the document uses; no field may be undescribed."""
    schema = resolve(schema)
    if "enum" in schema:
        assert value in schema["enum"], where
    if "type" in schema:
        named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, TYPES[name]) for name in named), where
    if isinstance(value, list):
        for number, item in enumerate(value):
            conforms(item, schema["items"], f"{where}[{number}]")
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) == set(value) == set(schema["properties"]), where
        for name, item in value.items():
            conforms(item, schema["properties"][name], f"{where}.{name}")


@pytest.mark.parametrize(
    "path",
    [path for path, item in openapi()["paths"].items() if "get" in item and "openapi" not in path],
)
async def test_answers_are_as_described(client, path):
    needed = {
        one["name"]: one["example"]
        for one in openapi()["paths"][path]["get"].get("parameters", ())
        if one.get("required")
    }
    async with client.get(path, params=needed) as answer:
        assert answer.status == 200
        content = openapi()["paths"][path]["get"]["responses"]["200"]["content"]
        conforms(await answer.json(), content["application/json"]["schema"])


async def test_the_description_is_served(client):
    async with client.get("/api/v1/openapi.json") as answer:
        assert await answer.json() == openapi()


async def test_a_finding_in_full(client):
    async with client.get("/api/v1/findings?severity=critical") as answer:
        [found] = (await answer.json())["findings"]
    assert found == {
        "code": "dmarc.policy_weakened",
        "severity": "critical",
        "summary": "the policy went from reject to none: anyone can send as example.com",
        "evidence": SEEN,
        "fix": found["fix"],
        "check": "dmarc",
        "target": "example.com",
        "domain": "example.com",
        "subject": "record",
        "since": "2026-11-18T06:06:40Z",
        "last_seen": "2026-11-18T11:05:40Z",
        "first_seen": "2026-11-17T11:06:40Z",
        "returns": 3,
        "flaps": True,
        "story": "first seen 2026-11-17 11:06:40 UTC, came back 3 times; it flaps, so it stays open until it was "
        "not found for 6 h",
    }


async def test_what_went_is_told_with_its_result(client):
    async with client.get("/api/v1/results?check=dmarc") as answer:
        [found] = (await answer.json())["results"]
    assert found["gone"] == [
        {
            "code": "dmarc.record_missing",
            "subject": "record",
            "first_seen": "2026-11-14T11:06:40Z",
            "last_seen": "2026-11-14T13:06:40Z",
            "returns": 0,
        }
    ]


@pytest.mark.parametrize(
    ("query", "targets"),
    [
        ("check=dmarc", ["example.com"]),
        ("domain=news.example.com", ["news.example.com", "news.example.com"]),
        ("status=unknown", ["192.0.2.10"]),
        ("check=mx&domain=example.com&status=ok", ["example.com"]),
        ("check=nothing", []),
    ],
)
async def test_results_are_filtered(client, query, targets):
    async with client.get(f"/api/v1/results?{query}") as answer:
        assert [one["target"] for one in (await answer.json())["results"]] == targets


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/results?state=ok",
        "/api/v1/results?status=fine",
        "/api/v1/findings?severity=page",
        "/api/v1/status?a=b",
    ],
)
async def test_a_filter_that_does_not_exist_is_told(client, path):
    """Ignoring it would answer another question than the one asked."""
    async with client.get(path) as answer:
        assert answer.status == 400
        assert set(await answer.json()) == {"error"}


async def test_status_never_hides_what_waits(client):
    async with client.get("/api/v1/status") as answer:
        status = await answer.json()
    assert status["waiting"] == [
        {"check": "dmarc", "target": "news.example.com", "domain": "news.example.com"}
    ]
    assert status["domains"][1]["checks"]["dmarc"] == "waiting"
    assert status["results"]["waiting"] == 1


async def test_text_from_outside_is_cut_and_spelt_out(client):
    async with client.get("/api/v1/findings?check=spf") as answer:
        raw = await answer.read()
    [found] = json.loads(raw)["findings"]
    assert found["evidence"].startswith('<script>alert(1)</script> "} \\x1b[31m \\u202eevil\\u2066')
    assert len(found["evidence"]) < len(HOSTILE)
    assert raw.isascii()
    assert b"\x1b" not in raw


async def test_accepting_drift(client, backend):
    async with client.get("/api/v1/drift") as answer:
        [drift] = (await answer.json())["drift"]
    assert (drift["accepted"], drift["seen"]) == (ACCEPTED, SEEN)
    wanted = {name: drift[name] for name in ACCEPT}
    async with client.post("/api/v1/drift/accept", json=wanted) as answer:
        assert (answer.status, await answer.json()) == (200, {"accepted": True})
    async with client.get("/api/v1/drift") as answer:
        assert (await answer.json())["drift"] == []
    assert backend.state.baselines[0].accepted == SEEN


async def test_drift_says_who_accepted_and_what_differs_term_by_term(client):
    async with client.get("/api/v1/drift?check=dmarc&target=example.com") as answer:
        [drift] = (await answer.json())["drift"]
    assert (drift["accepted_by"], drift["accepted_reason"]) == ("first sight", "")
    assert drift["diff"] == [
        {"state": "kept", "term": "v=DMARC1"},
        {"state": "removed", "term": "p=reject"},
        {"state": "added", "term": "p=none"},
        {"state": "kept", "term": "rua=mailto:dmarc@example.com"},
    ]


async def test_who_accepted_and_why_is_kept_and_told(client):
    body = ACCEPT | {"by": "  Alice\n", "reason": "moved to\r\nanother ESP"}
    async with client.post("/api/v1/drift/accept", json=body) as answer:
        assert answer.status == 200
    async with client.get("/api/v1/drift/records?target=example.com&subject=record") as answer:
        [record] = (await answer.json())["records"]
    assert (record["accepted"], record["classification"]) == (SEEN, "")
    assert (record["accepted_by"], record["accepted_reason"]) == ("Alice", "moved to another ESP")
    query = "check=dmarc&target=example.com&subject=record"
    async with client.get(f"/api/v1/drift/history?{query}") as answer:
        history = (await answer.json())["history"]
    assert [(one["kind"], one["by"], one["text"]) for one in history] == [
        ("accepted", "Alice", SEEN),
        ("changed", "", SEEN),
        ("first_seen", "first sight", ACCEPTED),
    ]
    assert history[0]["reason"] == "moved to another ESP"
    assert [one["term"] for one in history[1]["diff"] if one["state"] != "kept"] == [
        "p=reject",
        "p=none",
    ]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("check=dmarc", 400),
        ("check=dmarc&target=example.com&at=1", 400),
        ("check=dmarc&target=example.net", 404),
        ("check=dmarc&target=example.com&subject=other", 404),
    ],
)
async def test_a_history_is_one_targets(client, query, status):
    async with client.get(f"/api/v1/drift/history?{query}") as answer:
        assert answer.status == status
        assert set(await answer.json()) == {"error"}


async def test_a_history_that_cannot_be_read_is_told(client, backend):
    backend.history_fails = True
    async with client.get("/api/v1/drift/history?check=dmarc&target=example.com") as answer:
        assert (answer.status, await answer.json()) == (503, {"error": "the disk fails"})


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (json.dumps(ACCEPT | {"seen": "v=DMARC1; p=quarantine"}), {}, 409),
        (json.dumps(ACCEPT | {"subject": "other"}), {}, 409),
        (json.dumps(ACCEPT), {"Sec-Fetch-Site": "cross-site"}, 403),
        (json.dumps(ACCEPT), {"Origin": "https://evil.example"}, 403),
        (json.dumps(ACCEPT), {"Content-Type": "text/plain"}, 415),
        (json.dumps({"check": "dmarc"}), {}, 400),
        (json.dumps(ACCEPT | {"seen": 1}), {}, 400),
        (json.dumps(ACCEPT | {"by": 1}), {}, 400),
        (json.dumps(ACCEPT | {"by": "a" * 101}), {}, 400),
        (json.dumps(ACCEPT | {"by": "first sight"}), {}, 400),
        (json.dumps(ACCEPT | {"reason": "a" * 501}), {}, 400),
        (json.dumps(ACCEPT | {"why": "a"}), {}, 400),
        (json.dumps([ACCEPT]), {}, 400),
        ("{", {}, 400),
        ("[" * 100_000, {}, 400),
        ("\udcff".encode("utf-8", "surrogateescape"), {}, 400),
    ],
)
async def test_what_does_not_accept(client, backend, body, headers, status):
    headers = {"Content-Type": "application/json"} | headers
    async with client.post("/api/v1/drift/accept", data=body, headers=headers) as answer:
        assert answer.status == status
        assert set(await answer.json()) == {"error"}
    assert backend.state.baselines[0].classification == "weakened"
