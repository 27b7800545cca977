"""MTA-STS: the TXT record, the policy file, and the MX hosts that a policy names (RFC 8461)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from monitor.protocol.fields import has_version, read_fields
from monitor.protocol.names import folded, is_host_name
from monitor.protocol.problem import Problem, RecordError, quoted

VERSION = "STSv1"
# §3.2: a year of 365.25 days, in seconds.
LONGEST_MAX_AGE = 31_557_600
# §3.3: what senders are suggested to take at most.
LARGEST_POLICY = 64 * 1024

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_AGE = re.compile(r"[0-9]{1,10}")
_SINGLE = frozenset({"version", "mode", "max_age"})
_WHITE_SPACE = " \t"


class StsRecordError(RecordError):
    """A TXT record of which senders take nothing (§3.1).

    Codes: ``version`` (it is none at all), ``syntax``, ``empty_field``,
    ``too_many_fields``, ``id`` (missing or none).
    """


class StsPolicyError(RecordError):
    """A policy file that senders must not apply (§3.2); RFC 8460 §4.3.2.2 calls it ``sts-policy-invalid``.

    Codes: ``size``, ``encoding``, ``syntax``, ``version``, ``mode``, ``max_age``, ``mx``. The offset
    is in characters, for ``encoding`` in bytes.
    """


class Mode(StrEnum):
    """What senders do with an MX host that fails: refuse to deliver, only report, nothing (§5)."""

    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"

    @property
    def strength(self) -> int:
        """0 for none, 1 for testing, 2 for enforce."""
        return list(Mode).index(self)


@dataclass(frozen=True, slots=True)
class StsRecord:
    """The TXT record at ``_mta-sts.<domain>``.

    ``id`` tells a policy from the one before. ``problems``: harmless by the rules, code
    ``duplicate_field`` (the first counts, §3.2) and ``space_before_semicolon`` (senders that follow the
    prose of §3.1 instead of its grammar discard the record).
    """

    id: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy as senders apply it.

    Attributes:
        mode: what they do with an MX host that fails.
        max_age: seconds for which they keep it.
        mx: host names and ``*.`` patterns, lower case, each once, in their order.
        problems: what senders ignore, each once: codes ``duplicate_field`` (of ``version``, ``mode``
            and ``max_age`` the first counts, §3.2) and ``blank_line``.
    """

    mode: Mode
    max_age: int
    mx: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def names(self, host: str) -> bool:
        """Whether an MX host is one of those that the policy allows (§4.1)."""
        return any(matches(pattern, host) for pattern in self.mx)


def matches(pattern: str, host: str) -> bool:
    """Whether ``mx: <pattern>`` names this host (§4.1): ``*`` stands for exactly the left-most label."""
    wanted, name = folded(pattern), folded(host)
    if not wanted.startswith("*."):
        return wanted == name
    label, dot, rest = name.partition(".")
    return bool(label and dot) and rest == wanted[2:]


def is_record(text: str) -> bool:
    """Whether a TXT record is one of those that senders count: exactly one may be there (§3.1)."""
    return has_version(text, VERSION)


def parse_record(text: str) -> StsRecord:
    """The record at ``_mta-sts.<domain>``, its strings joined; unknown fields are ignored (§3.1).

    Raises:
        StsRecordError: the first thing for which senders take nothing of it.
    """
    fields = read_fields(text, VERSION, StsRecordError)
    ids = [field for field in fields if field.name == "id"]
    if not ids:
        raise StsRecordError("id", "the field `id` is missing", len(text))
    if not _ID.fullmatch(ids[0].value):
        message = f"id={quoted(ids[0].value)} is not 1 to 32 letters and digits"
        raise StsRecordError("id", message, ids[0].offset)
    problems = [
        Problem("duplicate_field", "`id` occurs more than once: the first counts", again.offset)
        for again in ids[1:]
    ]
    end = len(f"v={VERSION}")
    if text[end] != ";":
        message = "white space before the first semicolon: some senders discard the record"
        problems.append(Problem("space_before_semicolon", message, end))
    return StsRecord(ids[0].value, tuple(problems))


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    value: str


