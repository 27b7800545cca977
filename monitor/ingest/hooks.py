"""Event webhooks: a request in, a reply out, and the events durable in between."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, Self

import structlog

from monitor.check import Clock
from monitor.config.model import HookConfig
from monitor.config.valid import ValidConfig
from monitor.ingest.body import (
    BODY_LIMIT,
    MalformedError,
    TooLargeError,
    UnknownEncodingError,
    inflated,
)
from monitor.ingest.generic import GenericFormat
from monitor.ingest.reported import Parsed, Reported
from monitor.ingest.sendgrid import SendGridFormat
from monitor.model import Event, Provider
from monitor.protocol.platforms import provider_of_domain
from monitor.protocol.sendgrid_key import verification_key
from monitor.store.error import StoreError
from monitor.store.store import Store

_log = structlog.get_logger("monitor.ingest")

OTHER: Final = "other"
"""The label of what nobody declared."""

_RETRY_AFTER_SECONDS: Final = 10
_LARGE: Final = 64 * 1024
"""Bodies from here on are read on a thread: the event loop has other things to do meanwhile."""
_REJECTED_SHOWN: Final = 1000
"""How many rejected events a reply lists: two bytes of a body can be one."""

Headers = Mapping[str, str]


class Outcome(StrEnum):
    """What became of a request; the `outcome` label of `hook_requests_total`."""

    ACCEPTED = "accepted"
    UNKNOWN_HOOK = "unknown_hook"
    UNAUTHENTICATED = "unauthenticated"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender of a request gets: a status, a JSON body, headers."""

    status: int
    body: Mapping[str, Any]
    headers: Headers = field(default_factory=dict)


class Format(Protocol):
    """One kind of hook, with its secrets."""

    def authentic(self, headers: Headers, body: bytes, now: float, /) -> bool:
        """Whether the source sent it. `headers` have lower-case names, `body` is as sent."""
        ...

    def parse(self, body: bytes, content_type: str, now: float, /) -> Parsed:
        """The events of the inflated body. Raises MalformedError."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook, as plain values.

    Attributes:
        sender: the sender that its events belong to; domains, streams: that sender's.
    """

    name: str
    sender: str
    domains: tuple[str, ...]
    streams: frozenset[str]
    format: Format


class _RefusedError(Exception):
    def __init__(
        self, outcome: Outcome, status: int, error: str, headers: Headers | None = None
    ) -> None:
        super().__init__(error)
        self.outcome = outcome
        self.reply = Reply(status, {"error": error}, headers or {})


