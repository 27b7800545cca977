"""Which series a PromQL expression names: enough of its grammar to find typing errors, no more.

https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

import re
from dataclasses import dataclass

_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_COMMENT = re.compile(r"#[^\n]*")
_LABEL_LIST = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\b\s*\([^)]*\)", re.IGNORECASE
)
_RANGE = re.compile(r"\[[^\]]*\]")
_DURATION = re.compile(r"\boffset\s+-?\w+", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w:$.])([A-Za-z_:][\w:]*)\s*(\(|\{[^}]*\})?")
_MATCHER = re.compile(r'([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"(\d+)"')
_KEYWORDS = frozenset(
    [
        "and",
        "or",
        "unless",
        "atan2",
        "bool",
        "inf",
        "nan",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset",
        "start",
        "end",
    ]
)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher; `operator` is `=`, `!=`, `=~` or `!~`."""

    label: str
    operator: str
    value: str

    def accepts(self, value: str) -> bool:
        """Whether a label of this value (`""` where it is absent) matches."""
        if self.operator in {"=", "!="}:
            return (value == self.value) is (self.operator == "=")
        return bool(re.fullmatch(self.value, value)) is (self.operator == "=~")


@dataclass(frozen=True, slots=True)
class Selector:
    """One series selector of an expression."""

    metric: str
    matchers: tuple[Matcher, ...] = ()


def selectors(expr: str) -> list[Selector]:
    """The series selectors of an expression, in their order. Selectors by `__name__` alone are not seen."""
    strings: list[str] = []

    def keep(match: re.Match[str]) -> str:
        # A string may hold anything, so it is replaced by its number before the rest is read.
        strings.append(match.group()[1:-1].replace(r"\\", "\\"))
        return f'"{len(strings) - 1}"'

    text = _COMMENT.sub(" ", _STRING.sub(keep, expr))
    for skipped in (_LABEL_LIST, _RANGE, _DURATION):
        text = skipped.sub(" ", text)
    return [
        Selector(name, _matchers(rest, strings))
        for name, rest in _NAME.findall(text)
        if rest != "(" and name.lower() not in _KEYWORDS
    ]


def _matchers(braces: str, strings: list[str]) -> tuple[Matcher, ...]:
    return tuple(
        Matcher(label, operator, strings[int(number)])
        for label, operator, number in _MATCHER.findall(braces)
    )
