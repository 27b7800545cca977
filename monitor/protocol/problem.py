"""What is said when something is wrong: of a record a code, a sentence, a place; of a name the nearest known one."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a record.

    ``code`` is stable and made for programs, ``message`` is for people, ``offset`` is the place
    in the record's text, in characters from its start.
    """

    code: str
    message: str
    offset: int = 0


class RecordError(ValueError):
    """A record that its RFC does not allow; carries the `Problem`."""

    def __init__(self, code: str, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The error that a problem is where a record must have none."""
        return cls(problem.code, problem.message, problem.offset)

    @property
    def problem(self) -> Problem:
        """The same as data, to be kept or shown."""
        return Problem(self.code, self.message, self.offset)


def quoted(text: str) -> str:
    """Text from outside in backquotes: escaped to printable ASCII and cut to 60 characters."""
    cut = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    safe = "".join(c if " " <= c <= "~" or c == "…" else ascii(c)[1:-1] for c in cut)
    return f"`{safe}`"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` with the nearest known name in whatever case, or nothing where none is near."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(str(name).lower(), by_lower, n=1)
    return f" (did you mean '{by_lower[found[0]]}'?)" if found else ""
