"""Text from outside made harmless to read, and times made readable."""

import unicodedata
from datetime import UTC, datetime
from typing import Final

SHOWN: Final = 500
"""Characters of a text from outside that are shown."""

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def visible(text: str, *, limit: int = SHOWN) -> str:
    """`text` cut to `limit` characters, with every control, bidirectional and invisible character spelt out.

    Line ends stay. What is left is safe for a terminal and reads in the order in which it is written.
    """
    cut = text[:limit]
    shown = "".join(_spelt_out(char) if _hides(char) else char for char in cut)
    return shown if len(text) <= limit else f"{shown}…"


def one_line(text: str, *, limit: int = SHOWN) -> str:
    """The same on one line."""
    return visible(text, limit=limit).replace("\n", "\\n")


def iso(at: float) -> str:
    """Epoch seconds as `2026-11-24T10:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at: float) -> str:
    """Epoch seconds as `2026-11-24 10:00:00 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float) -> str:
    """A time span in its largest unit: `now`, `40 s`, `12 min`, `3 h`, `8 days`."""
    whole = int(seconds)
    if whole < 1:
        return "now"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h"
    return f"{whole // _DAY} days"


def ago(seconds: float) -> str:
    """How long ago: `now`, `12 min ago`."""
    shown = span(seconds)
    return shown if shown == "now" else f"{shown} ago"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 thing`, `2 things`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _hides(char: str) -> bool:
    return char != "\n" and not (" " <= char <= "~") and unicodedata.category(char) in _HIDDEN


def _spelt_out(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 - two hexadecimal digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four
