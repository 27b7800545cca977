"""The world that a check is handed: the outside, its own memory, and what is known already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.check.budget import Budgets
from monitor.check.dns import Authorities, DnsClient, DnssecClient
from monitor.check.hosts import HttpsClient, SmtpAuditor, SmtpClient
from monitor.model import Counts, Status


class EventWindows(Protocol):
    """Reads windows of what happened to mail."""

    async def counts(
        self, sender: str, domain: str, seconds: Sequence[int]
    ) -> Mapping[tuple[str, str], Mapping[int, Counts]]:
        """Messages of the last `seconds` (each window), by (stream, provider). Windows without mail are absent."""
        ...


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit of a ratio. `minimum` is the number of messages below which nothing is said."""

    warning: float
    critical: float
    minimum: int


class Thresholds(Protocol):
    """The configured limits, the most specific first: stream, role, general."""

    def of(self, kind: str, *, role: str, sender: str, stream: str) -> Threshold | None:
        """The limit for one kind of ratio (`bounce`), or None where none is set."""
        ...


class Canaries(Protocol):
    """Is it us? Each answer is None where all is well, else the reason that lies with ourselves."""

    async def resolver(self) -> str | None:
        """Why our resolver cannot be believed (does not answer, lies about names that do not exist)."""
        ...

    async def network(self) -> str | None:
        """Why our network reaches nothing at all."""
        ...

    async def egress(self, port: int) -> str | None:
        """Why connections to `port` leave here for nobody (most clouds block 25)."""
        ...


class Clock(Protocol):
    """Time comes in through here."""

    def now(self) -> float:
        """Seconds since the epoch (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...


@dataclass(frozen=True, slots=True)
class PastResult:
    """The last result of another check on a target of the same domain.

    `codes` are the full codes of all open findings, `by_subject` those of each subject that has any;
    `blind` are the subjects that the last look could not tell.
    """

    check: str
    target: str
    status: Status
    codes: tuple[str, ...] = ()
    by_subject: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    blind: frozenset[str] = frozenset()


class Results(Protocol):
    """The last results of all checks."""

    def of_domain(self, domain: str) -> Sequence[PastResult]:
        """Those about one domain."""
        ...


class Memory(Protocol):
    """What a check remembers of the outside between runs: a zone that proved itself, until when.

    One memory for each check, shared by its targets and lost at a restart.
    """

    def get(self, key: str) -> object | None:
        """What was put under `key` and has not expired."""
        ...

    def put(self, key: str, value: object, seconds: float) -> None:
        """Keep `value` for `seconds`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that a check may touch. `nameservers` are the addresses of those that our resolver asks.

    `zones` asks the same resolver by the same way as `dns`, and keeps no answer: for questions of which there
    are very many and which are asked to learn what is there now.
    """

    dns: DnsClient
    zones: DnsClient
    authorities: Authorities
    dnssec: DnssecClient
    smtp: SmtpClient
    smtp_audit: SmtpAuditor
    https: HttpsClient
    windows: EventWindows
    thresholds: Thresholds
    canaries: Canaries
    clock: Clock
    results: Results
    memory: Memory
    budgets: Budgets
    nameservers: tuple[str, ...] = ()
    confirming: bool = False
