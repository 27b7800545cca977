"""What a check is, and the world that it is handed.

A check is small, made with its settings, and pure but for the world. It imports this module,
`monitor.protocol` and `monitor.model`, and nothing else of ours. docs/adding-a-check.md is the recipe.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from monitor.model import (
    Counts,
    Drift,
    Outcome,
    Severity,
    Status,
    Target,
)


class Settings(BaseModel):
    """The base of a check's own settings: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Confirm(StrEnum):
    """How what got worse is confirmed before it counts (a one-shot `check` confirms at once)."""

    AGAIN = "again"
    """Look again later, past every cache."""
    OTHER_PATH = "other_path"
    """Look again through another resolver (or over TCP) or another address of the host."""
    NONE = "none"
    """Windows of events are their own confirmation."""


@dataclass(frozen=True, slots=True)
class Code:
    """A finding's stable code: its short name, its severity unless configured otherwise, its meaning."""

    name: str
    severity: Severity
    title: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric of a check: `deliverability_<name>`.

    Attributes:
        labels: label names; `target` and `domain` are filled in by the daemon.
        total: samples of several targets with equal labels add up to one series
            (zones of all addresses of a domain); otherwise a series belongs to one target.
        counter: samples are increments that the daemon adds up since its start; the name ends in
            `_total`, and they stand in `Outcome.samples`.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ("target", "domain")
    total: bool = False
    counter: bool = False


@dataclass(frozen=True, slots=True)
class SubjectState:
    """What is kept of one subject, as a roll-up sees it: the worst open finding's severity or None."""

    subject: str
    known: bool
    worst: Severity | None
    weight: float = 1.0


RollUp = Callable[[Sequence[SubjectState]], Status]


def worst_severity(severities: Sequence[Severity | None]) -> Severity | None:
    """The worst of them; None where there is none."""
    for severity in (Severity.CRITICAL, Severity.WARNING, Severity.INFO):
        if severity in severities:
            return severity
    return None


def every_subject(subjects: Sequence[SubjectState]) -> Status:
    """`ok` only when every subject that matters is known; critical wins over unknown, unknown over warning."""
    unknown = any(not s.known for s in subjects if s.weight > 0)
    # Where nothing is known at all it does not help that nothing matters.
    return _rolled(subjects, blind=unknown or not any(s.known for s in subjects))


def enough_subjects(share: float) -> RollUp:
    """A roll-up that is `ok` when at least `share` (0..1) of the weight is known and nothing is found."""

    def roll_up(subjects: Sequence[SubjectState]) -> Status:
        total = sum(s.weight for s in subjects)
        known = sum(s.weight for s in subjects if s.known)
        return _rolled(subjects, blind=total == 0 or known < share * total)

    return roll_up


def _rolled(subjects: Sequence[SubjectState], *, blind: bool) -> Status:
    worst = worst_severity([s.worst for s in subjects])
    if worst is Severity.CRITICAL:
        return Status.CRITICAL
    if blind or not subjects:
        return Status.UNKNOWN
    return Status.WARNING if worst is Severity.WARNING else Status.OK


@dataclass(frozen=True, slots=True)
class About:
    """All that the daemon knows of a check.

    Attributes:
        name: one name everywhere: folder, configuration key, metric infix, runbook.
        targets: the target type that it looks at, or several.
        interval, timeout: seconds; defaults that the configuration overrides. `timeout` bounds one run.
        settings: the model of the check's own settings.
        codes: the closed set of findings.
        gauges: the closed set of samples.
        confirm: how worse is confirmed.
        roll_up: the status of a target from its subjects.
        drift_codes: for a check that watches records: drift's classification -> code of its finding.
    """

    name: str
    title: str
    targets: type[Target] | tuple[type[Target], ...]
    interval: float
    codes: tuple[Code, ...]
    settings: type[Settings] = Settings
    gauges: tuple[Gauge, ...] = ()
    timeout: float = 30.0
    confirm: Confirm = Confirm.AGAIN
    roll_up: RollUp = every_subject
    drift_codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def target_types(self) -> tuple[type[Target], ...]:
        """The target types that it looks at."""
        return self.targets if isinstance(self.targets, tuple) else (self.targets,)


# --- the world -----------------------------------------------------------------------------------


