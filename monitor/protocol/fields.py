"""The ``v=…; name=value`` records of MTA-STS and TLS-RPT, which share one grammar (RFC 8461 §3.1, RFC 8460 §3).

Stricter than a tag list: no white space around ``=``, names and the version are case-sensitive, and
names may have ``-`` and ``.``. Of a name that occurs twice nothing is said here.
"""

import re
from dataclasses import dataclass
from itertools import islice

from monitor.protocol.problem import Problem, RecordError, quoted
from monitor.protocol.tags import split

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


def read_fields(text: str, version: str, error: type[RecordError]) -> tuple[Field, ...]:
    """What follows ``v=<version>;``.

    Raises:
        error: the first thing for which senders take nothing of the record. Codes: ``version`` (it is
            none at all), ``empty_field`` (one semicolon may end it, no more), ``syntax`` and
            ``too_many_fields`` (more than `MOST_FIELDS`).
    """
    if not has_version(text, version):
        raise error("version", f"{quoted(text)} does not start with `v={version};`")
    fields: list[Field] = []
    for part, start, last in islice(split(text, MOST_FIELDS + 1), 1, None):
        bare = part.strip(_WHITE_SPACE)
        offset = start + len(part) - len(part.lstrip(_WHITE_SPACE))
        if len(fields) == MOST_FIELDS and bare:
            raise error("too_many_fields", f"more than {MOST_FIELDS} fields", offset)
        if last and not bare:
            break
        found = _read_field(bare, offset)
        if isinstance(found, Problem):
            raise error.of(found)
        fields.append(found)
    return tuple(fields)


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
