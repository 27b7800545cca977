"""The zones that checks ask: in the API, and on the status site."""

from dataclasses import replace
from html import escape

import pytest

from monitor.model import Status
from tests.web.fake_backend import HOSTILE, NOW, TROUBLED, finding, kept, snapshot, subject

REFUSED = finding(
    "blocklist.zone_refused",
    "warning",
    "The blocklist zen.example.org refuses to answer us",
    evidence=HOSTILE,
)


def proved(*subjects, **changes):
    """A snapshot in which the monitor has looked at its zones."""
    return snapshot(kept("blocklist", "monitor", "", Status.WARNING, *subjects, **changes))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TROUBLED, ["waiting", "waiting"]),
        (proved(), ["usable", "usable"]),
        (proved(subject("zen.example.org", REFUSED)), ["unusable", "usable"]),
        (proved(subject("dbl.example.org", unknown_reason="not yet")), ["usable", "unknown"]),
        (proved(failure="no DNS"), ["unknown", "unknown"]),
    ],
)
async def test_what_the_last_proof_showed(client, backend, state, expected):
    """Only a zone that is asked has a proof; one that is well is not kept by name."""
    backend.state = state
    async with client.get("/api/v1/zones") as answer:
        zones = (await answer.json())["zones"]
    states = {one["zone"]: one["state"] for one in zones}
    assert [states["zen.example.org"], states["dbl.example.org"]] == expected
    assert states["low.example.org"] == states["keyed.example.org"] == "not_asked"


async def test_why_a_zone_is_not_usable(client, backend):
    backend.state = proved(subject("zen.example.org", REFUSED))
    async with client.get("/api/v1/zones?standing=asked") as answer:
        found = await answer.json()
    first, second = found["zones"]
    assert first["reason"].startswith('<script>alert(1)</script> "} \\x1b[31m')
    assert (first["since"], first["last_run"]) == ("2026-11-18T06:06:40Z", "2026-11-18T11:05:40Z")
    assert (second["reason"], second["since"]) == ("", None)
    assert found["dead"] == []


async def test_a_standing_that_does_not_exist_is_told(client):
    async with client.get("/api/v1/zones?standing=dead") as answer:
        assert answer.status == 400


async def test_the_page_has_the_troubled_first_and_every_zone(client, backend):
    backend.state = proved(subject("dbl.example.org", unknown_reason="no <answer>"))
    async with client.get("/zones") as answer:
        page = await answer.text()
    named = ["dbl.example.org", "zen.example.org", "low.example.org", "keyed.example.org", "old"]
    places = [page.index(name) for name in named]
    assert places == sorted(places)
    assert "1 of 2 zones that we ask serve us" in page
    assert escape("no <answer>") in page
    assert escape("Example <Lists>") in page


async def test_our_resolvers_part_in_it_is_told_before_the_zones(client, backend):
    blind = finding(
        "blocklist.zones_blind", "warning", "2 zones do not serve us", "Ask through another"
    )
    backend.state = proved(
        subject("resolver", blind), subject("zen.example.org", unknown_reason="(see `resolver`)")
    )
    async with client.get("/zones") as answer:
        page = await answer.text()
    assert page.index("2 zones do not serve us") < page.index("Asked now")
    assert "Ask through another" in page


async def test_without_a_check_that_asks_zones_there_are_none(client, backend):
    backend.state = replace(TROUBLED, zones=(), at=NOW)
    async with client.get("/zones") as answer:
        assert "No check that is enabled asks any" in await answer.text()
    async with client.get("/api/v1/zones") as answer:
        assert await answer.json() == {"zones": [], "dead": []}