class HookReceiver:
    """Receives what the configured hooks are sent.

    Attributes:
        hooks: by name; domains: the organisation's.
        requests: by (hook, outcome), since the start; an unknown hook's name is `other`.
        last_event_at: when each hook last accepted an event (epoch seconds).
    """

    def __init__(
        self, hooks: Iterable[Hook], *, domains: Iterable[str], store: Store, clock: Clock
    ) -> None:
        self.hooks = {hook.name: hook for hook in hooks}
        self.domains = frozenset(domains)
        self._store = store
        self._clock = clock
        self.requests: Counter[tuple[str, str]] = Counter()
        self.last_event_at: dict[str, float] = {}

    @classmethod
    def of(cls, config: ValidConfig, *, store: Store, clock: Clock) -> Self:
        """The hooks of a configuration."""
        senders = {sender.name: sender for sender in config.senders}
        hooks = []
        for one in config.config.events.hooks:
            sender = senders[one.sender]
            streams = frozenset(stream.name for stream in sender.streams)
            hooks.append(Hook(one.name, sender.name, sender.domains, streams, format_of(one)))
        return cls(
            hooks, domains=(domain.name for domain in config.domains), store=store, clock=clock
        )

    def replace(self, other: "HookReceiver") -> None:
        """Takes another one's hooks and goes on counting; what was counted of hooks that left is dropped."""
        self.hooks, self.domains = other.hooks, other.domains
        known = {*self.hooks, OTHER}
        self.requests = Counter({key: n for key, n in self.requests.items() if key[0] in known})
        self.last_event_at = {name: at for name, at in self.last_event_at.items() if name in known}

    async def receive(self, name: str, headers: Headers, body: bytes) -> Reply:
        """Authenticates, reads and counts; 2xx only after the events are durable, else nothing is counted."""
        hook = self.hooks.get(name)
        label = OTHER if hook is None else hook.name
        try:
            reply = await self._receive(
                hook, {key.lower(): value for key, value in headers.items()}, body
            )
        except _RefusedError as refused:
            self.requests[label, refused.outcome.value] += 1
            _log.warning(
                "hook.rejected", hook=label, outcome=refused.outcome.value, reason=str(refused)
            )
            return refused.reply
        self.requests[label, Outcome.ACCEPTED.value] += 1
        return reply

    async def _receive(self, hook: Hook | None, headers: Headers, body: bytes) -> Reply:
        if hook is None:
            raise _RefusedError(Outcome.UNKNOWN_HOOK, 404, "no such hook")
        now = self._clock.now()
        if len(body) < _LARGE:
            parsed = _read(hook, headers, body, now)
        else:
            parsed = await asyncio.to_thread(_read, hook, headers, body, now)
        events = [self._event(hook, reported) for reported in parsed.reported]
        try:
            accepted = await self._store.add_events(events) if events else 0
        except StoreError as error:
            _log.error("hook.store_failed", hook=hook.name, error=str(error))
            raise _unavailable("the events could not be stored; send them again") from error
        if accepted:
            self.last_event_at[hook.name] = now
        duplicates = len(events) - accepted
        _log.debug(
            "hook.accepted",
            hook=hook.name,
            accepted=accepted,
            duplicates=duplicates,
            rejected=len(parsed.rejected),
        )
        return Reply(200, _summary(accepted, duplicates, parsed))

    def _event(self, hook: Hook, reported: Reported) -> Event:
        domain = reported.domain or next(iter(hook.domains), OTHER)
        return Event(
            source=hook.name,
            id=reported.id,
            kind=reported.kind,
            at=reported.at,
            sender=hook.sender,
            domain=domain if domain in self.domains else OTHER,
            stream=_stream(hook, reported),
            provider=provider_of_domain(reported.recipient_domain) or Provider.OTHER,
        )


def format_of(config: HookConfig) -> Format:
    """The format of a hook."""
    secrets = tuple(secret.get_secret_value() for secret in config.secret)
    match config.kind:
        case "generic":
            return GenericFormat(secrets)
        case "sendgrid":
            return SendGridFormat(tuple(verification_key(secret) for secret in secrets))


def _read(hook: Hook, headers: Headers, body: bytes, now: float) -> Parsed:
    if len(body) > BODY_LIMIT:
        raise _RefusedError(Outcome.TOO_LARGE, 413, f"the body is larger than {BODY_LIMIT} bytes")
    if not hook.format.authentic(headers, body, now):
        # RFC 9110 §11.6.1: a 401 names a scheme.
        raise _RefusedError(
            Outcome.UNAUTHENTICATED,
            401,
            "the request is not authentic",
            {"WWW-Authenticate": "Bearer"},
        )
    try:
        plain = inflated(body, headers.get("content-encoding", ""))
        return hook.format.parse(plain, headers.get("content-type", ""), now)
    except TooLargeError as error:
        raise _RefusedError(Outcome.TOO_LARGE, 413, str(error)) from error
    except UnknownEncodingError as error:
        raise _RefusedError(Outcome.UNSUPPORTED, 415, str(error)) from error
    except MalformedError as error:
        raise _RefusedError(Outcome.MALFORMED, 400, str(error)) from error


def _unavailable(error: str) -> _RefusedError:
    return _RefusedError(
        Outcome.UNAVAILABLE, 503, error, {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    )


def _stream(hook: Hook, reported: Reported) -> str:
    """The first name that is one of the sender's streams; `other` where none is, "" where none was told."""
    declared = [name for name in reported.streams if name in hook.streams]
    if declared:
        return declared[0]
    return OTHER if reported.streams else ""


def _summary(accepted: int, duplicates: int, parsed: Parsed) -> dict[str, Any]:
    shown = [{"index": one.index, "error": one.error} for one in parsed.rejected[:_REJECTED_SHOWN]]
    summary = {"accepted": accepted, "duplicates": duplicates, "rejected": shown}
    if len(parsed.rejected) > _REJECTED_SHOWN:
        summary["rejected_total"] = len(parsed.rejected)
    return summary
