"""The ``v=…; name=value`` records of MTA-STS and TLS-RPT, which share one grammar (RFC 8461 §3.1, RFC 8460 §3).

Stricter than a tag list: no white space around ``=``, names and the version are case-sensitive, and
names may have ``-`` and ``.``. Of a name that occurs twice nothing is said here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.protocol.problem import Problem, quoted

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
# What any field may hold: the values of extensions are narrower, but nobody reads those. White
# space may stand around the commas of `rua`.
_VALUE = re.compile(r"[\x20-\x3A\x3C-\x7E\t]+")
_WHITE_SPACE = " \t"
MOST_FIELDS = 500
"""Fields of a record that are read: real ones have two or three, and a hostile one should cost little."""


@dataclass(frozen=True, slots=True)
class Field:
    """One ``name=value``; ``offset`` is where the name starts, in characters."""

    name: str
    value: str
    offset: int


def has_version(text: str, version: str) -> bool:
    """Whether a TXT record begins with ``v=<version>`` and so is what senders look for.

    The RFCs' prose wants the semicolon at once, their grammar allows white space before it.
    """
    prefix = f"v={version}"
    rest = text[len(prefix) :].lstrip(_WHITE_SPACE)
    return text.startswith(prefix) and (not rest or rest.startswith(";"))


def read_fields(text: str) -> tuple[Field, ...] | Problem:
    """What follows the first semicolon, or the first thing for which senders take nothing of it.

    Problem codes: ``empty_field`` (one semicolon may end the record, no more), ``syntax`` and
    ``too_many_fields`` (more than `MOST_FIELDS`).
    """
    fields: list[Field] = []
    for part, offset, last in _parts(text):
        if len(fields) == MOST_FIELDS and part:
            return Problem("too_many_fields", f"more than {MOST_FIELDS} fields", offset)
        if last and not part:
            break
        found = _read_field(part, offset)
        if isinstance(found, Problem):
            return found
        fields.append(found)
    return tuple(fields)


def _parts(text: str) -> Iterator[tuple[str, int, bool]]:
    """What stands between the semicolons after the first, where it starts, and whether it is the last."""
    parts = text.split(";", MOST_FIELDS + 1)
    start = len(parts[0]) + 1
    for number, part in enumerate(parts[1:], 2):
        bare = part.lstrip(_WHITE_SPACE)
        yield bare.rstrip(_WHITE_SPACE), start + len(part) - len(bare), number == len(parts)
        start += len(part) + 1


def _read_field(part: str, offset: int) -> Field | Problem:
    name, equals, value = part.partition("=")
    if not part:
        return Problem("empty_field", "nothing between two semicolons", offset)
    if not equals:
        return Problem("syntax", f"{quoted(part)} is no `name=value`", offset)
    if not _NAME.fullmatch(name):
        return Problem("syntax", f"{quoted(name)} is no field name", offset)
    if not _VALUE.fullmatch(value):
        return Problem("syntax", f"field {quoted(name)} has a value that is not allowed", offset)
    return Field(name, value, offset)
