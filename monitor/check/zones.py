"""What a check tells of the zones that it asks, and how it tries one: for those who do not know the check."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from monitor.check.world import World


class ZoneStanding(StrEnum):
    """Where a living zone stands with the configuration."""

    ASKED = "asked"
    """It is asked now."""
    OFFERED = "offered"
    """It can be chosen."""
    WANTS_KEY = "wants_key"
    """It is asked with a key that the configuration does not have."""


class ZoneState(StrEnum):
    """What trying a zone came to."""

    USABLE = "usable"
    """It lists its test entries and nobody else."""
    REFUSED = "refused"
    """It says that it does not answer us."""
    SILENT = "silent"
    """No answer came, or a server's failure."""
    LISTS_EVERYONE = "lists_everyone"
    """It lists what no working zone lists."""
    DEAD = "dead"
    """Retired, or what answers in its name is no blocklist."""
    UNKNOWN = "unknown"
    """Could not be told: our own trouble, or nothing that we could ask."""


@dataclass(frozen=True, slots=True)
class ZoneCode:
    """One answer of a zone: an address, a network of them, `bit 4` or `any other`; its meaning; how grave it is.

    `severity` is in the catalogue's words: `page`, `ticket`, `info` or `never`; `receiving` the same for an
    address from which no mail leaves straight to receivers. `scope`: what such a listing is about: an
    `address`, a `range`, a `network`, a `domain`; "" where nobody says.
    """

    code: str
    meaning: str
    severity: str
    receiving: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class ZoneEntries:
    """What a zone of one kind lists and does not list while it lives (RFC 5782 §5); "" where it has no such entry."""

    kind: str
    listed: str
    clean: str


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """What is known of a living zone. No secret is in it: `key` is the name under which a key is configured.

    Attributes:
        kinds: what it lists: `ip4`, `ip6`, `domain`.
        severity: the gravest that it says, in the catalogue's words.
        refusals: answers and response codes that say "I don't answer you"; not_listed: answers that are no listing.
        queries_a_day, queries_a_second: what free use allows; None where no number is known.
        to_be_asked: what the configuration needs so that it is asked; "" where it is.
        instead_of: the public zone whose place it takes; contains: zones whose listings it repeats.
        whom_it_serves: what a resolver must be or have so that it is answered; "" where any will do.
        used_by: which receivers care; terms: who may use it free of charge. Sentences, "" where nobody says.
    """

    name: str
    kinds: tuple[str, ...]
    standing: ZoneStanding
    severity: str
    codes: tuple[ZoneCode, ...] = ()
    refusals: tuple[str, ...] = ()
    not_listed: tuple[str, ...] = ()
    entries: tuple[ZoneEntries, ...] = ()
    queries_a_day: int | None = None
    queries_a_second: float | None = None
    key: str = ""
    to_be_asked: str = ""
    instead_of: str = ""
    contains: tuple[str, ...] = ()
    operator: str = ""
    used_by: str = ""
    whom_it_serves: str = ""
    terms: str = ""
    delist: str = ""
    sources: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class DeadZone:
    """A zone that is no more, or with `*.` in front a name and all zones under it.

    `since` is a day, month or year, with `before` in front where only that it was dead by then is known; `does`
    is what it does now, as it reads after "it".
    """

    name: str
    since: str
    does: str
    notes: str = ""
    sources: tuple[str, ...] = ()

    def names(self, zone: str) -> bool:
        """Whether it is about this zone."""
        apex = self.name.removeprefix("*.")
        return zone == apex or (apex != self.name and zone.endswith(f".{apex}"))

    @property
    def obituary(self) -> str:
        """Since when it is dead, and what it does, in a line."""
        since = self.since if self.since.startswith("before") else f"since {self.since}"
        return f"dead {since}: it {self.does}"


@dataclass(frozen=True, slots=True)
class ZoneTrial:
    """What came of trying a zone. `reason` is "" where it is usable; `seconds` until its last answer."""

    zone: str
    state: ZoneState
    reason: str = ""
    seconds: float = 0.0


@runtime_checkable
class ListsZones(Protocol):
    """A check that asks zones tells which there are, for `deliverability zones` and the API."""

    def zones(self) -> Sequence[ZoneFacts]:
        """All living ones, those that are asked now first."""
        ...

    def dead_zones(self) -> Sequence[DeadZone]:
        """All that are known to be dead."""
        ...

    async def try_zone(self, name: str, world: World) -> ZoneTrial:
        """Ask a living zone for its test entries, and for one that nobody has, now.

        Raises:
            KeyError: no living zone has this name.
        """
        ...
