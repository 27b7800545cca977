"""The difference of two states of a record, term by term: tags, SPF's mechanisms, lines, hosts of a list."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

_MOST_TERMS: Final = 1000
"""Terms of a record that are told apart; what follows is one."""

_CELLS: Final = 40_000
"""Pairs of terms that are compared, at most: a record that differs in more has nothing in common any more."""

_RECORDS = re.compile(r"\n|(?<= )\|(?= )")
_NAME = re.compile(r"[-+~?]?([A-Za-z0-9_]+)")
_SPF = re.compile(r"v=spf1(?= |$)", re.IGNORECASE)


class TermState(StrEnum):
    """What became of a term."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class DiffTerm:
    """One term of the record before or after, or of both."""

    state: TermState
    text: str


def terms(record: str) -> tuple[str, ...]:
    """The terms of a record in their order, without the white space and the signs between them.

    A tag list (RFC 6376 §3.2) has a term a tag, an SPF record (RFC 7208 §4.5) one a mechanism or
    modifier, a list of hosts one a host. Several records stand on lines of their own or between `|`.
    """
    all_terms = (
        term for text in _RECORDS.split(record, _MOST_TERMS) for term in _terms_of_one(text)
    )
    first = tuple(islice(all_terms, _MOST_TERMS))
    rest = " ".join(all_terms)
    return (*first, rest) if rest else first


def diff(before: str, after: str) -> tuple[DiffTerm, ...]:
    """How `after` came from `before`: what was kept and added is `terms(after)`, kept and removed `terms(before)`.

    What was removed stands before what took its place, a tag's old value before its new one. Takes any text, in time bounded by its length.
    """
    old, new = terms(before), terms(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle = _between(old[head : len(old) - tail], new[head : len(new) - tail])
    return (
        *(DiffTerm(TermState.KEPT, term) for term in new[:head]),
        *middle,
        *(DiffTerm(TermState.KEPT, term) for term in new[len(new) - tail :]),
    )


def _terms_of_one(text: str) -> Iterator[str]:
    if ";" in text:
        parts = text.split(";")
    elif _SPF.search(text):
        parts = text.split()
    else:
        parts = text.split(", ")
    return (stripped for part in parts if (stripped := " ".join(part.split())))


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many terms both begin with."""
    number = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        number += 1
    return number


def _between(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffTerm]:
    removed: list[str] = []
    added: list[str] = []
    for before, after in _aligned(old, new, by=_itself):
        if before is not None and after is not None:
            yield from _in_place(removed, added)
            yield DiffTerm(TermState.KEPT, after)
            removed, added = [], []
        elif before is not None:
            removed.append(before)
        elif after is not None:
            added.append(after)
    yield from _in_place(removed, added)


def _in_place(removed: Sequence[str], added: Sequence[str]) -> Iterator[DiffTerm]:
    for before, after in _aligned(removed, added, by=_name):
        if before is not None:
            yield DiffTerm(TermState.REMOVED, before)
        if after is not None:
            yield DiffTerm(TermState.ADDED, after)


def _itself(term: str) -> str:
    return term


def _name(term: str) -> str:
    """What the term is called: the tag's name, the mechanism's, the host's preference."""
    named = _NAME.match(term)
    return named[1].lower() if named else ""


def _aligned(
    old: Sequence[str], new: Sequence[str], *, by: Callable[[str], str]
) -> Iterator[tuple[str | None, str | None]]:
    """Both in their order, what is the same side by side, as much of it as can be.

    Where that is too much to look for, nothing is taken for the same.
    """
    old_keys, new_keys = [by(term) for term in old], [by(term) for term in new]
    lengths = _lengths(old_keys, new_keys) if len(old) * len(new) <= _CELLS else None
    i = j = 0
    while lengths and i < len(old) and j < len(new):
        if old_keys[i] == new_keys[j]:
            yield old[i], new[j]
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            yield old[i], None
            i += 1
        else:
            yield None, new[j]
            j += 1
    yield from ((term, None) for term in old[i:])
    yield from ((None, term) for term in new[j:])


def _lengths(old: Sequence[str], new: Sequence[str]) -> list[list[int]]:
    """The length of the longest common subsequence of `old[i:]` and `new[j:]`, for each i and j."""
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        row, below = lengths[i], lengths[i + 1]
        for j in reversed(range(len(new))):
            row[j] = below[j + 1] + 1 if old[i] == new[j] else max(below[j], row[j + 1])
    return lengths
