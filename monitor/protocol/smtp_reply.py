"""SMTP replies (RFC 5321 §4.2), enhanced status codes (RFC 3463), EHLO keywords (RFC 5321 §4.1.1.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.protocol.problem import RecordError, quoted

# RFC 5321 §4.2: Reply-code = %x32-35 %x30-35 %x30-39; servers send 6…9 in the middle as well.
_LINE = re.compile(r"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"\A([245])\.([0-9]{1,3})\.([0-9]{1,3})(?=[ \t]|\Z)[ \t]*")
_KEYWORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:[ \t]+(.*))?", re.DOTALL)


class ReplyError(RecordError):
    """What a server sent is no reply. Codes: ``empty``, ``syntax``, ``mixed_codes``, ``unfinished``."""


@dataclass(frozen=True, slots=True)
class EnhancedCode:
    """``class.subject.detail`` (RFC 3463 §2)."""

    status_class: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.status_class}.{self.subject}.{self.detail}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; ``lines`` are its texts, without codes, without the enhanced code before them."""

    code: int
    enhanced: EnhancedCode | None
    lines: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """2yz: done (RFC 5321 §4.2.1)."""
        return self.code < 300  # noqa: PLR2004 - the first digit

    @property
    def temporary(self) -> bool:
        """4yz: try again later."""
        return 400 <= self.code < 500  # noqa: PLR2004 - the first digit

    @property
    def text(self) -> str:
        """All lines as one."""
        return " ".join(self.lines)


def parse(text: str) -> Reply:
    r"""A whole reply of one or several lines, with CRLF or LF between them.

    >>> parse("550-5.7.1 No\r\n550 5.7.1 thanks").lines
    ('No', 'thanks')

    Raises:
        ReplyError: no reply, or not to its end.
    """
    rows = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    if not rows:
        raise ReplyError("empty", "the server sent nothing")
    code, lines = "", []
    for number, row in enumerate(rows, 1):
        found = _LINE.fullmatch(row)
        if found is None:
            raise ReplyError("syntax", f"{quoted(row)} is no reply line")
        if code not in {"", found[1]}:
            raise ReplyError("mixed_codes", f"a reply of {code} goes on with {found[1]}")
        if (found[2] == "-") != (number < len(rows)):
            raise ReplyError("unfinished", f"{quoted(row)} does not end the reply where it ends")
        code = found[1]
        lines.append(found[3] or "")
    enhanced = _ENHANCED.match(lines[0])
    parts = EnhancedCode(*map(int, enhanced.groups())) if enhanced else None
    return Reply(int(code), parts, tuple(_ENHANCED.sub("", line, count=1) for line in lines))


def ehlo_keywords(lines: Sequence[str]) -> dict[str, str]:
    """The extensions of an EHLO reply's lines: keyword in upper case -> its parameters.

    The first line greets and names no extension; lines that are no keyword are left out.
    """
    found = (_KEYWORD.fullmatch(line.strip()) for line in lines[1:])
    return {match[1].upper(): (match[2] or "").strip() for match in found if match}
