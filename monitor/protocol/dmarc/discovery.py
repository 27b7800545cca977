"""Which DMARC record applies to a domain: the DNS tree walk (RFC 9989 §4.10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.protocol.dmarc.record import DmarcRecord, Policy, Psd, is_dmarc, read

_MOST_QUERIES = 8  # RFC 9989 §4.10


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the answers of a tree walk say about a domain.

    Attributes:
        domain: the domain asked about.
        record: the record that applies, as receivers take it; None where there is none.
        text: its text, "" where there is none.
        found_at: the domain at whose ``_dmarc`` it stands, "" where there is none.
        organizational_domain: as §4.10.2 says.
        several_at: domains with more than one record: all of them are discarded (§4.10 step 2).
        unanswered: domains without an answer that could change the above; empty when it is certain.
    """

    domain: str
    record: DmarcRecord | None
    text: str
    found_at: str
    organizational_domain: str
    several_at: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """The policy for mail that fails DMARC.

    ``requested`` is what ``tag`` (``p``, ``sp`` or ``np``) asks for, ``applied`` what receivers do:
    one level less where the record is ``testing`` (``t=y``, RFC 9989 §4.7).
    """

    requested: Policy
    applied: Policy
    tag: str
    testing: bool


@dataclass(frozen=True, slots=True)
class _Found:
    domain: str
    text: str
    record: DmarcRecord


def tree_walk(domain: str) -> tuple[str, ...]:
    """The names to ask for TXT, in order: at most eight (RFC 9989 §4.10).

    >>> tree_walk("mail.example.com")
    ('_dmarc.mail.example.com', '_dmarc.example.com', '_dmarc.com')
    """
    return tuple(f"_dmarc.{name}" for name in _walk(domain))


def _walk(domain: str) -> list[str]:
    labels = [label for label in domain.lower().split(".") if label]
    if not labels:
        return []
    # Step 4: one label less, or straight to seven where there are eight or more.
    parents = labels[1:][-(_MOST_QUERIES - 1) :]
    return [".".join(labels), *(".".join(parents[n:]) for n in range(len(parents)))]


def discover(domain: str, answers: Mapping[str, Sequence[str] | None]) -> Discovery:
    """The record that applies to a domain, and its organizational domain (RFC 9989 §4.10.1, §4.10.2).

    ``answers`` has the TXT texts for each name of `tree_walk`, an empty sequence where there are
    none, and None (or no entry) where no answer was to be had. Never raises.
    """
    walked = _walk(domain)
    found: list[_Found] = []
    several: list[str] = []
    unanswered: list[str] = []
    for name in walked:
        texts = answers.get(f"_dmarc.{name}")
        records = [text for text in texts or () if is_dmarc(text)]
        if texts is None:
            unanswered.append(name)
        elif len(records) > 1:
            several.append(name)
        elif records:
            found.append(_Found(name, records[0], read(records[0])))
            if found[-1].record.psd is not Psd.UNKNOWN:
                break
    start = walked[0] if walked else ""
    organizational = _organizational_domain(start, found)
    applies = _applying(start, organizational, found)
    return Discovery(
        domain=start,
        record=applies.record if applies else None,
        text=applies.text if applies else "",
        found_at=applies.domain if applies else "",
        organizational_domain=organizational,
        several_at=tuple(several),
        unanswered=tuple(unanswered),
    )


def _organizational_domain(start: str, found: Sequence[_Found]) -> str:
    """RFC 9989 §4.10.2; ``found`` goes from the longest name to the shortest."""
    for candidate in found:
        if candidate.record.psd is Psd.NO:
            return candidate.domain
        if candidate.record.psd is Psd.YES and candidate.domain != start:
            return _one_label_below(candidate.domain, start)
    return found[-1].domain if found else start


def _one_label_below(suffix: str, start: str) -> str:
    # Not the name before it in the walk: the shortcut of step 4 may have skipped that one.
    depth = suffix.count(".") + 2
    return ".".join(start.split(".")[-depth:])


def _applying(start: str, organizational: str, found: Sequence[_Found]) -> _Found | None:
    """§4.10.1: the author domain's record, its organizational domain's, its public suffix's."""
    at = {candidate.domain: candidate for candidate in found}
    suffix = found[-1] if found and found[-1].record.psd is Psd.YES else None
    return at.get(start) or at.get(organizational) or suffix


def effective_policy(discovery: Discovery, *, exists: bool = True) -> EffectivePolicy | None:
    """The policy in force for the domain itself; None where receivers apply no DMARC to it.

    ``exists`` is False for a name that is not in the DNS at all, for which ``np`` speaks (§4.7).
    """
    record = discovery.record
    if record is None or not record.applied:
        return None
    if discovery.found_at == discovery.domain:
        tag, requested = "p", record.policy
    elif not exists and record.nonexistent_policy is not None:
        tag, requested = "np", record.nonexistent_policy
    elif record.subdomain_policy is not None:
        tag, requested = "sp", record.subdomain_policy
    else:
        tag, requested = "p", record.policy
    applied = requested.one_level_below() if record.testing else requested
    return EffectivePolicy(requested, applied, tag, record.testing)
