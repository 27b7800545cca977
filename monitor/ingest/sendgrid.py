"""SendGrid's event webhook: its signature and its events.

Format: Twilio SendGrid, "Event Webhook Reference" and "Event Webhook Security Features".
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from monitor.ingest.body import items_of, json_value, utf8
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

SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"

TOLERANCE_SECONDS: Final = 48 * 3600
"""How old a signed request may be. SendGrid was seen repeating a request for 29 h, and does not say
whether it signs anew: a short tolerance would lose events after an outage of ours. Replays are caught by
`sg_event_id`, remembered for 72 h, which is longer than this: a replay is a duplicate, or is refused."""

_AHEAD_SECONDS: Final = 3600

_KINDS: Final[Mapping[str, EventKind | None]] = {
    "processed": EventKind.ACCEPTED,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,  # also `type: blocked`, refused for reputation or content
    "blocked": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": None,  # takes an unsubscription back; nothing that we count
}


@dataclass(frozen=True, slots=True)
class SendGridFormat:
    """The format with the verification keys of one hook; several are valid while one is being replaced."""

    keys: tuple[ec.EllipticCurvePublicKey, ...]

    def authentic(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """Whether one of the keys signed the timestamp and the body as sent, not too long ago.

        `headers` have lower-case names.
        """
        timestamp = headers.get(TIMESTAMP, "")
        if not timestamp or not _recent(timestamp, now):
            return False
        try:
            signature = base64.b64decode(headers.get(SIGNATURE, ""), validate=True)
            signed = timestamp.encode("ascii") + body
        except ValueError:
            return False
        return any(_signed_by(key, signature, signed) for key in self.keys)

    def parse(self, body: bytes, _content_type: str, _now: float) -> Parsed:
        """The events, and those that cannot be counted. Raises MalformedError for the whole."""
        return parsed(items_of(json_value(utf8(body))), _event)


def _recent(timestamp: str, now: float) -> bool:
    """Whether it is not too old. A timestamp that is no number has no age.

    The signature covers the timestamp: who can make one that is no number can sign anything. SendGrid
    never does, its own and other libraries' test requests do.
    """
    if not (timestamp.isascii() and timestamp.isdigit()):
        return True
    return now - TOLERANCE_SECONDS <= float(timestamp) <= now + _AHEAD_SECONDS


def _signed_by(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _event(item: Any) -> Reported | None:
    if not isinstance(item, dict):
        raise InvalidEventError("the event is not a JSON object")
    name = item.get("event")
    if not isinstance(name, str) or name not in _KINDS:
        raise InvalidEventError("event is none of SendGrid's")
    kind = _KINDS[name]
    if kind is None:
        return None
    return Reported(
        id=event_id(item.get("sg_event_id"), "sg_event_id"),
        kind=kind,
        at=_timestamp(item.get("timestamp")),
        recipient_domain=domain_of_address(optional_text(item, "email")),
        # Its events carry no From; a sender can tell it by a unique argument, as it can the stream.
        domain=folded(optional_text(item, "domain")),
        streams=_streams(item),
    )


def _timestamp(value: Any) -> float:
    # No upper limit: what a future time does not belong to is decided where events are counted.
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not EARLIEST <= value < 2**40
    ):
        raise InvalidEventError("timestamp must be seconds since the epoch, from the year 2000 on")
    return float(value)


def _streams(item: Mapping[str, Any]) -> tuple[str, ...]:
    """The unique argument `stream`, then the categories (one text or a list)."""
    category = item.get("category")
    categories = category if isinstance(category, list) else [category]
    return tuple(
        name for name in (item.get("stream"), *categories) if isinstance(name, str) and name
    )
