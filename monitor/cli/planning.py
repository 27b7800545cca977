"""What would be asked of whom, how often, against each party's limits. Pure."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Final

from monitor.app.assembly import Assembly
from monitor.check import Limits, NamesParties
from monitor.inventory import LeftOut
from monitor.model import Target
from monitor.schedule import slice_of, slices_in
from monitor.world.allowance import PATIENCE, STEADY, daily

DAY: Final = 86_400
_HOUR: Final = 3600.0

INTERVALS: Final = (
    *(minutes * 60.0 for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(days * float(DAY) for days in (1, 2, 3, 7, 14, 30)),
)
"""Intervals that a person would choose, in seconds."""


class Verdict(StrEnum):
    """Whether a party's limits leave room for every look."""

    UNLIMITED = "unlimited"
    """It names no limit."""
    WITHIN = "within"
    """Everything is asked."""
    TIGHT = "tight"
    """The limit suffices, but not for what comes on top: now and then a look is put off."""
    OVER = "over"
    """More would be asked than it allows: looks are put off all the time."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """How often one check looks. `targets` counts them by kind; `interval` in seconds."""

    check: str
    targets: dict[str, int]
    interval: float
    looks_a_day: int


@dataclass(frozen=True, slots=True)
class PartyPlan:
    """What one party would be asked if it had no limits.

    Attributes:
        looks_a_day: questions of all looks; proofs_a_day: those about its own test entries.
        peak_a_second: the most questions that the schedule brings together.
        fits: the shortest usual interval, in seconds, at which everything could be asked; None where it can be
            now, or at no interval.
        terms: what to know before it is asked; "" where there is nothing.
    """

    check: str
    party: str
    looks_a_day: int
    proofs_a_day: int
    limits: Limits
    peak_a_second: int
    verdict: Verdict
    fits: float | None = None
    terms: str = ""

    @property
    def questions_a_day(self) -> int:
        """All of them."""
        return self.looks_a_day + self.proofs_a_day


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it.

    `undiscovered` are the domains whose hosts could not be found out, `own_trouble` says why where that lies with
    our resolver; `left_out` says what nobody looks at.
    """

    checks: tuple[CheckPlan, ...]
    parties: tuple[PartyPlan, ...]
    undiscovered: tuple[str, ...] = field(default=())
    own_trouble: str = ""
    left_out: tuple[LeftOut, ...] = field(default=())


def plan_of(assembly: Assembly, undiscovered: Sequence[str] = (), own_trouble: str = "") -> Plan:
    """The plan of one assembly."""
    checks: list[CheckPlan] = []
    parties: list[PartyPlan] = []
    for assignment in assembly.assignments():
        job, targets = assignment.job, assignment.targets
        interval = job.config.interval
        kinds = Counter(map(_kind, targets))
        a_day = _a_day(len(targets), interval)
        checks.append(CheckPlan(job.name, dict(kinds), interval, a_day))
        if isinstance(job.check, NamesParties):
            parties += _Questions(job.name, job.check, targets, interval).parties()
    left_out = assembly.inventory.left_out
    return Plan(tuple(checks), tuple(parties), tuple(undiscovered), own_trouble, left_out)


def _kind(target: Target) -> str:
    """A `NamedDomainTarget` is a `named domain`."""
    name = type(target).__name__.removesuffix("Target")
    return re.sub(r"(?<=.)(?=[A-Z])", " ", name).lower()


def verdict(limits: Limits, questions_a_day: int, peak: int) -> Verdict:
    """What limits leave room for; `peak` questions come together."""
    allowed = daily(limits)
    if allowed is None:
        return Verdict.UNLIMITED
    # Those that come together wait for each other, as long as looks do; then they are put off.
    crowd = limits.a_second is not None and peak > max(1.0, limits.a_second * PATIENCE / 2)
    if questions_a_day > allowed or crowd:
        return Verdict.OVER
    return Verdict.WITHIN if questions_a_day <= STEADY * allowed else Verdict.TIGHT


def _a_day(questions: int, interval: float) -> int:
    return math.ceil(questions * DAY / interval)


class _Questions:
    """The questions of one check to its parties."""

    def __init__(
        self, name: str, check: NamesParties, targets: Sequence[Target], interval: float
    ) -> None:
        self._name = name
        self._interval = interval
        self._a_sweep: Counter[str] = Counter()
        self._proofs: Counter[str] = Counter()
        self._limits: dict[str, Limits] = {}
        self._terms: dict[str, str] = {}
        self._askers: dict[str, list[tuple[str, int]]] = {}
        for target in targets:
            for asks in check.asks(target):
                self._a_sweep[asks.party] += asks.questions
                self._limits[asks.party] = asks.limits
                self._terms[asks.party] = asks.terms
                self._askers.setdefault(asks.party, []).append((target.name, asks.questions))
        for asks in check.asks_besides(targets):
            self._proofs[asks.party] += asks.questions
        self._peak = cache(self._peak_of)

    def parties(self) -> Iterator[PartyPlan]:
        """The plan of each, those that are asked most first."""
        for party, _questions in self._a_sweep.most_common():
            now = self._verdict(party, self._interval)
            yield PartyPlan(
                check=self._name,
                party=party,
                looks_a_day=_a_day(self._a_sweep[party], self._interval),
                proofs_a_day=self._proofs[party],
                limits=self._limits[party],
                peak_a_second=self._peak(party, slices_in(self._interval)),
                verdict=now,
                fits=self._fits(party) if now in {Verdict.TIGHT, Verdict.OVER} else None,
                terms=self._terms[party],
            )

    def _fits(self, party: str) -> float | None:
        longer: Iterable[float] = (i for i in INTERVALS if i > self._interval)
        return next((i for i in longer if self._verdict(party, i) is Verdict.WITHIN), None)

    def _verdict(self, party: str, interval: float) -> Verdict:
        questions = _a_day(self._a_sweep[party], interval) + self._proofs[party]
        return verdict(self._limits[party], questions, self._peak(party, slices_in(interval)))

    def _peak_of(self, party: str, slices: int) -> int:
        """The most questions of one slice: its looks begin together."""
        together: Counter[int] = Counter()
        for target, questions in self._askers[party]:
            together[slice_of(self._name, target, slices)] += questions
        return max(together.values())
