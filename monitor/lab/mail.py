"""The mail that the lab's senders send, and the events that come of it, as pure functions.

A second of a flow always gives the same events, with the same ids, whatever happened before: a lab
that starts again tells the same history, and a daemon that knows it counts it once.
"""

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monitor.lab.scenario import Burst, Traffic


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to one message: `kind` in the words of the generic hook, `at` in epoch seconds."""

    id: str
    kind: str
    at: int
    recipient: str
    domain: str
    stream: str
    code: int = 250
    enhanced_code: str = "2.0.0"
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: int
    enhanced_code: str
    diagnostic: str


_BOUNCES = (
    _Refusal(550, "5.1.1", "550 5.1.1 The email account that you tried to reach does not exist"),
    _Refusal(552, "5.2.2", "552 5.2.2 The recipient's mailbox is full"),
    _Refusal(550, "5.7.1", "550 5.7.1 Message rejected due to the sender's reputation"),
)
_BOUNCE_WEIGHTS = (6, 2, 2)
_DEFERRAL = _Refusal(451, "4.7.1", "451 4.7.1 Try again later")


def steady(flow: str, traffic: Traffic, *, seed: int, second: int) -> list[Event]:
    """Return the events of one second of a flow; `second` is in epoch seconds."""
    messages = math.floor(traffic.rate * (second + 1)) - math.floor(traffic.rate * second)
    dice = random.Random(f"{seed}/{flow}/{second}")  # noqa: S311 - repeatable, not secret
    return [
        event
        for number in range(messages)
        for event in _message(
            f"{flow}-{second}-{number}", traffic, dice=dice, bounced=traffic.bounced, at=second
        )
    ]


def burst(flow: str, traffic: Traffic, burst: Burst, *, seed: int, second: int) -> list[Event]:
    """Return the events of messages that all happen within one second."""
    dice = random.Random(f"{seed}/{flow}/burst/{second}")  # noqa: S311 - repeatable, not secret
    return [
        event
        for number in range(burst.messages)
        for event in _message(
            f"{flow}-burst-{second}-{number}", traffic, dice=dice, bounced=burst.bounced, at=second
        )
    ]


def _message(
    identity: str, traffic: Traffic, *, dice: random.Random, bounced: float, at: int
) -> Iterator[Event]:
    domains = list(traffic.recipients)
    provider = dice.choices(domains, weights=list(traffic.recipients.values()))[0]
    recipient = f"customer{dice.randrange(100_000)}@{provider}"

    def event(kind: str, refusal: _Refusal | None = None) -> Event:
        plain = Event(f"{identity}-{kind}", kind, at, recipient, traffic.domain, traffic.stream)
        if refusal is None:
            return plain
        return Event(
            *(plain.id, kind, at, recipient, plain.domain, plain.stream),
            *(refusal.code, refusal.enhanced_code, refusal.diagnostic),
        )

    if dice.random() < traffic.deferred:
        yield event("deferred", _DEFERRAL)
    if dice.random() < bounced:
        yield event("bounced", dice.choices(_BOUNCES, weights=_BOUNCE_WEIGHTS)[0])
        return
    yield event("delivered")
    if dice.random() < traffic.opened:
        yield event("opened")
    if dice.random() < traffic.complained:
        yield event("complained")


def generic_body(events: Sequence[Event]) -> bytes:
    """Return the body of a request to the generic hook: a JSON object a line (NDJSON)."""
    return b"".join(json.dumps(_generic(event)).encode() + b"\n" for event in events)


def sendgrid_body(events: Sequence[Event]) -> bytes:
    """Return the body of a SendGrid event webhook's request: an array, ended by CR LF."""
    return json.dumps([_sendgrid(event) for event in events]).encode() + b"\r\n"


BODIES: dict[str, Callable[[Sequence[Event]], bytes]] = {
    "generic": generic_body,
    "sendgrid": sendgrid_body,
}


def _generic(event: Event) -> dict[str, Any]:
    at = datetime.fromtimestamp(event.at, UTC)
    fields: dict[str, Any] = {
        "id": event.id,
        "event": event.kind,
        "at": at.isoformat().replace("+00:00", "Z"),
        "recipient": event.recipient,
        "domain": event.domain,
        "stream": event.stream,
    }
    if event.diagnostic:
        fields |= {
            "code": event.code,
            "enhanced_code": event.enhanced_code,
            "diagnostic": event.diagnostic,
        }
    return fields


_SENDGRID_NAMES = {
    "delivered": "delivered",
    "bounced": "bounce",
    "deferred": "deferred",
    "opened": "open",
    "complained": "spamreport",
}


def _sendgrid(event: Event) -> dict[str, Any]:
    message = event.id.removesuffix(f"-{event.kind}")
    fields: dict[str, Any] = {
        "sg_event_id": event.id,
        "sg_message_id": f"{message}.filter0001.lab",
        "event": _SENDGRID_NAMES[event.kind],
        "timestamp": event.at,
        "email": event.recipient,
        "category": [event.stream],
    }
    match event.kind:
        case "bounced":
            fields |= {
                "type": "bounce",
                "status": event.enhanced_code,
                "reason": event.diagnostic,
            }
        case "deferred":
            fields |= {"response": event.diagnostic, "attempt": "1"}
        case "delivered":
            fields |= {"response": "250 2.0.0 OK"}
    return fields
