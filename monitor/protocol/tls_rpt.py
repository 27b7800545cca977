"""TLS-RPT: the record that says where reports about TLS failures go (RFC 8460 §3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from monitor.protocol.fields import Field, has_version, read_fields
from monitor.protocol.names import folded, is_host_name
from monitor.protocol.problem import Problem, RecordError, quoted

VERSION = "TLSRPTv1"

# RFC 3986 §2, without what RFC 8460 §3 wants encoded: the comma, `!` and `;`.
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):([A-Za-z0-9\-._~:/?#\[\]@$&'()*+=%]+)")
_HTTPS = re.compile(r"//([A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:[/?#].*)?")
_WHITE_SPACE = " \t"
# No sender reports to so many; a hostile record should cost little.
_MOST_DESTINATIONS = 100
_LONGEST_URI = 2048


class TlsRptError(RecordError):
    """A record of which senders take nothing.

    Codes: ``version`` (it is none at all), ``syntax``, ``empty_field``, ``too_many_fields``,
    ``missing_rua``, ``uri`` (no destination can be used).
    """


class Scheme(StrEnum):
    """How reports are delivered: by mail, or by POST."""

    MAILTO = "mailto"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where reports go. ``host`` is the mail domain, or the host of the ``https:`` URI, in lower case."""

    uri: str
    scheme: Scheme
    host: str


@dataclass(frozen=True, slots=True)
class TlsRptRecord:
    """The TXT record at ``_smtp._tls.<domain>``.

    ``rua`` are the destinations that senders can use. ``problems``: codes ``uri`` (a destination that
    they cannot use) and ``duplicate_field`` (a second ``rua``: the grammar allows it, senders disagree
    whether it counts).
    """

    rua: tuple[Destination, ...]
    problems: tuple[Problem, ...] = ()


def is_record(text: str) -> bool:
    """Whether a TXT record is one of those that senders count: exactly one may be there (§3)."""
    return has_version(text, VERSION)


def parse(text: str) -> TlsRptRecord:
    """The record, its strings joined; unknown fields are ignored (§3).

    Raises:
        TlsRptError: the first thing for which senders take nothing of it.
    """
    fields = [f for f in read_fields(text, VERSION, TlsRptError) if f.name == "rua"]
    if not fields:
        raise TlsRptError("missing_rua", "the field `rua` is missing", len(text))
    destinations, problems = _destinations(fields)
    if not destinations:
        raise TlsRptError.of(problems[0])
    problems += [
        Problem("duplicate_field", "`rua` occurs more than once", again.offset)
        for again in fields[1:]
    ]
    return TlsRptRecord(destinations, tuple(problems))


def _destinations(fields: Sequence[Field]) -> tuple[tuple[Destination, ...], list[Problem]]:
    destinations: dict[str, Destination] = {}
    problems: list[Problem] = []
    pieces = ((field, piece) for field in fields for piece in field.value.split(","))
    for number, (field, piece) in enumerate(pieces):
        if number == _MOST_DESTINATIONS:
            message = f"more than {_MOST_DESTINATIONS} destinations: the others are not read"
            problems.append(Problem("uri", message, field.offset))
            break
        try:
            destination = parse_destination(piece.strip(_WHITE_SPACE))
        except TlsRptError as error:
            problems.append(Problem(error.code, error.message, field.offset))
        else:
            destinations.setdefault(destination.uri, destination)
    return tuple(destinations.values()), problems


def parse_destination(text: str) -> Destination:
    """One URI of ``rua``: ``mailto:`` or ``https:``, the two schemes of §3.

    Raises:
        TlsRptError: ``uri``.
    """
    if len(text) > _LONGEST_URI:
        raise TlsRptError(
            "uri", f"a destination of {len(text)} characters, {_LONGEST_URI} are read"
        )
    found = _URI.fullmatch(text)
    if found is None:
        raise TlsRptError("uri", f"{quoted(text)} is no URI such as `mailto:reports@example.com`")
    scheme, rest = found[1].lower(), found[2]
    if scheme == Scheme.MAILTO:
        local, _, host = unquote(rest.partition("?")[0]).rpartition("@")
        if local and is_host_name(host):
            return Destination(text, Scheme.MAILTO, folded(host))
        raise TlsRptError("uri", f"{quoted(text)} has no mail address")
    if scheme == Scheme.HTTPS:
        there = _HTTPS.fullmatch(rest)
        if there is not None and is_host_name(there[1]):
            return Destination(text, Scheme.HTTPS, folded(there[1]))
        raise TlsRptError("uri", f"{quoted(text)} names no host")
    raise TlsRptError("uri", f"{quoted(text)} is neither `mailto:` nor `https:`")
