"""Requests that SendGrid sent, as other projects recorded them, posted to the running daemon."""

import base64
import gzip
import io
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.e2e.servers import Daemon, daemon, free_port
from tests.ingest.signing import public_text, signed

FILE = Path(__file__).parents[3] / "shared/conformance/webhooks/sendgrid.json"
RECORDED: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not RECORDED, reason=f"../shared/conformance is absent: no {FILE.name}"),
]

NAMES = {
    "queued": "accepted",
    "rejected": "dropped",
    "bounced": "bounced",
    "deferred": "deferred",
}
"""django-anymail's names for what happened, and ours."""

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
LIMIT = 5 * 1024 * 1024
SPARE = "spare"
"""A hook that no recorded request goes to."""


@dataclass(frozen=True)
class Recorded:
    """A recorded request. It has a hook and a sender of its own, so that it is counted apart."""

    name: str
    case: dict[str, Any]

    @property
    def recorded_key(self) -> str | None:
        return self.case["settings"]["ANYMAIL"].get("SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY")

    @property
    def key(self) -> str:
        """The verification key that the hook is configured with."""
        return self.recorded_key or public_text()

    @property
    def welcome(self) -> bool:
        return self.case["expect"]["http_status"] == 200

    @property
    def body(self) -> bytes:
        return base64.b64decode(self.case["request"]["body_b64"])

    @property
    def headers(self) -> dict[str, str]:
        """As recorded where the case is about signatures.

        Their timestamps are texts ("data timestamp"), which have no age, so that the recorded
        signatures hold today. The other cases are about basic authentication, which these hooks do
        not have: where it was in order the request is signed now, with our key; where it was not,
        the request stays without a signature.
        """
        headers: dict[str, str] = self.case["request"]["headers"]
        if self.recorded_key is None and self.welcome:
            return headers | signed(self.body, time.time())
        return headers

    @property
    def expected(self) -> Counter[str]:
        events = self.case["expect"]["events"] if self.welcome else []
        return Counter(NAMES[event["event_type"]] for event in events)


REQUESTS = [Recorded(f"case-{number}", case) for number, case in enumerate(RECORDED)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    directory = tmp_path_factory.mktemp("hooks")
    hooks = {request.name: request.key for request in REQUESTS} | {SPARE: public_text()}
    config = directory / "config.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "domains": [{"name": "news.example"}],
                "senders": [
                    {"name": name, "platform": "sendgrid", "domains": ["news.example"]}
                    for name in hooks
                ],
                "events": {
                    "hooks": [
                        {"name": name, "kind": "sendgrid", "sender": name, "secret": key}
                        for name, key in hooks.items()
                    ]
                },
                "resolver": {"nameservers": [f"127.0.0.1:{free_port()}"]},
                "store": {"url": f"sqlite:///{directory}/state.db"},
                "server": {"listen": f"127.0.0.1:{free_port()}"},
            }
        )
    )
    async with daemon(config, directory) as running:
        yield running


async def post(
    site: Daemon, hook: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, dict[str, Any]]:
    async with site.session.post(
        f"{site.url}/hooks/{hook}", data=io.BytesIO(body), headers=headers
    ) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else {}


async def counted(site: Daemon, sender: str) -> Counter[str]:
    """What the metrics say of a sender, by event."""
    found = await site.matching("deliverability_events_total", sender=sender)
    counts: Counter[str] = Counter()
    for key, number in found.items():
        assert 'domain="news.example"' in key
        counts[key.split('event="')[1].split('"')[0]] += int(number)
    return counts


@pytest.mark.parametrize("request_", REQUESTS, ids=[r.case["id"] for r in REQUESTS])
async def test_conformance_sendgrid(site: Daemon, request_: Recorded) -> None:
    """It counts as expected, and posted again it counts no more."""
    status, reply = await post(site, request_.name, request_.body, request_.headers)
    if not request_.welcome:
        assert status == 401
        assert await counted(site, request_.name) == Counter()
        return
    n = request_.expected.total()
    assert (status, reply) == (200, {"accepted": n, "duplicates": 0, "rejected": []})
    assert await counted(site, request_.name) == request_.expected

    status, reply = await post(site, request_.name, request_.body, request_.headers)
    assert (status, reply) == (200, {"accepted": 0, "duplicates": n, "rejected": []})
    assert await counted(site, request_.name) == request_.expected


