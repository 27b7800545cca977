"""100,000 series: the daemon's text blocks, kept until their target changes, and prometheus_client.

The series are the same in both: six of each of 16,667 targets. One scrape is measured, after a
first one that is not.
"""

import time
from collections.abc import Callable

from measure import Figures, forget_peak, peak_mib, resident_mib, tell, used
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monitor.check import About
from monitor.model import DomainTarget, Status
from monitor.publish.exposition import Exposition
from monitor.store.kept import Kept

TARGETS = 16_667
NOW = 1_800_000_000.0


def names() -> list[str]:
    return [f"customer-{number}.example.com" for number in range(TARGETS)]


def ours() -> Figures:
    exposition = Exposition()
    exposition.configure([About("dmarc", "DMARC", DomainTarget, 900.0, codes=())])
    for name in names():
        kept = Kept("dmarc", name, name, Status.OK, NOW, NOW, NOW, clean=1, clean_weight=1)
        exposition.update(kept, ())

    def scrape() -> bytes:
        return exposition.render((), now=NOW, openmetrics=False).encode()

    return _measured(scrape)


def peer() -> Figures:
    registry = CollectorRegistry()
    status = Gauge(
        "deliverability_check_status",
        "1 for the current status of a check on a target, 0 for the others.",
        ["check", "target", "domain", "status"],
        registry=registry,
    )
    times = [
        Gauge(
            f"deliverability_check_last_{what}_timestamp_seconds",
            what,
            ["check", "target"],
            registry=registry,
        )
        for what in ("run", "known")
    ]
    for name in names():
        for one in Status:
            status.labels("dmarc", name, name, one.value).set(1 if one is Status.OK else 0)
        for gauge in times:
            gauge.labels("dmarc", name).set(NOW)
    return _measured(lambda: generate_latest(registry))


def _measured(scrape: Callable[[], bytes]) -> Figures:
    series = sum(line[:1] != b"#" for line in scrape().splitlines())
    time.sleep(0.1)
    forget_peak()
    before = resident_mib()
    with used() as usage:
        text = scrape()
    return {
        "seconds": usage.wall,
        "peak_mib": peak_mib() - before,
        "series": series,
        "mib": len(text) / 2**20,
    }


if __name__ == "__main__":
    tell({"ours": ours, "peer": peer})
