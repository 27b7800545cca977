"""The generic hook's format: what is read, what is refused, and that nothing breaks it."""

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.body import MalformedError
from monitor.ingest.generic import GenericFormat
from monitor.ingest.reported import Parsed, Rejected, Reported
from monitor.model import EventKind

NOW = 1_790_000_000.0
FORMAT = GenericFormat(("old secret", "new sécret"))
NDJSON = "application/x-ndjson; charset=utf-8"
LEAST: dict[str, Any] = {"id": "1", "event": "delivered", "at": NOW}
FULL: dict[str, Any] = {
    "id": "m-1",
    "event": "bounced",
    "at": "2026-09-21T14:13:20Z",
    "recipient": "Some.One@Example.NET.",
    "domain": "Example.com.",
    "stream": "orders",
    "code": 550,
    "enhanced_code": "5.1.1",
    "diagnostic": "no such user",
}


def parse(value: Any, content_type: str = "application/json") -> Parsed:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return FORMAT.parse(body, content_type, NOW)


def test_a_full_event_is_read_without_its_recipient() -> None:
    assert parse(FULL).reported == (
        Reported("m-1", EventKind.BOUNCED, NOW, "example.net", "example.com", ("orders",)),
    )
    assert "ome.one" not in repr(parse(FULL)).lower()


def test_object_array_and_ndjson_say_the_same() -> None:
    events = [LEAST, LEAST | {"id": "2"}]
    lines = b"\n".join(json.dumps(event).encode() for event in events)
    assert parse(events).reported == parse(lines + b"\r\n\n", NDJSON).reported
    assert parse(LEAST).reported == parse(events).reported[:1]


TIMES = {
    "seconds": (NOW, NOW),
    "seconds and a fraction": (1789999999.5, 1789999999.5),
    "UTC": ("2026-09-21T14:13:20Z", NOW),
    "an offset": ("2026-09-21T16:13:20.250+02:00", NOW + 0.25),
    "a clock that runs ahead": (NOW + 3600, NOW + 3600),
}


@pytest.mark.parametrize(("at", "expected"), TIMES.values(), ids=TIMES)
def test_times(at: object, expected: float) -> None:
    assert parse(LEAST | {"at": at}).reported[0].at == expected


REJECTED: dict[str, tuple[Any, str]] = {
    "no object": (7, "not a JSON object"),
    "no id": ({"event": "opened", "at": NOW}, "id must be"),
    "empty id": (LEAST | {"id": ""}, "id must be"),
    "long id": (LEAST | {"id": "x" * 257}, "id must be"),
    "id no text": (LEAST | {"id": 5}, "id must be"),
    "no event": ({"id": "1", "at": NOW}, "event must be one of accepted, delivered"),
    "unknown event": (LEAST | {"event": "exploded"}, "event must be one of"),
    "event no text": (LEAST | {"event": ["opened"]}, "event must be one of"),
    "no at": ({"id": "1", "event": "opened"}, "at must be an ISO 8601 time"),
    "at without zone": (LEAST | {"at": "2026-09-21T14:13:20"}, "no time zone"),
    "at nonsense": (LEAST | {"at": "yesterday"}, "not an ISO 8601 time"),
    "at true": (LEAST | {"at": True}, "at must be an ISO 8601 time"),
    "at in milliseconds": (LEAST | {"at": NOW * 1000}, "in seconds"),
    "at before 2000": (LEAST | {"at": 0}, "year 2000"),
    "at in two hours": (LEAST | {"at": NOW + 7200}, "an hour from now"),
    "at of 4000 digits": (LEAST | {"at": 10**4000}, "an hour from now"),
    "domain no text": (LEAST | {"domain": 5}, "domain must be a text"),
    "stream no text": (LEAST | {"stream": {}}, "stream must be a text"),
    "recipient no text": (LEAST | {"recipient": ["a@b"]}, "recipient must be a text"),
}


