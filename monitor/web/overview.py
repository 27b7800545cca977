"""The whole organisation at a glance, with a headline that tells the truth."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.model import Domain, MonitorTarget, Severity
from monitor.web.backend import Snapshot
from monitor.web.text import counted
from monitor.web.view import (
    BlindSpot,
    Cell,
    FindingView,
    ResultView,
    State,
    by_severity,
    cells,
    results,
    worst_state,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One domain: its worst state, and its cells by check."""

    domain: Domain
    state: State
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Blindness:
    """Blind spots with one reason. `where` names targets, with the subject where there is one."""

    checks: tuple[str, ...]
    reason: str
    matters: bool
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one moment.

    Attributes:
        clauses: the headline, the weightiest clause first.
        counts: results by state, the targets that wait among them.
        rows: the domains, the worst first; checks: the columns.
        findings, blindness: about the domains; `own_findings`, `own_blindness` about the monitor itself.
    """

    state: State
    clauses: tuple[str, ...]
    counts: Mapping[State, int]
    rows: tuple[Row, ...]
    checks: tuple[str, ...]
    findings: tuple[FindingView, ...]
    blindness: tuple[Blindness, ...]
    own_state: State
    own_findings: tuple[FindingView, ...]
    own_blindness: tuple[Blindness, ...]

    @property
    def headline(self) -> str:
        """The whole headline in one sentence."""
        return "; ".join(self.clauses)


def overview(snapshot: Snapshot) -> Overview:
    """The organisation as `snapshot` has it."""
    shown = results(snapshot)
    table = cells(snapshot, shown)
    own = [result for result in shown if not result.kept.domain]
    others = [result for result in shown if result.kept.domain]
    waiting = len(snapshot.waiting)
    states = [result.state for result in shown] + [State.WAITING] * waiting
    return Overview(
        state=worst_state(states),
        clauses=headline(shown, waiting),
        counts=Counter(states),
        rows=tuple(
            sorted(
                (_row(domain, table.get(domain.name, {})) for domain in snapshot.domains),
                key=lambda row: list(State).index(row.state),
            )
        ),
        checks=tuple(
            sorted(
                name
                for name, config in snapshot.checks.items()
                if config.about.targets is not MonitorTarget
            )
        ),
        findings=tuple(by_severity(f for result in others for f in result.findings)),
        blindness=grouped(spot for result in others for spot in result.blind_spots),
        own_state=worst_state(
            [result.state for result in own]
            + [State.WAITING for _check, _target, domain in snapshot.waiting if not domain]
        ),
        own_findings=tuple(by_severity(f for result in own for f in result.findings)),
        own_blindness=grouped(spot for result in own for spot in result.blind_spots),
    )


def headline(shown: Sequence[ResultView], waiting: int) -> tuple[str, ...]:
    """Clauses, the weightiest first. They never say that all is well while something is unknown or waits."""
    # The monitor's own trouble is told apart; that it is well is no news of the mail.
    outside = [result for result in shown if result.kept.domain]
    troubled = any(result.state is not State.OK for result in shown if not result.kept.domain)
    critical, warning = (_things(outside, one) for one in (Severity.CRITICAL, Severity.WARNING))
    unseen = sum(_unseen(result) for result in outside)
    clauses = []
    if critical:
        clauses.append(f"{counted(critical, 'thing')} {_verb(critical, 'need')} action now")
    if warning:
        noun = f"{warning} more" if critical else counted(warning, "thing")
        clauses.append(f"{noun} {_verb(warning, 'need')} attention")
    if not clauses and all(result.state is State.UNKNOWN for result in outside):
        clauses.append("We cannot see anything" if outside else "Nothing has been looked at yet")
    else:
        if not clauses:
            clauses.append(_all_well(outside, partly=bool(unseen or waiting or troubled)))
        if unseen:
            clauses.append(f"{counted(unseen, 'thing')} we cannot see")
    if troubled:
        clauses.append("the monitor itself needs attention")
    if waiting:
        clauses.append(f"{counted(waiting, 'look')} still to come")
    return tuple(clauses)


def _all_well(outside: Sequence[ResultView], *, partly: bool) -> str:
    if not partly:
        return "All is well"
    blind = sum(result.state is State.UNKNOWN for result in outside)
    little = 2 * blind > len(outside)
    return "The little that we can see is fine" if little else "Everything that we can see is fine"


def grouped(spots: Iterable[BlindSpot]) -> tuple[Blindness, ...]:
    """Blind spots with one reason together (a dead resolver blinds many), what matters first, the most first."""
    groups: dict[tuple[str, bool], list[BlindSpot]] = {}
    for spot in spots:
        groups.setdefault((spot.reason, spot.matters), []).append(spot)
    found = [
        Blindness(
            tuple(dict.fromkeys(spot.check for spot in members)),
            reason,
            matters,
            tuple(dict.fromkeys(_where(spot) for spot in members)),
        )
        for (reason, matters), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.matters, -len(one.where), one.reason)))


def _where(spot: BlindSpot) -> str:
    alone = spot.subject in {"", spot.target}
    return spot.target if alone else f"{spot.target} ({spot.subject})"


def _row(domain: Domain, own: Mapping[str, Cell]) -> Row:
    return Row(domain, worst_state(cell.state for cell in own.values()), own)


def _things(shown: Sequence[ResultView], severity: Severity) -> int:
    """Open findings; a result that is as bad without such a finding counts as one too."""
    number = 0
    for result in shown:
        found = sum(finding.severity == severity for finding in result.findings)
        number += found or int(result.state == severity.value)
    return number


def _unseen(result: ResultView) -> bool:
    return result.state is State.UNKNOWN or any(spot.matters for spot in result.blind_spots)


def _verb(number: int, verb: str) -> str:
    return f"{verb}s" if number == 1 else verb
