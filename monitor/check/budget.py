"""How much others may be asked: what a party allows, what a look wants of it, how urgent that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Urgency(StrEnum):
    """Whose questions come first where there are not enough for everybody."""

    QUIET = "quiet"
    """A target of which nothing is known that would hurry."""
    BUSY = "busy"
    """A target that much mail depends on."""
    TROUBLED = "troubled"
    """A target where something was found, now or in the last days."""
    CERTAINTY = "certainty"
    """Confirms what was found, or proves that the party can be believed: a part is kept back for it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many questions a party allows in a day (UTC) and in a second; None: it names no number."""

    a_day: int | None = None
    a_second: float | None = None


@dataclass(frozen=True, slots=True)
class Asks:
    """What is asked of one party (a blocklist zone, by its name, never its key).

    `terms` is what a person must know before asking it (terms of licence), "" where there is nothing.
    """

    party: str
    questions: int
    limits: Limits = Limits()
    terms: str = ""


class Budgets(Protocol):
    """Keeps to what parties allow, across restarts."""

    async def take(self, who: str, wanted: Sequence[Asks], urgency: Urgency) -> frozenset[str]:
        """The parties that may be asked now on behalf of the target `who`; their questions count as asked.

        Whoever is not granted something has its turn later: it grows more urgent while it waits. Waits
        itself, some seconds at most, where a party allows so many questions a second.
        """
        ...
