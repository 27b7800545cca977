"""What a source reported, before our names are put to it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from monitor.model import EventKind
from monitor.protocol.names import folded

EARLIEST: Final = 946_684_800
"""2000-01-01: an event older than any sender is a field of something else."""

LONGEST_ID: Final = 256


@dataclass(frozen=True, slots=True)
class Reported:
    """One event as its source tells it.

    Attributes:
        id: unique within the source.
        at: seconds since the epoch.
        recipient_domain: lower case, "" where the source does not tell. The address itself is not kept.
        domain: the sending domain, lower case, "" where the source does not tell.
        streams: names that may be a stream's, the likeliest first; empty where the source tells none.
    """

    id: str
    kind: EventKind
    at: float
    recipient_domain: str
    domain: str
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that cannot be counted: its place in the request and why. The text quotes nothing of it."""

    index: int
    error: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of one request."""

    reported: tuple[Reported, ...]
    rejected: tuple[Rejected, ...]


class InvalidEventError(ValueError):
    """An event that cannot be counted; the text is what its sender reads."""


def parsed(items: Iterable[Any], read: Callable[[Any], Reported | None]) -> Parsed:
    """The events that `read` makes of the items: None is nothing to count, an InvalidEventError rejects one."""
    reported: list[Reported] = []
    rejected: list[Rejected] = []
    for index, item in enumerate(items):
        try:
            event = read(item)
        except InvalidEventError as error:
            rejected.append(Rejected(index, str(error)))
        else:
            if event is not None:
                reported.append(event)
    return Parsed(tuple(reported), tuple(rejected))


def event_id(value: Any, field: str) -> str:
    """A usable id. Raises InvalidEventError."""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID:
        raise InvalidEventError(f"{field} must be a text of 1 to {LONGEST_ID} characters")
    return value


def optional_text(fields: Mapping[str, Any], name: str) -> str:
    """A text, "" where it is absent or null. Raises InvalidEventError."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidEventError(f"{name} must be a text")
    return value


def domain_of_address(address: str) -> str:
    """What stands behind the last `@`, lower case, without the final dot; "" where there is none."""
    return folded(address.rpartition("@")[2]) if "@" in address else ""
