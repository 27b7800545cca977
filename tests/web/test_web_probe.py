"""One run on demand: its metrics, and the page that explains it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families


@pytest.mark.parametrize(
    ("check", "target", "success"),
    [
        ("dmarc", "example.com", 0),
        ("rdns", "192.0.2.10", 0),
        ("spf", "news.example.com", 1),
        ("mx", "example.com", 1),
    ],
)
async def test_success_is_neither_critical_nor_unknown(client, check, target, success):
    async with client.get("/probe", params={"check": check, "target": target}) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {f.name: f for f in text_string_to_metric_families(await answer.text())}
    assert families["probe_success"].samples[0].value == success
    assert families["probe_duration_seconds"].samples[0].value == 0.25
    assert "deliverability_dmarc_policy" in families


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "the parameter check is missing"),
        ("check=mx", "the parameter target is missing"),
        ("check=mx&target=example.net", "'example.net' is not a configured target of the check mx"),
        (
            "check=nix&target=example.com",
            "'example.com' is not a configured target of the check nix",
        ),
        ("check=mx&target=%1b[31m", "'\\x1b[31m' is not a configured target of the check mx"),
    ],
)
async def test_what_cannot_be_probed_says_why(client, query, reason):
    async with client.get(f"/probe?{query}") as answer:
        assert (answer.status, await answer.text()) == (400, f"{reason}\n")


EXPLAINED = ["spf.no_all", "End it with ~all", "check.finished", "probe_success 1", "zones"]


@pytest.mark.parametrize("debug", ["true", "1"])
async def test_the_page_explains_the_run(client, debug):
    query = {"check": "spf", "target": "news.example.com", "debug": debug}
    async with client.get("/probe", params=query) as answer:
        page = await answer.text()
        assert answer.content_type == "text/html"
    for part in EXPLAINED:
        assert part in page
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &#34;} \\x1b[31m \\u202eevil" in page


async def test_the_page_as_text(client):
    query = {"check": "spf", "target": "news.example.com", "debug": "true", "format": "text"}
    async with client.get("/probe", params=query) as answer:
        text = await answer.text()
        assert answer.content_type == "text/plain"
    for part in EXPLAINED:
        assert part in text
    assert '<script>alert(1)</script> "} \\x1b[31m' in text
    assert "\x1b" not in text


async def test_an_unknown_look_gives_its_reason(client):
    query = {"check": "rdns", "target": "192.0.2.10", "debug": "true"}
    async with client.get("/probe", params=query) as answer:
        assert "timeout: the resolver did not answer" in await answer.text()