@pytest.mark.parametrize(("event", "error"), REJECTED.values(), ids=REJECTED)
def test_an_event_that_cannot_be_counted_is_named_and_others_count(event: Any, error: str) -> None:
    parsed = parse([LEAST, event, LEAST])
    assert len(parsed.reported) == 2
    assert [one.index for one in parsed.rejected] == [1]
    assert error in parsed.rejected[0].error


def test_a_line_that_is_no_json_is_rejected_alone() -> None:
    body = b'{"id": \n' + json.dumps(LEAST).encode()
    assert parse(body, NDJSON).rejected == (Rejected(0, "the line is not JSON"),)
    assert len(parse(body, NDJSON).reported) == 1


MALFORMED = {
    "empty": (b"", "application/json"),
    "empty lines": (b"\n\n", NDJSON),
    "no line is JSON": (b"a\nb\n", NDJSON),
    "no JSON": (b"hello", ""),
    "lines, but not said so": (b'{"id":"1"}\n{"id":"2"}', "application/json"),
    "a number": (b"5", "application/json"),
    "not UTF-8": (b'{"id": "\xff"}', "application/json"),
    "NaN": (b'{"id": "1", "at": NaN}', "application/json"),
    "depth of 100,000": (b"[" * 100_000, "application/json"),
    "an integer of 100,000 digits": (b"[" + b"9" * 100_000 + b"]", "application/json"),
}


@pytest.mark.parametrize(("body", "content_type"), MALFORMED.values(), ids=MALFORMED)
def test_a_body_that_is_none_is_refused_whole(body: bytes, content_type: str) -> None:
    with pytest.raises(MalformedError):
        parse(body, content_type)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
near_events = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(min_size=1, max_size=5) | json_values,
        "event": st.sampled_from(EventKind) | json_values,
        "at": st.just(NOW) | st.datetimes().map(str) | json_values,
        "domain": st.text() | json_values,
        "stream": st.text() | json_values,
        "recipient": st.text() | json_values,
    },
)


@given(st.lists(near_events | json_values, max_size=4))
def test_every_item_is_either_read_or_rejected(items: list[Any]) -> None:
    body = json.dumps(items).replace("NaN", "0").replace("Infinity", "0").encode()
    parsed = parse(body)
    assert len(parsed.reported) + len(parsed.rejected) == len(items)


@given(st.binary(max_size=200), st.sampled_from(["", NDJSON]))
def test_any_bytes_are_read_or_refused(body: bytes, content_type: str) -> None:
    with suppress(MalformedError):
        parse(body, content_type)


BODY = b'{"id": "1"}'


def signature(secret: str, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


AUTHENTIC: dict[str, tuple[dict[str, str], bool]] = {
    "bearer": ({"authorization": "Bearer old secret"}, True),
    "bearer, the other secret": ({"authorization": "bearer new sécret"}, True),
    "signature": ({"x-signature": f"sha256={signature('old secret')}"}, True),
    "signature in upper case": ({"x-signature": f"SHA256={signature('new sécret').upper()}"}, True),
    "nothing": ({}, False),
    "empty values": ({"authorization": "Bearer ", "x-signature": "sha256="}, False),
    "wrong bearer": ({"authorization": "Bearer old"}, False),
    "other scheme": ({"authorization": "Basic old secret"}, False),
    "signature of another body": ({"x-signature": f"sha256={signature('old secret', b'')}"}, False),
    "signature by another secret": ({"x-signature": f"sha256={signature('x')}"}, False),
    "other algorithm": ({"x-signature": f"sha1={signature('old secret')}"}, False),
    "bytes that are no text": (
        {"authorization": "Bearer \udcff", "x-signature": "sha256=\udcff"},
        False,
    ),
}


@pytest.mark.parametrize(("headers", "expected"), AUTHENTIC.values(), ids=AUTHENTIC)
def test_authentication(headers: dict[str, str], *, expected: bool) -> None:
    assert FORMAT.authentic(headers, BODY, NOW) is expected


def test_secrets_are_not_in_the_representation() -> None:
    assert "secret" not in repr(FORMAT).replace("secrets", "")
