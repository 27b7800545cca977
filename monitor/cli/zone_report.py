"""What came of trying zones, and what that exits with."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from monitor.check import DeadZone, ZoneState, ZoneTrial
from monitor.web.text import one_line

ALL_USABLE, SOME_NOT, NONE_TOLD = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Trials:
    """What came of trying zones.

    Attributes:
        results: each trial with the check that asks the zone.
        nameservers: whom our resolver asks; public: those of them that serve the public, with who runs them.
        own_trouble: what lies with ourselves; "" where nothing does.
    """

    results: tuple[tuple[str, ZoneTrial], ...]
    nameservers: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    own_trouble: str = ""
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 where all are usable, 3 where nothing could be told, else 1."""
        states = {trial.state for _check, trial in self.results}
        if states <= {ZoneState.USABLE}:
            return ALL_USABLE if states else NONE_TOLD
        return NONE_TOLD if states == {ZoneState.UNKNOWN} else SOME_NOT

    def with_more(self, results: Iterable[tuple[str, ZoneTrial]], *, seconds: float) -> "Trials":
        """The same with others, after `seconds` in all."""
        return replace(self, results=(*self.results, *results), seconds=seconds)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "own_trouble": one_line(self.own_trouble),
            "nameservers": list(self.nameservers),
            "public_resolvers": list(self.public),
            "zones": [
                {
                    "zone": trial.zone,
                    "check": check,
                    "state": trial.state,
                    "reason": one_line(trial.reason),
                    "milliseconds": round(trial.seconds * 1000, 1),
                }
                for check, trial in self.results
            ],
            "seconds": round(self.seconds, 3),
        }


def buried(dead: Iterable[tuple[str, DeadZone]]) -> list[tuple[str, ZoneTrial]]:
    """Dead zones are asked nothing: what they answer means nothing."""
    return [(check, ZoneTrial(zone.name, ZoneState.DEAD, zone.obituary)) for check, zone in dead]
