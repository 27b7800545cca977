"""What is kept, as Prometheus sees it. Never known is absent; known stays until a known look clears it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from monitor.check import About, Gauge
from monitor.model import AddressTarget, Sample, Status
from monitor.publish.names import CORE, PREFIX, Metric, metrics_of
from monitor.publish.series import Key, Series, exposition, series
from monitor.store.kept import Baseline, Kept


@dataclass(slots=True)
class _Shared:
    """A series that several targets speak for: what each said, and when it looked."""

    add_up: bool
    said: dict[Key, tuple[float, float]] = field(default_factory=dict)

    @property
    def value(self) -> float:
        if self.add_up:
            return sum(value for value, _ in self.said.values())
        # By time, not by turn: after a restart everything is said again in another order.
        _, _, value = max((at, key, value) for key, (value, at) in self.said.items())
        return value


@dataclass(frozen=True, slots=True)
class _Times:
    """Since when a finding is open, and when it was last seen (epoch seconds)."""

    since: float
    seen: float


class Exposition:
    """Series of everything kept, kept as text."""

    def __init__(self) -> None:
        self._abouts: dict[str, About] = {}
        self._metrics: dict[str, Metric] = {}
        self._blocks: dict[str, dict[Key, str]] = defaultdict(dict)
        self._shared: dict[tuple[str, tuple[tuple[str, str], ...]], _Shared] = {}
        self._shared_of: dict[Key, list[tuple[str, tuple[tuple[str, str], ...]]]] = {}
        self._open: dict[tuple[str, str, str], dict[Key, _Times]] = defaultdict(dict)
        self._counters: dict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)

    def configure(self, abouts: Iterable[About]) -> None:
        """The checks there are now."""
        self._abouts = {about.name: about for about in abouts}
        metrics = (*CORE, *(m for about in self._abouts.values() for m in metrics_of(about)))
        self._metrics = {metric.name: metric for metric in metrics}
        for gone in [one for one in self._counters if one[0] not in self._metrics]:
            del self._counters[gone]

    def update(self, kept: Kept, baselines: Sequence[Baseline]) -> None:
        """A target changed."""
        key = (kept.check, kept.target)
        self.remove(*key)
        about = self._abouts.get(kept.check)
        if about is None:
            return
        gauges = {gauge.name: gauge for gauge in about.gauges if not gauge.counter}
        # A failed look repeats what was said before.
        at = (kept.known_at or 0.0) if kept.failure else kept.looked_at
        own: dict[str, list[str]] = defaultdict(list)
        for one in _status_series(kept, about):
            own[one.name].append(one.line())
        for sample in _samples(kept):
            gauge = gauges.get(sample.gauge)
            if gauge is None:
                continue
            one = _sample_series(gauge, sample, kept)
            if "target" in gauge.labels:
                own[one.name].append(one.line())
            else:
                self._say(key, one, at=at, add_up=gauge.total)
        for one in _finding_series(kept):
            self._say(key, one, at=at, add_up=True)
        for one in _drift_series(kept, baselines):
            self._say(key, one, at=at, add_up=False)
        for name, lines in own.items():
            self._blocks[name][key] = "".join(lines)
        for code, times in _times(kept).items():
            self._open[kept.domain, kept.check, code][key] = times

    def remove(self, check: str, target: str) -> None:
        """A target is gone, and its series with it."""
        key = (check, target)
        for blocks in self._blocks.values():
            blocks.pop(key, None)
        for identity in self._shared_of.pop(key, ()):
            shared = self._shared.get(identity)
            if shared is not None:
                shared.said.pop(key, None)
                if not shared.said:
                    del self._shared[identity]
        for code in [code for code, targets in self._open.items() if key in targets]:
            del self._open[code][key]
            if not self._open[code]:
                del self._open[code]

    def count(self, check: str, samples: Iterable[Sample]) -> None:
        """Add the increments among a run's samples to the counters that the check declares."""
        about = self._abouts.get(check)
        counters = {gauge.name: gauge for gauge in about.gauges if gauge.counter} if about else {}
        for sample in samples:
            gauge = counters.get(sample.gauge)
            if gauge is not None:
                labels = tuple((name, sample.labels.get(name, "")) for name in gauge.labels)
                self._counters[PREFIX + gauge.name, labels] += sample.value

    def render(self, extra: Iterable[Series], *, now: float, openmetrics: bool) -> str:
        """The exposition, without the daemon's own meters and without `# EOF`."""
        bodies: dict[str, list[str]] = defaultdict(list)
        for name, blocks in self._blocks.items():
            bodies[name].extend(blocks.values())
        for (name, labels), shared in self._shared.items():
            bodies[name].append(Series(name, labels, shared.value).line())
        for (domain, check, code), targets in self._open.items():
            named = {"domain": domain, "check": check, "code": code}
            age = max(0.0, now - min(times.seen for times in targets.values()))
            since = min(times.since for times in targets.values())
            for one in (
                series("finding_age_seconds", age, **named),
                series("finding_since_timestamp_seconds", since, **named),
            ):
                bodies[one.name].append(one.line())
        for (name, labels), value in self._counters.items():
            bodies[name].append(Series(name, labels, value).line())
        for one in extra:
            bodies[one.name].append(one.line())
        return exposition(self._metrics, bodies, openmetrics=openmetrics)

    def _say(self, key: Key, one: Series, *, at: float, add_up: bool) -> None:
        identity = (one.name, one.labels)
        shared = self._shared.setdefault(identity, _Shared(add_up))
        if key not in shared.said:
            self._shared_of.setdefault(key, []).append(identity)
        before, _ = shared.said.get(key, (0.0, at))
        shared.said[key] = (before + one.value if add_up else one.value, at)


