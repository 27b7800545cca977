"""Requests that SendGrid sent, as other projects recorded them, against what those projects expect."""

import base64
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.ingest.hooks import Hook, HookReceiver
from monitor.ingest.sendgrid import SIGNATURE, TIMESTAMP, SendGridFormat
from monitor.model import EventKind
from monitor.protocol.sendgrid_key import verification_key
from monitor.store.store import Store
from monitor.world.fake import FakeClock
from tests.ingest.signing import public_text, signed

FOLDER = Path(__file__).parents[3] / "shared/conformance/webhooks"

# Of the recorded events of 2016. The signatures' timestamps are texts ("data timestamp").
CLOCK = 1_461_100_000.0

# anymail's names for what happened, and ours.
NAMES = {
    "queued": EventKind.ACCEPTED,
    "sent": EventKind.ACCEPTED,
    "rejected": EventKind.DROPPED,
    "failed": EventKind.DROPPED,
    "bounced": EventKind.BOUNCED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "complained": EventKind.COMPLAINED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
}


def read(name: str) -> Any:
    path = FOLDER / name
    return json.loads(path.read_text()) if path.exists() else None


RECORDED = read("sendgrid.json") or []
SIGNATURES = read("signatures/sendgrid.json")

needs_data = pytest.mark.skipif(
    not RECORDED, reason="the conformance data (../shared/conformance/webhooks) are not here"
)


def request_and_key(case: dict[str, Any]) -> tuple[dict[str, str], bytes, str]:
    """The headers, the body and the configured key.

    Where the case has a verification key, all three are as recorded. Where it has none, it is about
    basic authentication, which SendGrid's hooks here do not have: a signature of the tests' own key
    stands where the right user and password (or none asked for) stood, and nothing where they were
    wrong or missing.
    """
    headers, body = case["request"]["headers"], base64.b64decode(case["request"]["body_b64"])
    key = case["settings"]["ANYMAIL"].get("SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY")
    if key is not None:
        return headers, body, key
    proof = signed(body, CLOCK) if case["expect"]["http_status"] == 200 else {}
    return headers | proof, body, public_text()


@needs_data
@pytest.mark.parametrize("case", RECORDED, ids=[case["id"] for case in RECORDED])
async def test_recorded_requests_count_as_expected(case: dict[str, Any], store: Store) -> None:
    headers, body, key = request_and_key(case)
    expected = case["expect"]["events"]
    format_ = SendGridFormat((verification_key(key),))
    hook = Hook("grid", "news", ("news.example",), frozenset({"tag2"}), format_)
    receiver = HookReceiver([hook], domains=["news.example"], store=store, clock=FakeClock(CLOCK))

    reply = await receiver.receive("grid", headers, body)

    if case["expect"]["http_status"] != 200:
        assert reply.status == 401
        assert store.totals() == {}
        return
    assert reply.body == {"accepted": len(expected), "duplicates": 0, "rejected": []}
    assert Counter(store.totals()) == Counter(
        (
            "news",
            "tag2" if event["tags"] else "",
            "news.example",
            "other",
            NAMES[event["event_type"]].value,
        )
        for event in expected
    )
    assert [(event.id, event.at) for event in format_.parse(body, "", CLOCK).reported] == [
        (event["event_id"], datetime.fromisoformat(event["timestamp"]).timestamp())
        for event in expected
    ]


VECTORS = (
    [SIGNATURES, *(SIGNATURES | negative for negative in SIGNATURES["negatives"])]
    if SIGNATURES
    else []
)


@needs_data
@pytest.mark.parametrize(
    "vector", VECTORS, ids=[vector.get("why", "as signed") for vector in VECTORS]
)
def test_signature_vectors(vector: dict[str, Any]) -> None:
    format_ = SendGridFormat((verification_key(vector["public_key_b64_der"]),))
    headers = {SIGNATURE: vector["signature"], TIMESTAMP: vector["timestamp"]}
    assert format_.authentic(headers, vector["body"].encode(), 1_600_112_502) is vector["expect"]
