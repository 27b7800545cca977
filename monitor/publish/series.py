"""Families of series as text, one block a target, renewed when that target changes.

Joining blocks costs a hundredth of building objects for every series at every scrape.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.publish.names import Kind, Metric

Key = tuple[str, str]
"""The owner of a block: (check, target)."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series: the metric's full name, its labels in order, its value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    def line(self) -> str:
        """As both text formats write it, with its line end."""
        return f"{self.name}{_label_text(self.labels)} {_number(self.value)}\n"


def series(name: str, value: float, /, **labels: str) -> Series:
    """A series of the metric `deliverability_<name>`."""
    return Series(f"deliverability_{name}", tuple(labels.items()), value)


def exposition(
    metrics: Mapping[str, Metric], bodies: Mapping[str, Iterable[str]], *, openmetrics: bool
) -> str:
    """The families that have a body, with their headers; bodies are lines of series."""
    parts: list[str] = []
    for name in sorted(bodies):
        body = "".join(bodies[name])
        if not body:
            continue
        metric = metrics[name]
        # OpenMetrics names a counter's family without the suffix of its series.
        counter = openmetrics and metric.kind is Kind.COUNTER
        family = name.removesuffix("_total") if counter else name
        parts.append(
            f"# HELP {family} {_escape_help(metric.help)}\n# TYPE {family} {metric.kind}\n"
        )
        parts.append(body)
    return "".join(parts)


def _label_text(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


EXACT_INTEGERS = 1e15


def _number(value: float) -> str:
    whole = float(value).is_integer() and abs(value) < EXACT_INTEGERS
    return str(int(value)) if whole else repr(float(value))