def _status_series(kept: Kept, about: About) -> Iterable[Series]:
    # Per address only where it is not ok: an organisation may watch a million of them.
    if (
        kept.status is Status.OK
        and AddressTarget in about.target_types
        and _is_address(kept.target)
    ):
        return
    own = {"check": kept.check, "target": kept.target}
    for status in Status:
        yield series(
            "check_status",
            1 if status is kept.status else 0,
            **own,
            domain=kept.domain,
            status=status.value,
        )
    yield series("check_last_run_timestamp_seconds", kept.looked_at, **own)
    if kept.known_at is not None:
        yield series("check_last_known_timestamp_seconds", kept.known_at, **own)


def _is_address(target: str) -> bool:
    try:
        ip_address(target)
    except ValueError:
        return False
    return True


def _samples(kept: Kept) -> Iterable[Sample]:
    yield from kept.samples
    for subject in kept.subjects.values():
        yield from subject.samples


def _sample_series(gauge: Gauge, sample: Sample, kept: Kept) -> Series:
    filled: Mapping[str, str] = {"target": kept.target, "domain": kept.domain, **sample.labels}
    return Series(
        PREFIX + gauge.name,
        tuple((name, filled.get(name, "")) for name in gauge.labels),
        sample.value,
    )


def _finding_series(kept: Kept) -> Iterable[Series]:
    for subject in kept.subjects.values():
        for finding in subject.findings:
            yield series(
                "findings",
                1,
                domain=kept.domain,
                check=kept.check,
                code=finding.code,
                severity=finding.severity,
            )


def _drift_series(kept: Kept, baselines: Sequence[Baseline]) -> Iterable[Series]:
    labels = {"domain": kept.domain, "record": kept.check}
    for baseline in baselines:
        # Not seen for too long, its finding is gone; so is the drift. A record that is not watched now has none.
        told = kept.subjects.get(baseline.subject)
        watched = told is not None and told.known_at is not None and told.record is not None
        if baseline.classification and watched:
            yield series("record_drift", 1, **labels, classification=baseline.classification)
    if baselines:
        last = max(baseline.changed_at for baseline in baselines)
        yield series("record_last_change_timestamp_seconds", last, **labels)


def _times(kept: Kept) -> dict[str, _Times]:
    """Of each open code: the subject open for longest, and the one not seen for longest."""
    found: dict[str, _Times] = {}
    for subject in kept.subjects.values():
        for finding in subject.findings:
            seen = kept.last_seen(subject, finding)
            before = found.get(finding.code, _Times(finding.since, seen))
            found[finding.code] = _Times(min(before.since, finding.since), min(before.seen, seen))
    return found
