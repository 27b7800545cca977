"""The generic hook: a JSON object, an array or NDJSON; one format for every source of one's own."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from monitor.ingest.body import MalformedError, items_of, json_value, utf8
from monitor.ingest.reported import (
    EARLIEST,
    InvalidEventError,
    Parsed,
    Reported,
    domain_of_address,
    event_id,
    optional_text,
    parsed,
)
from monitor.model import EventKind
from monitor.protocol.names import folded

_AHEAD_SECONDS: Final = 3600
"""How far a sender's clock may run ahead."""

_KINDS: Final = ", ".join(EventKind)
_NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class GenericFormat:
    """The format with the secrets of one hook; several are valid while one is being replaced."""

    secrets: tuple[str, ...] = field(repr=False)

    def authentic(self, headers: Mapping[str, str], body: bytes, _now: float) -> bool:
        """Whether `Authorization: Bearer <secret>` or `X-Signature: sha256=<hex HMAC of body>` is right.

        `headers` have lower-case names; `body` is as it was sent, before it is inflated. Takes the
        same time for every wrong value.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        algorithm, _, signature = headers.get("x-signature", "").partition("=")
        bearer = _bytes(token.strip()) if scheme.lower() == "bearer" else b""
        signed = _bytes(signature.strip().lower()) if algorithm.strip().lower() == "sha256" else b""
        right = [hmac.compare_digest(bearer, _bytes(secret)) for secret in self.secrets]
        right += [hmac.compare_digest(signed, _hmac(secret, body)) for secret in self.secrets]
        return any(right)

    def parse(self, body: bytes, content_type: str, now: float) -> Parsed:
        """The events, and those that cannot be counted. Raises MalformedError for the whole."""
        text = utf8(body)
        if content_type.partition(";")[0].strip().lower() == _NDJSON:
            return parsed(_lines(text), lambda item: _event(item, now))
        return parsed(items_of(json_value(text)), lambda item: _event(item, now))


def _lines(text: str) -> list[Any]:
    """The values of the lines. One that is no JSON is its sender's to mend; where none is, it is no NDJSON."""
    items: list[Any] = []
    readable = False
    # Not splitlines(): it splits at characters that JSON allows within a text (RFC 8259 §7).
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            items.append(json_value(line))
            readable = True
        except MalformedError as error:
            items.append(error)
    if not readable:
        raise MalformedError("the body is not NDJSON")
    return items


def _event(item: Any, now: float) -> Reported:
    if isinstance(item, MalformedError):
        raise InvalidEventError("the line is not JSON")
    if not isinstance(item, dict):
        raise InvalidEventError("the event is not a JSON object")
    stream = optional_text(item, "stream")
    return Reported(
        id=event_id(item.get("id"), "id"),
        kind=_kind(item.get("event")),
        at=_at(item.get("at"), now),
        recipient_domain=domain_of_address(optional_text(item, "recipient")),
        domain=folded(optional_text(item, "domain")),
        streams=(stream,) if stream else (),
    )


def _kind(value: Any) -> EventKind:
    try:
        return EventKind(value)
    except ValueError as error:
        raise InvalidEventError(f"event must be one of {_KINDS}") from error


def _at(value: Any, now: float) -> float:
    if isinstance(value, str):
        value = _iso(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidEventError(
            "at must be an ISO 8601 time with a zone, or seconds since the epoch"
        )
    if not EARLIEST <= value <= now + _AHEAD_SECONDS:
        raise InvalidEventError(
            "at must lie between the year 2000 and an hour from now; a number is in seconds"
        )
    return float(value)


def _iso(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidEventError("at is not an ISO 8601 time") from error
    if at.tzinfo is None:
        raise InvalidEventError("at has no time zone: end it with Z or an offset")
    return at.timestamp()


def _hmac(secret: str, body: bytes) -> bytes:
    return hmac.new(_bytes(secret), body, hashlib.sha256).hexdigest().encode("ascii")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