class DnsStatus(StrEnum):
    """What asking a question came to. The first three are knowledge, the others are not."""

    OK = "ok"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Question:
    """A DNS question: an absolute name without the trailing dot, and a type such as `TXT`."""

    name: str
    rtype: str


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The answer to one question.

    `records` are the record data as presentation text: TXT strings joined and decoded as latin-1
    (RFC 7208 §3.3), addresses canonical, MX as `10 mx.example.com` (names without trailing dot,
    lower case), others as in a zone file. `reason` says what failed where nothing is known.
    `canonical_name` is the name at the end of the CNAME chain.
    """

    question: Question
    status: DnsStatus
    records: tuple[str, ...] = ()
    ttl: int = 0
    authenticated: bool = False
    canonical_name: str = ""
    reason: str = ""

    @property
    def known(self) -> bool:
        """True where the answer tells something: records, or that there are none."""
        return self.status in {DnsStatus.OK, DnsStatus.NODATA, DnsStatus.NXDOMAIN}

    @property
    def blindness(self) -> str:
        """For the reason of an unknown look: what was asked, what came of it, and why."""
        because = f" ({self.reason})" if self.reason else ""
        return f"{self.question.name} {self.question.rtype}: {self.status}{because}"


class DnsClient(Protocol):
    """Asks the configured resolver; each question once a look; never raises for what a server sends."""

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The answer, within the resolver's time limit."""
        ...

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        """The answers in the order of the questions."""
        ...


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of a chain. Times in UTC. `names` are its subjectAltName entries (DNS names, addresses)."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint_sha256: str


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What was negotiated. `chain` has the leaf first; `trusted` is None where the chain verifies, else why not.

    The name is not part of `trusted`: `monitor.protocol.tls` judges names.
    """

    protocol: str
    cipher: str
    chain: tuple[Certificate, ...]
    untrusted: str | None = None


class SmtpFailure(StrEnum):
    """Where an SMTP conversation ended early. `connect` and `timeout` may be our own network's fault."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    FORBIDDEN = "forbidden"
    REPLY = "reply"
    TLS = "tls"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class SmtpConversation:
    """What one polite conversation (EHLO, STARTTLS, EHLO, QUIT; never MAIL or RCPT) showed.

    Attributes:
        phases: seconds by phase: `connect`, `banner`, `ehlo`, `starttls`, `tls`.
        extensions: EHLO keywords of the last EHLO, upper case -> parameters.
        starttls_offered: None where TLS was spoken from the start or EHLO was not reached.
        injected: plaintext followed the server's answer to STARTTLS (RFC 3207 §4.2); it was dropped.
        failure, reason: where and why it ended early; None and "" where it did not.
    """

    address: str
    phases: Mapping[str, float]
    banner: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)
    starttls_offered: bool | None = None
    tls: TlsSession | None = None
    injected: bool = False
    reply_code: int | None = None
    failure: SmtpFailure | None = None
    reason: str = ""


class SmtpClient(Protocol):
    """Talks to mail hosts as a guest; never raises for what a server sends."""

    async def converse(self, address: str, host: str, port: int) -> SmtpConversation:
        """One conversation with `address`; `host` is the name for SNI. Port 465 is TLS from the start."""
        ...


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
    """The last result of another check on a target of the same domain."""

    check: str
    target: str
    status: Status
    codes: tuple[str, ...]


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
    """All that a check may touch."""

    dns: DnsClient
    smtp: SmtpClient
    windows: EventWindows
    thresholds: Thresholds
    canaries: Canaries
    clock: Clock
    results: Results
    memory: Memory
    confirming: bool = False


TargetT_contra = TypeVar("TargetT_contra", bound=Target, contravariant=True)


class Check(Protocol[TargetT_contra]):
    """A pluggable unit that looks at targets of one kind. Made as `TheCheck(settings)`."""

    about: ClassVar[About]

    async def run(self, target: TargetT_contra, world: World) -> Outcome:
        """One run on one target; whatever it raises becomes `unknown` with its reason."""
        ...


class WatchesRecords(Protocol):
    """A check that also watches records: the daemon keeps the accepted state and tells people."""

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How `seen` differs in meaning from `accepted` ("" is absent); None where it means the same."""
        ...


@dataclass(frozen=True, slots=True)
class Asks:
    """What one look asks of one party (a blocklist zone). `limit`: what the party allows a day, None: no number."""

    party: str
    questions: int
    limit: int | None = None


@runtime_checkable
class NamesParties(Protocol):
    """A check that asks parties with limits says so, for `deliverability plan`."""

    def asks(self, target: Any) -> Sequence[Asks]:
        """What one look at `target` asks of each party."""
        ...


# --- panels --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Panel:
    """One dashboard panel of a check, in `panels.py` as `PANELS`.

    Attributes:
        kind: `stat`, `timeseries` or `table`.
        expr: PromQL; `$domain` is the dashboard's variable on the domain dashboard.
        unit: a Grafana unit (`percentunit`, `s`, `short`, `dateTimeFromNow`).
        board: `organisation` or `domain`.
    """

    title: str
    expr: str
    kind: str = "timeseries"
    unit: str = "short"
    legend: str = ""
    description: str = ""
    board: str = "domain"


__all__ = [
    "About",
    "Asks",
    "Canaries",
    "Certificate",
    "Check",
    "Clock",
    "Code",
    "Confirm",
    "DnsAnswer",
    "DnsClient",
    "DnsStatus",
    "EventWindows",
    "Gauge",
    "Memory",
    "NamesParties",
    "Panel",
    "PastResult",
    "Question",
    "Results",
    "RollUp",
    "Settings",
    "SmtpClient",
    "SmtpConversation",
    "SmtpFailure",
    "SubjectState",
    "Threshold",
    "Thresholds",
    "TlsSession",
    "WatchesRecords",
    "World",
    "enough_subjects",
    "every_subject",
    "worst_severity",
]
