"""Registrable domains by the public suffix list (publicsuffix.org/list, its algorithm).

The list is read at the first question, which takes some 40 ms: a start is not to wait for it.
"""

from functools import cache
from typing import TYPE_CHECKING

from monitor.protocol.names import folded

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_LONGEST_NAME = 253


@cache
def _installed() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def registrable_domain(name: str) -> str | None:
    """The public suffix and one label more, in lower case; None where there is none.

    None for a public suffix itself, and for what is no name (an empty label, more than 253
    characters). A name below no known suffix has its last label as the suffix (the list's rule
    ``*``). International names are answered in the form that they are asked in.

    >>> registrable_domain("www.example.co.uk")
    'example.co.uk'
    """
    found = _installed().privatesuffix(folded(name)) if _is_name(name) else None
    return str(found) if found else None


def public_suffix(name: str) -> str | None:
    """The part of the name under which anyone may register, in lower case; None for what is no name.

    >>> public_suffix("www.example.co.uk")
    'co.uk'
    """
    found = _installed().publicsuffix(folded(name)) if _is_name(name) else None
    return str(found) if found else None


def _is_name(text: str) -> bool:
    name = folded(text)
    return len(name) <= _LONGEST_NAME and "" not in name.split(".")
