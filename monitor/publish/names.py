"""The core metric names: one table that the exposition, the rules and the dashboards share.

What a check measures is declared in its own `About.gauges` and joins this table in `declared`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from monitor.check import About

PREFIX = "deliverability_"


class Kind(StrEnum):
    """A metric's type, as the Prometheus text format names it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family: its full name, type, help and label names in the order in which they are shown."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that its series carry (a histogram has three)."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)


def _gauge(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, Kind.GAUGE, help_text, labels)


def _counter(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, Kind.COUNTER, help_text, labels)


def _histogram(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, Kind.HISTOGRAM, help_text, labels)


CORE: tuple[Metric, ...] = (
    _gauge(
        "check_status",
        "1 for the current status of a check on a target, 0 for the others.",
        "check",
        "target",
        "domain",
        "status",
    ),
    _gauge(
        "check_last_run_timestamp_seconds", "When a target was last looked at.", "check", "target"
    ),
    _gauge(
        "check_oldest_run_timestamp_seconds",
        "When the target of a check that waits longest was last looked at.",
        "check",
    ),
    _gauge(
        "check_last_known_timestamp_seconds",
        "When a target's status was last not unknown; absent where it never was.",
        "check",
        "target",
    ),
    _gauge("check_interval_seconds", "The configured interval of a check.", "check"),
    _counter("check_runs_total", "Runs of a check by the status they came to.", "check", "status"),
    _histogram("check_duration_seconds", "How long runs of a check took.", "check"),
    _histogram("schedule_lateness_seconds", "How late slices of a check's sweep started.", "check"),
    _gauge(
        "findings",
        "Open findings, held until a known look clears them.",
        "domain",
        "check",
        "code",
        "severity",
    ),
    _gauge(
        "finding_age_seconds",
        "Seconds since an open finding was last seen.",
        "domain",
        "check",
        "code",
    ),
    _gauge(
        "finding_since_timestamp_seconds",
        "Since when a finding is open.",
        "domain",
        "check",
        "code",
    ),
    _gauge("domain_info", "A configured domain.", "domain", "role", "owner", "team"),
    _gauge(
        "sender_info",
        "A configured sender.",
        "sender",
        "platform",
        "class",
        "pool",
        "owner",
        "team",
    ),
    _gauge(
        "record_drift",
        "1 while a watched record differs from what was accepted.",
        "domain",
        "record",
        "classification",
    ),
    _gauge(
        "record_last_change_timestamp_seconds",
        "When a watched record last changed.",
        "domain",
        "record",
    ),
    _counter(
        "events_total",
        "Events of messages, each counted once.",
        "sender",
        "stream",
        "domain",
        "provider",
        "event",
    ),
    _counter("hook_requests_total", "Requests to a hook by their outcome.", "hook", "outcome"),
    _gauge("hook_last_event_timestamp_seconds", "When a hook last accepted an event.", "hook"),
    _gauge("store_up", "1 while the store of state answers."),
    _gauge("config_last_reload_successful", "1 where the last reload of the configuration worked."),
    _gauge(
        "config_last_reload_success_timestamp_seconds",
        "When the configuration was last loaded successfully.",
    ),
    _gauge("build_info", "The running version.", "version"),
)
"""What the daemon itself exports."""

FOREIGN: tuple[Metric, ...] = (
    Metric("up", Kind.GAUGE, "1 where Prometheus reached the target.", ("job", "instance")),
    Metric(
        "ALERTS",
        Kind.GAUGE,
        "1 while an alert is pending or firing.",
        ("alertname", "alertstate", "severity", "domain", "check", "code", "sender"),
    ),
    Metric("process_start_time_seconds", Kind.GAUGE, "When the daemon's process started."),
)
"""What rules may name besides: Prometheus's own, and the process metrics every client exports."""


def metrics_of(about: About) -> tuple[Metric, ...]:
    """The metrics of one check, from the gauges that it declares."""
    return tuple(
        Metric(
            PREFIX + gauge.name,
            Kind.COUNTER if gauge.counter else Kind.GAUGE,
            gauge.help,
            gauge.labels,
        )
        for gauge in about.gauges
    )


def declared(abouts: Iterable[About]) -> dict[str, Metric]:
    """Every series name that rules and panels may use -> its metric.

    Checks may share a metric whose label `check` tells their series apart.

    Raises:
        ValueError: two declarations of one name.
    """
    found: dict[str, Metric] = {}
    for metric in (*CORE, *FOREIGN, *(m for about in abouts for m in metrics_of(about))):
        for series in metric.series:
            shared = "check" in metric.labels and found.get(series) == metric
            if series in found and not shared:
                raise ValueError(f"metric {series} is declared twice")
            found[series] = metric
    return found
