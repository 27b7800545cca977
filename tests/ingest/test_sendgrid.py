"""SendGrid's events and signature."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from monitor.ingest.reported import Parsed
from monitor.ingest.sendgrid import SendGridFormat
from monitor.model import EventKind
from monitor.protocol.sendgrid_key import verification_key
from tests.ingest.signing import KEY, public_text, signed

NOW = 1_790_000_000.0
HOUR = 3600
BODY = b'[{"event": "processed"}]\r\n'
FORMAT = SendGridFormat((verification_key(public_text()),))
EVENT: dict[str, Any] = {
    "sg_event_id": "e1",
    "event": "delivered",
    "timestamp": int(NOW),
    "email": "someone@Example.NET",
}


def parse(*events: Any) -> Parsed:
    return FORMAT.parse(json.dumps(events).encode() + b"\r\n", "", NOW)


KINDS = {
    "processed": EventKind.ACCEPTED,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_kinds(name: str, kind: EventKind) -> None:
    assert parse(EVENT | {"event": name}).reported[0].kind is kind


def test_a_refusal_for_reputation_is_a_bounce() -> None:
    assert (
        parse(EVENT | {"event": "bounce", "type": "blocked"}).reported[0].kind is EventKind.BOUNCED
    )


def test_an_unsubscription_taken_back_is_nothing_to_count_and_no_error() -> None:
    assert parse(EVENT | {"event": "group_resubscribe"}) == Parsed((), ())


STREAMS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "none": ({}, ()),
    "a category": ({"category": "orders"}, ("orders",)),
    "categories": ({"category": ["tag", "orders", 5]}, ("tag", "orders")),
    "a unique argument before them": ({"stream": "news", "category": "tag"}, ("news", "tag")),
    "no text": ({"stream": {}, "category": {"x": 1}}, ()),
}


@pytest.mark.parametrize(("fields", "streams"), STREAMS.values(), ids=STREAMS)
def test_streams(fields: dict[str, Any], streams: tuple[str, ...]) -> None:
    assert parse(EVENT | fields).reported[0].streams == streams


REJECTED: dict[str, Any] = {
    "no object": "text",
    "unknown event": EVENT | {"event": "exploded"},
    "event no text": EVENT | {"event": []},
    "no id": {"event": "open", "timestamp": NOW},
    "no timestamp": {"event": "open", "sg_event_id": "1"},
    "timestamp as text": EVENT | {"timestamp": "2026-09-21"},
    "timestamp in milliseconds": EVENT | {"timestamp": NOW * 1000},
    "email no text": EVENT | {"email": 5},
}


@pytest.mark.parametrize("event", REJECTED.values(), ids=REJECTED)
def test_an_event_that_cannot_be_counted_is_rejected_and_others_count(event: Any) -> None:
    parsed = parse(event, EVENT)
    assert [one.index for one in parsed.rejected] == [0]
    assert [one.recipient_domain for one in parsed.reported] == ["example.net"]


AGES = {
    "now": (NOW, True),
    "the longest retry that was seen": (NOW - 29 * HOUR, True),
    "older than any": (NOW - 49 * HOUR, False),
    "a clock that runs ahead": (NOW + HOUR, True),
    "a clock that cannot be believed": (NOW + 2 * HOUR, False),
    "a number without end": ("9" * 5000, False),
    "no number": ("data timestamp", True),
    "absent": ("", False),
    "other digits": ("\u0661", False),
}


@pytest.mark.parametrize(("at", "expected"), AGES.values(), ids=AGES)
def test_a_signature_counts_as_long_as_a_retry_may_take(at: float | str, *, expected: bool) -> None:
    headers = {name.lower(): value for name, value in signed(BODY, at).items()}
    assert FORMAT.authentic(headers, BODY, NOW) is expected


def test_during_a_change_of_keys_both_are_valid_and_no_third() -> None:
    other, third = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    both = SendGridFormat((verification_key(public_text(other)), verification_key(public_text())))
    results = []
    for key in (KEY, other, third):
        headers = {name.lower(): value for name, value in signed(BODY, NOW, key).items()}
        results.append(both.authentic(headers, BODY, NOW))
    assert results == [True, True, False]


BAD_KEYS = {
    "no base64": "not a key!",
    "no key": "aGVsbG8=",
    "empty": "",
    "other curve": public_text(ec.generate_private_key(ec.SECP384R1())),
}


@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_text_that_is_no_key_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        verification_key(text)


def test_a_key_broken_over_lines_is_read() -> None:
    text = public_text()
    assert verification_key(f"{text[:64]}\n{text[64:]}\n") == verification_key(text)
