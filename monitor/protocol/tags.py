"""The ``tag=value; tag=value`` lists of DKIM keys, DMARC, TLS-RPT and BIMI (RFC 6376 §3.2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.protocol.problem import Problem, quoted

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# VALCHAR and the white space that may stand between (RFC 6376 §3.2); a record's own rules come later.
_VALUE = re.compile(r"[\x20-\x3A\x3C-\x7E\t\r\n]*")
_WHITE_SPACE = " \t\r\n"
MOST_TAGS = 500
"""Tags of a list that are read: real records have a dozen, and a hostile one should cost little."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One ``name=value``; ``offset`` is where the name starts, ``value`` has no white space around."""

    name: str
    value: str
    offset: int


@dataclass(frozen=True, slots=True)
class TagList:
    """The tags of a record in their order, and what was wrong between them.

    A tag that is wrong in itself is not among ``tags``. Of a tag that occurs twice the first is kept
    and a ``duplicate_tag`` problem says that the whole list is invalid (RFC 6376 §3.2).
    """

    tags: tuple[Tag, ...]
    problems: tuple[Problem, ...]

    def get(self, name: str) -> Tag | None:
        """The tag of this name, if it is there."""
        return next((tag for tag in self.tags if tag.name == name), None)


def read_tags(text: str, *, fold_case: bool) -> TagList:
    """Read a tag list, going on after what is wrong. Never raises.

    ``fold_case`` makes tag names lower case: DMARC's ABNF does not tell ``V`` from ``v``
    (RFC 9989 §4.8), DKIM's names are case-sensitive (RFC 6376 §3.2). Problem codes: ``empty_tag``,
    ``syntax``, ``duplicate_tag``, ``too_many_tags`` (what follows the first `MOST_TAGS` is not read).
    """
    tags: dict[str, Tag] = {}
    problems: list[Problem] = []
    for number, (part, start, last) in enumerate(split(text, MOST_TAGS)):
        if number == MOST_TAGS and part.strip(_WHITE_SPACE):
            message = f"more than {MOST_TAGS} tags: what follows is not read"
            problems.append(Problem("too_many_tags", message, start))
            break
        found = _read_tag(part, start, fold_case=fold_case)
        if isinstance(found, Tag):
            if found.name in tags:
                message = f"tag {quoted(found.name)} occurs more than once"
                problems.append(Problem("duplicate_tag", message, found.offset))
            tags.setdefault(found.name, found)
        elif part.strip(_WHITE_SPACE) or not last:
            problems.append(found)
    return TagList(tuple(tags.values()), tuple(problems))


def split(text: str, most: int) -> Iterator[tuple[str, int, bool]]:
    """What stands between the first `most` semicolons, where it starts, and whether it is what follows the last."""
    start = 0
    parts = text.split(";", most)
    for number, part in enumerate(parts, 1):
        yield part, start, number == len(parts)
        start += len(part) + 1


def _read_tag(part: str, start: int, *, fold_case: bool) -> Tag | Problem:
    offset = start + len(part) - len(part.lstrip(_WHITE_SPACE))
    name, equals, value = (piece.strip(_WHITE_SPACE) for piece in part.partition("="))
    if not name and not equals:
        return Problem("empty_tag", "nothing between two semicolons", start)
    if not _NAME.fullmatch(name):
        return Problem("syntax", f"{quoted(name)} is no tag name", offset)
    if not equals:
        return Problem("syntax", f"tag {quoted(name)} has no `=`", offset)
    if not _VALUE.fullmatch(value):
        return Problem("syntax", f"tag {quoted(name)} has a character that is not allowed", offset)
    return Tag(name.lower() if fold_case else name, value, offset)
