"""What is wrong with a configuration: every error with its place, one line each."""

from collections.abc import Iterable
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where a value is: keys and list indices from the top."""


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One error.

    `file` is the file's path, or the environment variable's name where the value came from there;
    `line` counts from 1, None where there is none; `key` is written `senders[0].addresses[1]`.
    The message never holds a secret's value.
    """

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigErrors(Exception):  # noqa: N818 -- it carries many errors, sorted by their lines
    """All that is wrong with a configuration; `str()` has one line for each."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(
            sorted(set(errors), key=lambda e: (e.file, e.line or 0, e.key, e.message))
        )
        super().__init__("\n".join(map(str, self.errors)))


def written(path: KeyPath) -> str:
    """A path as people write it: `senders[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
