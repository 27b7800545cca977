"""Macro strings and domain-specs of SPF: their syntax and their expansion (RFC 7208 §7)."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

_MACRO = r"%\{(?P<letter>[slodiphcrtvSLODIPHCRTV])(?P<digits>0*[1-9][0-9]*)?(?P<reverse>[rR])?(?P<delimiters>[.\-+,/_=]*)\}"
_TOKEN = re.compile(
    rf"{_MACRO}|(?P<escape>%[%_-])|(?P<literal>[\x21-\x24\x26-\x7E]+)|(?P<space> +)"
)
_ALPHANUMERIC_TOP_LABEL = re.compile(r"[A-Za-z0-9]+")
_HYPHENATED_TOP_LABEL = re.compile(r"[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9]")
_ESCAPES = {"%%": "%", "%_": " ", "%-": "%20"}
_EXPLANATION_LETTERS = frozenset("crt")
_LONGEST_NAME = 253
_LONGEST_LABEL = 63


class MacroError(ValueError):
    """A text that is no macro string (RFC 7208 §7.1)."""


def is_macro_string(text: str) -> bool:
    """Whether this is a ``macro-string`` of RFC 7208 §12."""
    tokens = _tokens(text)
    return tokens is not None and all(token["space"] is None for token in tokens)


def is_domain_spec(text: str) -> bool:
    """Whether this is a ``domain-spec``: a macro string that ends in a top label or in a macro."""
    tokens = _tokens(text)
    if not tokens or any(token["space"] for token in tokens):
        return False
    # "The following macro letters are allowed only in "exp" text" (RFC 7208 §7.2).
    if any((token["letter"] or "").lower() in _EXPLANATION_LETTERS for token in tokens):
        return False
    return tokens[-1]["literal"] is None or _ends_in_top_label(tokens[-1]["literal"])


def _ends_in_top_label(literal: str) -> bool:
    _, dot, label = literal.removesuffix(".").rpartition(".")
    if not dot:
        return False
    if _ALPHANUMERIC_TOP_LABEL.fullmatch(label):
        return not label.isdigit()
    return _HYPHENATED_TOP_LABEL.fullmatch(label) is not None


def has_macro(text: str) -> bool:
    """Whether the name depends on the message, so that nobody knows it without one."""
    return "%" in text


def needs_validated_name(text: str) -> bool:
    """Whether expanding it takes the letter ``p``, which costs DNS queries (RFC 7208 §7.3)."""
    return any(token["letter"] in {"p", "P"} for token in _tokens(text) or ())


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with its macros replaced; ``values`` are by lower case letter (RFC 7208 §7.3).

    Spaces stay, as an explanation has them.

    Raises:
        MacroError: this is no macro string, or has a letter without a value.
    """
    tokens = _tokens(text)
    if tokens is None:
        raise MacroError(text)
    return "".join(_expanded(tokens, values))


def _tokens(text: str) -> list[re.Match[str]] | None:
    """The macros and what stands between them; None where the text breaks the grammar."""
    tokens, place = [], 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            return None
        tokens.append(token)
        place = token.end()
    return tokens


def _expanded(tokens: list[re.Match[str]], values: Mapping[str, str]) -> Iterator[str]:
    for token in tokens:
        letter = token["letter"]
        if letter is None:
            yield _ESCAPES.get(token[0], token[0])
            continue
        if letter.lower() not in values:
            raise MacroError(token[0])
        value = _transformed(values[letter.lower()], token)
        # RFC 7208 §7.3: upper case letters are URL escaped, all but RFC 3986's unreserved characters.
        yield quote(value, safe="") if letter.isupper() else value


def _transformed(value: str, macro: re.Match[str]) -> str:
    """Split, reversed, its right-hand parts kept, and joined by dots, as the macro says."""
    digits, reverse, delimiters = macro["digits"], macro["reverse"], macro["delimiters"]
    if not (digits or reverse or delimiters):
        return value
    marks = delimiters or "."
    parts = value.translate(str.maketrans(marks, marks[0] * len(marks))).split(marks[0])
    if reverse:
        parts.reverse()
    if digits:
        # Cut first: Python refuses to read numbers of thousands of digits; no name has that many parts.
        significant = digits.lstrip("0")
        kept = int(significant) if len(significant) < len("1000") else len(parts)
        parts = parts[-kept:]
    return ".".join(parts)


def query_name(expanded: str) -> str | None:
    """The name to ask for: cut from the left to 253 characters, without its final dot (RFC 7208 §7.3).

    None where no name can be that: an empty label, one of more than 63 characters, or a character
    that is not printable ASCII (§4.8 leaves open what follows; here such a name does not exist).
    """
    name = expanded.removesuffix(".")
    if len(name) > _LONGEST_NAME:
        # The first dot behind which no more than 253 characters stand.
        name = name[len(name) - _LONGEST_NAME - 1 :].partition(".")[2]
    labels = name.split(".")
    well_formed = all(0 < len(label) <= _LONGEST_LABEL for label in labels)
    return name if well_formed and name.isascii() and name.isprintable() else None
