"""How a party's limits are shared out: over the day, among those who wait, over the seconds. Pure but for `Pace`.

The day's limit opens little by little, so that a sweep in the morning does not eat all of it. Who has waited
longer may go nearer to what is open: what is asked settles by itself where the waiting are served as fast as
the limit allows, whatever their number, and nobody waits for ever. docs/decisions/budgets.md has the reasons.
"""

from collections import deque
from math import floor, inf
from typing import Final

from monitor.check import Limits, Urgency

DAY: Final = 86400.0

BURST: Final = 0.05
"""The share of the day's limit that is open when the day begins; the rest opens evenly until its end."""

RESERVE: Final = 0.05
"""The share that only confirming looks and proofs may use."""

BAND: Final = 0.05
"""The share over which the waiting are told apart: the least eager stay that far below what is open, so that of
what opens with the day they get nothing."""

STEADY: Final = 0.8
"""The share that looks and proofs may need in a day without any of them being put off: what is neither kept back
nor in the band, and some room for a day on which not everything is spread evenly."""

NEW_WAITED: Final = DAY
"""Seconds for which whoever is new counts as waiting already."""

_WEIGHTS: Final = {Urgency.QUIET: 1.0, Urgency.BUSY: 4.0, Urgency.TROUBLED: 100.0}
"""How much faster than for a quiet one time passes for a target that waits."""

PATIENCE: Final = 10.0
"""Seconds that the most eager wait at most for their second's turn; half of it after the usual wait."""

_SHORTEST_USUAL: Final = 60.0
_LEARNT: Final = 0.02


def daily(limits: Limits) -> int | None:
    """Questions that a party allows in a day; what it allows in a second bounds the day too. None: no limit."""
    numbers = [limits.a_day] if limits.a_day is not None else []
    if limits.a_second is not None:
        numbers.append(floor(limits.a_second * DAY))
    return min(numbers, default=None)


def weighed(urgency: Urgency, waited: float) -> float:
    """Seconds that a target was not asked about, longer for those that come first."""
    return max(waited, 0.0) * _WEIGHTS[urgency]


def eagerness(wait: float, usual: float) -> float:
    """From 0 (asked just now) to 1; a half where the weighed wait is as long as is usual at this party."""
    return wait**2 / (wait**2 + usual**2)


def usual_after(usual: float, urgency: Urgency, wait: float) -> float:
    """The usual weighed wait once another one came to its end: half of those that are not troubled are longer."""
    if urgency not in {Urgency.QUIET, Urgency.BUSY}:
        return usual
    step = 1 + _LEARNT
    return max(_SHORTEST_USUAL, usual * step if wait > usual else usual / step)


def allows(a_day: int, asked: int, questions: int, *, passed: float, eager: float | None) -> bool:
    """Whether a party that was asked so often today may be asked so many questions more.

    Args:
        a_day: what it allows in a day.
        asked: questions since the day began.
        questions: those wanted now.
        passed: the share of the day that is over (0..1).
        eager: the eagerness of the target; None for what makes certain, which may use the reserve.
    """
    if eager is None:
        return asked + questions <= a_day
    ordinary = a_day - floor(a_day * RESERVE)
    opened = ordinary * (BURST + (1 - BURST) * passed) - a_day * BAND * (1 - eager)
    # Rounded, so that of the smallest limit there is a question for somebody.
    return asked + questions <= min(ordinary, opened + 0.5)


class Pace:
    """No more than `a_second` questions in any second; with less than one, no two within 1 / `a_second` s.

    More questions at once than that go out together, and the next wait until their time is over.
    """

    def __init__(self, a_second: float, *, asked_until: float = -inf) -> None:
        """`asked_until`: monotonic seconds until when somebody may have asked of whom nothing is known."""
        self.a_second = a_second
        self._count = max(1, floor(a_second))
        self._seconds = self._count / a_second
        self._asked = deque([asked_until] * self._count, maxlen=self._count)

    def free_at(self, now: float, questions: int) -> float:
        """When that many may be asked: `now`, or the first time after it."""
        oldest = self._asked[min(questions, self._count) - 1]
        return max(now, self._asked[-1], oldest + self._seconds)

    def book(self, at: float, questions: int) -> None:
        """That many are asked at `at`, which is not before `free_at`."""
        for number in range(questions):
            self._asked.append(at + number // self._count * self._seconds)
