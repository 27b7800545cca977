"""The BIMI assertion record: where a domain's logo is, and who vouches for it.

"The draft" is draft-brand-indicators-for-message-identification-14; records stand at
``<selector>._bimi.<domain>`` (§4.3), the usual selector is ``default``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from monitor.protocol.names import is_host_name
from monitor.protocol.problem import Problem, RecordError, quoted
from monitor.protocol.tags import Tag, TagList, read_tags

DEFAULT_SELECTOR = "default"

# "The value of this tag MUST match precisely", and it is the first one (§4.3).
_VERSION = re.compile(r"[ \t]*v[ \t]*=[ \t]*BIMI1[ \t]*(?:;|\Z)")
_LOCAL_PART = re.compile(r"[A-Za-z0-9-]+")
# §4.3.2: another image format's suffix makes the record a permanent error.
_OTHER_FORMATS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ico", ".pdf")


class BimiError(RecordError):
    """A record that the draft does not allow.

    Codes: ``version``, ``syntax``, ``empty_tag``, ``duplicate_tag``, ``too_many_tags``,
    ``missing_location`` (no ``l``), ``uri`` (``l`` or ``a`` is no https address), ``format`` (``l`` names another format than
    SVG), ``no_logo`` (an ``a`` without an ``l``), ``preference`` (``avp``), ``local_parts`` (``lps``).
    """


class Preference(StrEnum):
    """Which picture the domain's owner prefers (``avp``): the brand's logo, or the person's own."""

    BRAND = "brand"
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class BimiRecord:
    """An assertion record.

    Attributes:
        location: the address of the logo (``l``), "" where the domain declines or names none.
        authority: the address of the evidence document (``a``), "" where there is none.
        preference: ``avp``.
        local_parts: prefixes of ``lps``, in lower case; None where the tag is absent, empty where it
            stands for every local part.
        problems: everything that the draft does not allow; what is missing comes last.
    """

    location: str = ""
    authority: str = ""
    preference: Preference = Preference.BRAND
    local_parts: tuple[str, ...] | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def declines(self) -> bool:
        """The domain says that it takes no part: ``v=BIMI1; l=; a=;`` (§4.3.1)."""
        return not self.location and not self.authority and not self.problems


def record_name(domain: str, selector: str = DEFAULT_SELECTOR) -> str:
    """Where the record of a domain stands."""
    return f"{selector}._bimi.{domain}"


def is_bimi(text: str) -> bool:
    """Whether a TXT record is an assertion record: its first tag is ``v=BIMI1``, in exactly this case."""
    return _VERSION.match(text) is not None


def parse(text: str) -> BimiRecord:
    """The record, if it is what the draft allows to publish; unknown tags are ignored (§4.3).

    Raises:
        BimiError: the first thing that is wrong.
    """
    record = read(text)
    if record.problems:
        raise BimiError.of(record.problems[0])
    return record


def read(text: str) -> BimiRecord:
    """The record with all that is wrong; receivers do nothing with one that has problems (§4.3).

    Raises:
        BimiError: ``version``, if it is no assertion record at all.
    """
    if not is_bimi(text):
        raise BimiError("version", f"{quoted(text)} does not start with `v=BIMI1`")
    tags = read_tags(text, fold_case=False)
    problems = list(tags.problems)
    location, authority = (_address(tags.get(name), problems) for name in ("l", "a"))
    preference = _preference(tags.get("avp"), problems)
    local_parts = _local_parts(tags.get("lps"), problems)
    problems.sort(key=lambda problem: problem.offset)
    problems += _about_the_logo(tags, location, authority)
    return BimiRecord(location, authority, preference, local_parts, tuple(problems))


def _address(tag: Tag | None, problems: list[Problem]) -> str:
    if tag is None or not tag.value:
        return ""
    if not is_https_address(tag.value):
        message = f"{tag.name}={quoted(tag.value)} is no single https address with a domain name"
        problems.append(Problem("uri", message, tag.offset))
    return tag.value


def is_https_address(text: str) -> bool:
    """Whether this is one https URI whose host is a fully qualified name; a comma must be encoded (§4.3)."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 -- raises where the port is none
    except ValueError:
        return False
    host = parts.hostname or ""
    strange = any(c in text for c in ', "<>\\^`{|}') or not text.isascii()
    return parts.scheme == "https" and "." in host and is_host_name(host) and not strange


def _preference(tag: Tag | None, problems: list[Problem]) -> Preference:
    if tag is None:
        return Preference.BRAND
    try:
        return Preference(tag.value)
    except ValueError:
        message = f"avp={quoted(tag.value)} is neither brand nor personal"
        problems.append(Problem("preference", message, tag.offset))
        return Preference.BRAND


def _local_parts(tag: Tag | None, problems: list[Problem]) -> tuple[str, ...] | None:
    if tag is None:
        return None
    prefixes = [prefix.strip().lower() for prefix in tag.value.split(",")] if tag.value else []
    wrong = next((prefix for prefix in prefixes if not _LOCAL_PART.fullmatch(prefix)), None)
    if wrong is not None:
        message = f"lps: {quoted(wrong)} has another character than letters, digits and hyphens"
        problems.append(Problem("local_parts", message, tag.offset))
    return tuple(prefixes)


def _about_the_logo(tags: TagList, location: str, authority: str) -> list[Problem]:
    tag = tags.get("l")
    if tag is None:
        return [Problem("missing_location", "no `l` tag: the logo's address is required")]
    if authority and not location:
        return [Problem("no_logo", "an evidence document (`a`) without a logo (`l`)", tag.offset)]
    if location.lower().partition("?")[0].endswith(_OTHER_FORMATS):
        message = f"l={quoted(location)} is no SVG, the only format allowed"
        return [Problem("format", message, tag.offset)]
    return []
