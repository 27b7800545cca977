"""What the web side asks of the daemon behind it, as data."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.check import About, DeadZone, ZoneFacts
from monitor.config.sections import CheckConfig
from monitor.ingest.hooks import Reply
from monitor.model import Domain, Outcome, Sender
from monitor.store.history import RecordKey, TargetKey
from monitor.store.kept import Baseline, Kept
from monitor.store.records import Acceptance, RecordChange


@dataclass(frozen=True, slots=True)
class ListedZones:
    """The zones of one check that asks zones."""

    check: str
    living: Sequence[ZoneFacts]
    dead: Sequence[DeadZone]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of everything at one moment (epoch seconds).

    `waiting` are targets that were not looked at yet, as (check, target, domain).
    """

    at: float
    version: str
    organisation: str
    domains: tuple[Domain, ...]
    senders: tuple[Sender, ...]
    checks: Mapping[str, CheckConfig]
    kept: tuple[Kept, ...]
    baselines: tuple[Baseline, ...]
    waiting: tuple[tuple[str, str, str], ...]
    zones: tuple[ListedZones, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One run on demand, explained: what it learnt, what it asked, its log lines and its settings.

    `kept` is what the daemon would keep of it; it does not count. Its samples are metrics as text.
    """

    about: About
    target: str
    kept: Kept
    outcome: Outcome
    seconds: float
    settings: str
    log: tuple[str, ...]
    metrics: str


class NoSuchTargetError(Exception):
    """The check or the target is not configured; the text says which."""


class StaleDriftError(Exception):
    """The record to accept is no longer what is seen, or there is nothing to accept; the text says which."""


class Backend(Protocol):
    """The daemon, as the web side sees it."""

    def metrics(self, *, openmetrics: bool) -> bytes:
        """The whole exposition."""
        ...

    async def not_ready(self) -> str | None:
        """Why the daemon is not ready; None where it is."""
        ...

    async def reload(self) -> Sequence[str]:
        """Reload the configuration; the errors, one line each, empty where it took effect."""
        ...

    def snapshot(self) -> Snapshot:
        """The state now."""
        ...

    async def probe(self, check: str, target: str) -> Probe:
        """One run of one check on one target.

        Raises:
            NoSuchTargetError: not a configured check, or not a target that may be probed.
        """
        ...

    async def hook(self, name: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Events arrive; the reply is final after they are durable."""
        ...

    async def record_history(
        self, targets: Collection[TargetKey]
    ) -> Mapping[RecordKey, Sequence[RecordChange]]:
        """The history of each watched record of the targets, oldest first.

        Raises:
            StoreError: it cannot be read now.
        """
        ...

    async def accept_drift(
        self, check: str, target: str, subject: str, seen: str, acceptance: Acceptance
    ) -> None:
        """Accept `seen` as the new state of a watched record.

        Raises:
            StaleDriftError: it is not what is seen now.
        """
        ...
