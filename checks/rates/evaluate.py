"""From windows of counts to ratios and findings. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from checks.rates.kinds import DAY, KINDS, LONG, SHORT, WINDOWS, Kind
from monitor.check import Threshold
from monitor.model import Counts, Finding, Look, Sample, Severity
from monitor.protocol.rates import wilson

Limits = Mapping[tuple[str, str], Threshold | None]
"""(kind, stream) -> its limit; stream "" is the sender as a whole."""

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Group:
    """Mail that is judged together: a sender's, one of its streams', or that to one provider."""

    subject: str
    stream: str
    provider: str
    windows: Mapping[int, Counts]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A share of messages with its 95 % interval."""

    happened: int
    messages: int

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.happened / self.messages

    @property
    def bounds(self) -> tuple[float, float]:
        """The Wilson interval."""
        return wilson(self.happened, self.messages)


def grouped(
    counts: Mapping[tuple[str, str], Mapping[int, Counts]], streams: Iterable[str]
) -> tuple[Group, ...]:
    """The sender as a whole, each stream (declared or seen), each provider with mail."""
    seen = {stream for stream, _ in counts if stream}
    providers = sorted({provider for _, provider in counts if provider})
    return (
        Group(_ALL, "", "", _sum(counts.values())),
        *(
            Group(f"stream {name}", name, "", _sum(w for (s, _), w in counts.items() if s == name))
            for name in sorted(seen.union(streams))
        ),
        *(
            Group(
                f"provider {name}", "", name, _sum(w for (_, p), w in counts.items() if p == name)
            )
            for name in providers
        ),
    )


def _sum(windows: Iterable[Mapping[int, Counts]]) -> dict[int, Counts]:
    total: dict[int, Counts] = {}
    for one in windows:
        for seconds, counts in one.items():
            total[seconds] = _added(total.get(seconds, Counts()), counts)
    return total


def _added(one: Counts, other: Counts) -> Counts:
    return Counts(*(getattr(one, f.name) + getattr(other, f.name) for f in fields(Counts)))


def looks(
    sender: str, groups: Sequence[Group], limits: Limits, *, told: bool = False
) -> tuple[Look, ...]:
    """A look at each group; unknown where what the source reports is no ground for a ratio.

    `told`: too much was found before. Then what is left of the hour tells of no recovery, however little it is.
    """
    day = groups[0].windows.get(DAY, Counts())
    distrust = [kind.distrust for kind in KINDS if kind.happened(day) and not kind.trusted(day)]
    if distrust:
        return tuple(Look.unknown(group.subject, distrust[0]) for group in groups)
    return tuple(_look(sender, group, limits, told=told) for group in groups)


def _look(sender: str, group: Group, limits: Limits, *, told: bool) -> Look:
    findings: list[Finding] = []
    samples: list[Sample] = []
    for kind in KINDS:
        ratios = {
            seconds: Ratio(kind.happened(counts), kind.messages(counts))
            for seconds, counts in group.windows.items()
            if kind.messages(counts)
        }
        for seconds, ratio in ratios.items():
            samples += _ratio_samples(kind, sender, group, WINDOWS[seconds], ratio)
        limit = limits.get((kind.name, group.stream))
        if limit and told and SHORT not in ratios:
            limit = replace(limit, minimum=1)
        crossing = crossed(ratios, limit) if limit else None
        if crossing and SHORT not in ratios:
            # Silence is no recovery: what was found stays until mail flows again, or the hour has passed.
            return Look.unknown(
                group.subject, f"{_numbers(ratios)}, and no mail since: no news of it"
            )
        if crossing:
            findings.append(_finding(kind, sender, group, ratios, crossing))
    return Look.known(group.subject, tuple(findings), samples=tuple(samples))


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit that is crossed, and how bad that is."""

    severity: Severity
    limit: float


def crossed(ratios: Mapping[int, Ratio], limit: Threshold) -> Crossing | None:
    """The gravest limit that the lower bound is above over an hour of enough messages, and is still now.

    "Now" is the last five minutes, however few messages they have; without any the hour alone decides.
    """
    if LONG not in ratios or ratios[LONG].messages < limit.minimum:
        return None
    lower = min(ratios[seconds].bounds[0] for seconds in (SHORT, LONG) if seconds in ratios)
    if lower > limit.critical:
        return Crossing(Severity.CRITICAL, limit.critical)
    return Crossing(Severity.WARNING, limit.warning) if lower > limit.warning else None


def _finding(
    kind: Kind, sender: str, group: Group, ratios: Mapping[int, Ratio], crossing: Crossing
) -> Finding:
    which = "" if group.subject == _ALL else f", {group.subject}"
    hour = ratios[LONG]
    return Finding(
        kind.code,
        f"{hour.value:.1%} of {hour.messages} messages of {sender}{which} {kind.words} in the last hour "
        f"(surely more than {hour.bounds[0]:.1%}; limit {crossing.limit:.1%})",
        fix=kind.fix,
        evidence=_numbers(ratios),
        severity=crossing.severity,
    )


def _numbers(ratios: Mapping[int, Ratio]) -> str:
    return "; ".join(
        f"{WINDOWS[seconds]}: {ratio.happened} of {ratio.messages}"
        for seconds, ratio in sorted(ratios.items())
    )


def _ratio_samples(
    kind: Kind, sender: str, group: Group, window: str, ratio: Ratio
) -> Iterator[Sample]:
    labels = {
        "kind": kind.name,
        "sender": sender,
        "stream": group.stream,
        "provider": group.provider,
        "window": window,
    }
    lower, upper = ratio.bounds
    yield Sample("ratio", ratio.value, labels)
    yield Sample("ratio_lower", lower, labels)
    yield Sample("ratio_upper", upper, labels)
    yield Sample("ratio_messages", float(ratio.messages), labels)


def limit_samples(sender: str, limits: Limits) -> Iterator[Sample]:
    """The limits themselves, whether there is mail or not."""
    for (kind, stream), limit in limits.items():
        if limit is None:
            continue
        labels = {"kind": kind, "sender": sender, "stream": stream}
        yield Sample("threshold_minimum_messages", float(limit.minimum), labels)
        for severity, value in (
            (Severity.WARNING, limit.warning),
            (Severity.CRITICAL, limit.critical),
        ):
            for window in WINDOWS.values():
                at = {**labels, "severity": severity.value, "window": window}
                yield Sample("threshold", value, at)
