"""The daemon's own counters and histograms; what is bound to targets is in `exposition`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from monitor.model import Status

DURATION_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60)
LATENESS_BUCKETS = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Meters:
    """Counters of what the daemon did since it started."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._runs = Counter(
            "deliverability_check_runs",
            "Runs of a check by the status that resulted.",
            ["check", "status"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "deliverability_check_duration_seconds",
            "How long one run of a check on one target took.",
            ["check"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self._lateness = Histogram(
            "deliverability_schedule_lateness_seconds",
            "How long after its due time a run started.",
            ["check"],
            buckets=LATENESS_BUCKETS,
            registry=self.registry,
        )
        self._reload = Gauge(
            "deliverability_config_last_reload_successful",
            "1 where the last loading of the configuration succeeded.",
            registry=self.registry,
        )
        self._reload_time = Gauge(
            "deliverability_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded successfully.",
            registry=self.registry,
        )
        build = Gauge(
            "deliverability_build_info",
            "1, with the version as its label.",
            ["version"],
            registry=self.registry,
        )
        build.labels(version).set(1)

    def run_finished(self, check: str, seconds: float) -> None:
        """A run ended, whatever it learnt."""
        self._duration.labels(check).observe(seconds)

    def run_counted(self, check: str, status: Status) -> None:
        """A run's result was taken; `status` is the target's afterwards."""
        self._runs.labels(check, status.value).inc()

    def started(self, check: str, *, lateness: float) -> None:
        """A due run started `lateness` seconds after its time."""
        self._lateness.labels(check).observe(lateness)

    def config_loaded(self, *, successful: bool, at: float) -> None:
        """The configuration was loaded, or refused."""
        self._reload.set(1 if successful else 0)
        if successful:
            self._reload_time.set(at)

    def render(self, *, openmetrics: bool) -> bytes:
        """The exposition of these metrics, with `# EOF` where it is OpenMetrics."""
        generate = generate_openmetrics if openmetrics else generate_latest
        return bytes(generate(self.registry))
