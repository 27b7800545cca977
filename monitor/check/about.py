"""What a check is: what it says of itself, and what the daemon asks of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from monitor.check.budget import Asks
from monitor.check.world import World
from monitor.model import Classification, Drift, Outcome, Severity, Status, Target
from monitor.protocol.durations import parse_duration

Duration = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    Field(examples=["500ms", "5s", "15m", "1h30m", "7d"]),
]
"""A setting's type: text such as `15m` in the file, seconds as float in the program."""


class Settings(BaseModel):
    """The base of a check's own settings: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def at_most(other: str) -> AfterValidator:
    """Part of a setting's type: its value is no more than that of the field `other`, which stands before it."""

    def check(value: float, info: ValidationInfo) -> float:
        limit = info.data.get(other)
        if limit is not None and value > limit:
            raise ValueError(f"is more than {other} ({limit:g})")
        return value

    return AfterValidator(check)


class Confirm(StrEnum):
    """How what got worse is confirmed before it counts (a one-shot `check` confirms at once)."""

    AGAIN = "again"
    """Look again later, past every cache."""
    OTHER_PATH = "other_path"
    """Look again through another resolver (or over TCP) or another address of the host."""
    OTHER_RESOLVER = "other_resolver"
    """Look again through another resolver and through our first one in turn; through that alone where there is
    no other (never over TCP: a blocklist's server may have none)."""
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


def _every(_target: Target) -> bool:
    return True


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
        confirms_clearing: what no longer is found is confirmed as what got worse is, and what comes back within a
            day stays open until looks have found nothing for hours. For a check whose clean look is the absence of
            an answer, which a resolver can invent; else what is found to be well is well.
        roll_up: the status of a target from its subjects.
        drift_codes: for a check that watches records: drift's classification -> code of its finding.
        absent: codes that say that there is no record; where it vanished, drift says that, and more.
        applies: which of the targets of its types it looks at; all of them unless it says so.
        opt_in: runs only where the configuration says `enabled: true`.
        tabled: its subjects read `who: what`, such as `Gmail: publish a DMARC policy`; pages show them as a
            table of what is met, not met and not known.
        reads_results: it judges what other checks found (`world.results`): a one-shot look runs it last.
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
    confirms_clearing: bool = False
    roll_up: RollUp = every_subject
    drift_codes: Mapping[Classification, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    applies: Callable[[Any], bool] = _every
    opt_in: bool = False
    reads_results: bool = False
    tabled: bool = False

    @property
    def target_types(self) -> tuple[type[Target], ...]:
        """The target types that it looks at."""
        return self.targets if isinstance(self.targets, tuple) else (self.targets,)


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


@runtime_checkable
class NamesParties(Protocol):
    """A check that asks parties with limits says so, for `deliverability plan`."""

    def asks(self, target: Any) -> Sequence[Asks]:
        """What one look at `target` asks of each party."""
        ...

    def asks_besides(self, targets: Sequence[Any]) -> Sequence[Asks]:
        """What is asked of each party in a day besides the looks, where `targets` are all there are (proofs)."""
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
