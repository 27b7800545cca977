"""The DMARC policy record (RFC 9989 §4.7 and §4.8; RFC 7489 §6.3 for the records still in the wild)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import unquote

from monitor.protocol.problem import Problem, RecordError, quoted
from monitor.protocol.tags import Tag, TagList, read_tags

# `%s"DMARC1"` is case-sensitive, the tag's name is not (RFC 9989 §4.8).
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
# RFC 3986 §3 as far as a report URI needs it: no comma, no exclamation mark (RFC 9989 §4.8).
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):([A-Za-z0-9\-._~:/?#\[\]@$&'()*+;=%]+)")
_MAIL_ADDRESS = re.compile(r"[^@\s]+@[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_SIZE_LIMIT = re.compile(r"([0-9]{1,18})([kmgt]?)", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_KNOWN_TAGS = frozenset({"v", "p", "sp", "np", "adkim", "aspf", "psd", "t", "fo", "rua", "ruf"})
_REMOVED_TAGS = frozenset({"pct", "rf", "ri"})  # RFC 9989 appendix C, "tags removed"
_FAILURE_OPTIONS = frozenset({"0", "1", "d", "s"})
# Nobody has reports sent to so many; a hostile record should cost little.
_MOST_URIS = 100
_LONGEST_URI = 2048
_POLICY_TAGS = frozenset({"p", "sp", "np"})
_OptionT = TypeVar("_OptionT", bound=StrEnum)


class DmarcError(RecordError):
    """A record that RFC 9989 does not allow.

    Codes: ``version``, ``syntax``, ``empty_tag``, ``duplicate_tag``, ``too_many_tags``, ``policy`` (a
    ``p``, ``sp`` or ``np`` that is none), ``missing_policy``, ``value`` (another tag's), ``uri``.
    """


class Policy(StrEnum):
    """What the domain's owner asks receivers to do with mail that fails DMARC."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def strength(self) -> int:
        """0 for none, 1 for quarantine, 2 for reject."""
        return list(Policy).index(self)

    def one_level_below(self) -> "Policy":
        """What receivers apply where the record says ``t=y`` (RFC 9989 §4.7)."""
        return list(Policy)[max(self.strength - 1, 0)]


class Alignment(StrEnum):
    """Identifier alignment mode."""

    RELAXED = "r"
    STRICT = "s"


class Psd(StrEnum):
    """Whether the domain is a public suffix domain."""

    YES = "y"
    NO = "n"
    UNKNOWN = "u"


class _YesNo(StrEnum):
    YES = "y"
    NO = "n"


@dataclass(frozen=True, slots=True)
class ReportUri:
    """Where reports go. ``size_limit`` in bytes, from RFC 7489's ``!10m`` (RFC 9989: ignored)."""

    uri: str
    scheme: str
    address: str
    size_limit: int | None = None


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy record as a receiver that follows RFC 9989 understands it.

    Attributes:
        policy: the ``p`` in force: ``none`` where it is missing or a policy tag is wrong (§4.10.1).
        subdomain_policy: ``sp``; None where absent.
        nonexistent_policy: ``np``; None where absent.
        adkim: alignment of DKIM.
        aspf: alignment of SPF.
        psd: the ``psd`` flag.
        testing: ``t=y``: receivers apply one level less than asked.
        failure_options: ``fo``.
        rua: destinations of aggregate reports, the valid ones.
        ruf: destinations of failure reports, the valid ones.
        removed_tags: ``pct``, ``rf``, ``ri`` with their values: no meaning since RFC 9989, but older
            receivers still honour them.
        unknown_tags: names of other tags, which receivers ignore.
        problems: everything that the RFC does not allow, in the order of the text.
        applied: False where receivers do no DMARC at all with this record (§4.10.1, or a tag
            twice: RFC 6376 §3.2).
    """

    policy: Policy = Policy.NONE
    subdomain_policy: Policy | None = None
    nonexistent_policy: Policy | None = None
    adkim: Alignment = Alignment.RELAXED
    aspf: Alignment = Alignment.RELAXED
    psd: Psd = Psd.UNKNOWN
    testing: bool = False
    failure_options: frozenset[str] = frozenset({"0"})
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    removed_tags: tuple[tuple[str, str], ...] = ()
    unknown_tags: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    applied: bool = True

    @property
    def percentage(self) -> int:
        """The share of the mail that receivers by RFC 7489 apply the policy to (`pct`, §6.3); 100 by default.

        RFC 9989 removed the tag; what is no number from 0 to 100 was ignored before, too.
        """
        text = dict(self.removed_tags).get("pct", "")
        known = text.isdecimal() and len(text) <= len("100") and int(text) <= 100  # noqa: PLR2004
        return int(text) if known else 100

    @property
    def policy_for_subdomains(self) -> Policy:
        """``sp``, else ``p`` (RFC 9989 §4.7)."""
        return self.subdomain_policy or self.policy

    @property
    def policy_for_nonexistent(self) -> Policy:
        """``np``, else ``sp``, else ``p`` (RFC 9989 §4.7)."""
        return self.nonexistent_policy or self.policy_for_subdomains


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is a DMARC policy record: its first tag is ``v=DMARC1`` (§4.10 step 2)."""
    return _VERSION.match(text) is not None


def parse(text: str) -> DmarcRecord:
    """The record, if it is what RFC 9989 allows to publish.

    Unknown tags and the tags that RFC 9989 removed are no errors, whatever their values.

    Raises:
        DmarcError: the first thing that is wrong.
    """
    record = read(text)
    if record.problems:
        raise DmarcError.of(record.problems[0])
    return record


def read(text: str) -> DmarcRecord:
    """The record as receivers take it: what is wrong is ignored or replaced by its default (§4.7).

    Raises:
        DmarcError: ``version``, if it is no DMARC record at all.
    """
    if not is_dmarc(text):
        raise DmarcError("version", f"{quoted(text)} does not start with `v=DMARC1`")
    return _read_tags(read_tags(text, fold_case=True))


def _read_tags(tags: TagList) -> DmarcRecord:
    problems = list(tags.problems)
    policies = {name: _option(tags, name, Policy, problems) for name in ("p", "sp", "np")}
    rua, ruf = (_report_uris(tags.get(name), problems) for name in ("rua", "ruf"))
    adkim, aspf = (_option(tags, name, Alignment, problems) for name in ("adkim", "aspf"))
    psd = _option(tags, "psd", Psd, problems)
    testing = _option(tags, "t", _YesNo, problems)
    failure_options = _failure_options(tags.get("fo"), problems)
    problems.sort(key=lambda problem: problem.offset)
    if tags.get("p") is None and not rua:
        message = "no `p` tag and no valid `rua`: receivers apply no DMARC"
        problems.append(Problem("missing_policy", message))
    codes = {problem.code for problem in problems}
    # RFC 9989 §4.10.1: a bad policy tag makes `p=none` of it all, if someone at least gets reports.
    fallen = "policy" in codes
    return DmarcRecord(
        policy=(not fallen and policies["p"]) or Policy.NONE,
        subdomain_policy=None if fallen else policies["sp"],
        nonexistent_policy=None if fallen else policies["np"],
        adkim=adkim or Alignment.RELAXED,
        aspf=aspf or Alignment.RELAXED,
        psd=psd or Psd.UNKNOWN,
        testing=testing is _YesNo.YES,
        failure_options=failure_options or frozenset({"0"}),
        rua=rua,
        ruf=ruf,
        removed_tags=tuple((t.name, t.value) for t in tags.tags if t.name in _REMOVED_TAGS),
        unknown_tags=tuple(
            t.name for t in tags.tags if t.name not in _KNOWN_TAGS and t.name not in _REMOVED_TAGS
        ),
        problems=tuple(problems),
        applied="duplicate_tag" not in codes
        and "missing_policy" not in codes
        and (not fallen or bool(rua)),
    )


def _option(
    tags: TagList, name: str, options: type[_OptionT], problems: list[Problem]
) -> _OptionT | None:
    """The value of a tag out of a closed set; ABNF strings are case-insensitive (RFC 5234 §2.3)."""
    tag = tags.get(name)
    if tag is None:
        return None
    try:
        return options(tag.value.lower())
    except ValueError:
        allowed = ", ".join(options)
        message = f"{name}={quoted(tag.value)} is not one of {allowed}"
        code = "policy" if name in _POLICY_TAGS else "value"
        problems.append(Problem(code, message, tag.offset))
        return None


def _failure_options(tag: Tag | None, problems: list[Problem]) -> frozenset[str] | None:
    # RFC 9989 §4.7 says "separated by colons (e.g., fo=0:d)", as RFC 7489 §6.4 has it: the prose
    # is wider than §4.8's ABNF, and nobody is hurt by `0:1`.
    if tag is None:
        return None
    options = frozenset(option.strip().lower() for option in tag.value.split(":"))
    if options <= _FAILURE_OPTIONS:
        return options
    message = f"fo={quoted(tag.value)} is no list of 0, 1, d, s"
    problems.append(Problem("value", message, tag.offset))
    return None


def _report_uris(tag: Tag | None, problems: list[Problem]) -> tuple[ReportUri, ...]:
    if tag is None:
        return ()
    uris = []
    pieces = tag.value.split(",", _MOST_URIS)
    if len(pieces) > _MOST_URIS:
        message = f"{tag.name} has more than {_MOST_URIS} destinations: the others are not read"
        problems.append(Problem("uri", message, tag.offset))
    for piece in pieces[:_MOST_URIS]:
        try:
            uris.append(parse_report_uri(piece.strip()))
        except DmarcError as error:
            problems.append(Problem(error.code, error.message, tag.offset))
    return tuple(uris)


def parse_report_uri(text: str) -> ReportUri:
    """One destination of ``rua`` or ``ruf``, with RFC 7489's size limit (§6.2, powers of two).

    ``address`` is the mail address of a ``mailto:`` and what follows the scheme otherwise.

    Raises:
        DmarcError: ``uri``.
    """
    if len(text) > _LONGEST_URI:
        raise DmarcError("uri", f"a destination of {len(text)} characters, {_LONGEST_URI} are read")
    uri, mark, limit = text.partition("!")
    found = _URI.fullmatch(uri)
    size = _SIZE_LIMIT.fullmatch(limit)
    if found is None:
        raise DmarcError("uri", f"{quoted(text)} is no URI such as `mailto:reports@example.com`")
    if mark and size is None:
        raise DmarcError("uri", f"{quoted(text)} has no size after the exclamation mark")
    scheme, rest = found[1].lower(), found[2]
    address = unquote(rest.partition("?")[0]) if scheme == "mailto" else rest
    if scheme == "mailto" and not _MAIL_ADDRESS.fullmatch(address):
        raise DmarcError("uri", f"{quoted(text)} has no mail address")
    size_limit = int(size[1]) * _SIZE_UNITS[size[2].lower()] if size else None
    return ReportUri(uri, scheme, address, size_limit)


def render(record: DmarcRecord) -> str:
    """The record's text: `parse` of it gives an equal record, if this one has no problems."""
    tags = [("v", "DMARC1"), ("p", record.policy.value)]
    optional: list[tuple[str, str | None, str | None]] = [
        ("sp", record.subdomain_policy, None),
        ("np", record.nonexistent_policy, None),
        ("adkim", record.adkim, Alignment.RELAXED),
        ("aspf", record.aspf, Alignment.RELAXED),
        ("psd", record.psd, Psd.UNKNOWN),
        ("t", _YesNo.YES if record.testing else _YesNo.NO, _YesNo.NO),
        ("fo", ":".join(sorted(record.failure_options)), "0"),
        ("rua", ",".join(map(_uri_text, record.rua)), ""),
        ("ruf", ",".join(map(_uri_text, record.ruf)), ""),
    ]
    tags += [(name, value) for name, value, default in optional if value not in {None, default}]
    tags += record.removed_tags
    return "; ".join(f"{name}={value}" for name, value in tags)


def _uri_text(uri: ReportUri) -> str:
    return uri.uri if uri.size_limit is None else f"{uri.uri}!{uri.size_limit}"