def events(*identifiers: str) -> bytes:
    return json.dumps(
        [
            {
                "event": "delivered",
                "sg_event_id": identifier,
                "timestamp": int(time.time()),
                "email": "somebody.private@example.org",
            }
            for identifier in identifiers
        ]
    ).encode()


def zipped(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The signature is over the body as it is sent."""
    packed = gzip.compress(body)
    return packed, {"Content-Encoding": "gzip", **signed(packed, time.time())}


def bad_requests() -> dict[str, tuple[str, bytes, dict[str, str], int]]:
    """Hook, body, headers and the answer that each gets."""
    good, now = events("never-counted"), time.time()
    large = b"[" + b" " * LIMIT + b"]"
    return {
        "no signature": (SPARE, good, {}, 401),
        "signature of another body": (SPARE, good, signed(events("other"), now), 401),
        "signed three days ago": (SPARE, good, signed(good, now - 3 * 86400), 401),
        "no base64": (SPARE, good, signed(good, now) | {SIGNATURE: "*"}, 401),
        "too large": (SPARE, large, signed(large, now), 413),
        "too large once inflated": (SPARE, *zipped(large), 413),
        "no JSON": (SPARE, b"[{", signed(b"[{", now), 400),
        "no array": (SPARE, b'"text"', signed(b'"text"', now), 400),
        "no gzip": (SPARE, good, {"Content-Encoding": "gzip", **signed(good, now)}, 400),
        "unknown hook": ("nobody", good, signed(good, now), 404),
    }


@pytest.mark.parametrize("name", bad_requests())
async def test_a_bad_request_is_refused_and_counts_nothing(site: Daemon, name: str) -> None:
    hook, body, headers, expected = bad_requests()[name]
    before = await counted(site, SPARE)
    status, _ = await post(site, hook, body, headers)
    assert status == expected
    assert await counted(site, SPARE) == before


async def test_a_body_that_is_too_large_and_does_not_say_so_is_refused(site: Daemon) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2 * LIMIT >> 16):
            yield b" " * (1 << 16)

    async with site.session.post(f"{site.url}/hooks/{SPARE}", data=endless()) as answer:
        assert answer.status == 413


async def test_a_gzip_body_is_accepted(site: Daemon) -> None:
    before = await counted(site, SPARE)
    status, reply = await post(site, SPARE, *zipped(events("zipped-1", "zipped-2")))
    assert (status, reply["accepted"]) == (200, 2)
    assert await counted(site, SPARE) == before + Counter(delivered=2)


async def test_no_recipient_and_no_secret_is_in_the_log_or_on_a_page(site: Daemon) -> None:
    """After every recorded request and a rejected one, which is logged."""
    for request in REQUESTS:
        await post(site, request.name, request.body, request.headers)
    await post(site, SPARE, events("private"), {})
    recipients = {e["recipient"] for r in RECORDED for e in r["expect"]["events"]}
    secrets = {key for request in REQUESTS for key in request.key.splitlines()}
    credentials = {
        header.split()[-1]
        for request in REQUESTS
        for name, header in request.headers.items()
        if name.lower() in {"authorization", SIGNATURE.lower()} and header
    }
    private = recipients | secrets | credentials | {"somebody.private", "username:password"}
    assert len(recipients) >= 1
    assert len(credentials) > 1
    places = {
        "log": site.process.log(),
        "metrics": await site.text("/metrics"),
        "page": await site.text("/"),
        "status": await site.text("/api/v1/status"),
    }
    assert "hook.rejected" in places["log"]
    for place, text in places.items():
        assert [secret for secret in private if secret in text] == [], place