def parse_policy(body: bytes) -> StsPolicy:
    """The policy in the body of ``https://mta-sts.<domain>/.well-known/mta-sts.txt`` (§3.2).

    Lines end in CRLF or LF, the fields have no order, unknown ones are ignored, and of one that may
    not repeat the first counts.

    Raises:
        StsPolicyError: the first thing for which senders must not apply it.
    """
    if len(body) > LARGEST_POLICY:
        raise StsPolicyError("size", f"it is larger than {LARGEST_POLICY} bytes", LARGEST_POLICY)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise StsPolicyError("encoding", "it is not UTF-8", error.start) from None
    fields: dict[str, _Line] = {}
    mx: dict[str, None] = {}
    problems: dict[str, Problem] = {}
    for number, offset, line in _lines(text):
        key, value = _read_line(line, number, offset) if line else ("", "")
        if key == "mx":
            mx[_pattern(value, number, offset)] = None
        elif key not in fields:
            fields[key] = _Line(number, offset, value)
        elif key in _SINGLE:
            message = f"line {number}: {quoted(key)} again: the first counts"
            problems.setdefault(key, Problem("duplicate_field", message, offset))
    if "" in fields:
        # The grammar has no empty line; parsers skip it.
        empty = fields[""]
        problems[""] = Problem("blank_line", f"line {empty.number} is empty", empty.offset)
    _require_version(fields.get("version"))
    mode = _mode(fields.get("mode"))
    max_age = _max_age(fields.get("max_age"))
    if not mx and mode is not Mode.NONE:
        raise StsPolicyError("mx", f"no `mx`, which the mode {mode} needs", len(text))
    return StsPolicy(mode, max_age, tuple(mx), tuple(problems.values()))


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    """Number, place and text of each line; the last line end ends a line and begins none."""
    offset = 0
    for number, whole in enumerate(text.removesuffix("\n").split("\n"), 1):
        yield number, offset, whole.removesuffix("\r").rstrip(_WHITE_SPACE)
        offset += len(whole) + 1


def _read_line(line: str, number: int, offset: int) -> tuple[str, str]:
    key, colon, rest = line.partition(":")
    value = rest.lstrip(_WHITE_SPACE)
    if not colon or not _KEY.fullmatch(key):
        message = f"line {number}: {quoted(line)} is no `key: value`"
        raise StsPolicyError("syntax", message, offset)
    if not value or _CONTROL.search(value):
        message = f"line {number}: {quoted(key)} has a value that is not allowed"
        raise StsPolicyError("syntax", message, offset)
    return key, value


def _pattern(value: str, number: int, offset: int) -> str:
    name = value.removeprefix("*.")
    # §3.2: a Domain of RFC 5321, in the form of the DNS (A-labels), so no final dot either.
    if not is_host_name(name) or name.endswith("."):
        message = f"line {number}: {quoted(value)} is no host name and no `*.` before one"
        raise StsPolicyError("mx", message, offset)
    return value.lower()


def _require_version(line: _Line | None) -> None:
    if line is None:
        raise StsPolicyError("version", f"no line `version: {VERSION}`")
    if line.value != VERSION:
        message = f"line {line.number}: the version {quoted(line.value)} is not `{VERSION}`"
        raise StsPolicyError("version", message, line.offset)


def _mode(line: _Line | None) -> Mode:
    if line is None:
        raise StsPolicyError("mode", "no line `mode: `")
    try:
        return Mode(line.value)
    except ValueError:
        allowed = ", ".join(Mode)
        message = f"line {line.number}: the mode {quoted(line.value)} is not one of {allowed}"
        raise StsPolicyError("mode", message, line.offset) from None


def _max_age(line: _Line | None) -> int:
    if line is None:
        raise StsPolicyError("max_age", "no line `max_age: `")
    if not _MAX_AGE.fullmatch(line.value) or int(line.value) > LONGEST_MAX_AGE:
        message = f"line {line.number}: max_age {quoted(line.value)} is not 0 to {LONGEST_MAX_AGE}"
        raise StsPolicyError("max_age", message, line.offset)
    return int(line.value)


def is_plain_text(content_type: str) -> bool:
    """Whether a ``Content-Type`` is ``text/plain``, whatever its parameters: others are refused (§3.2)."""
    return content_type.partition(";")[0].strip().lower() == "text/plain"
