"""What the TLSA records of a mail host are worth, against the certificates that it presents. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from checks.dane import drift
from monitor.check import (
    Certificate,
    Code,
    DnsStatus,
    Gauge,
    SecureAnswer,
    SmtpConversation,
    SmtpFailure,
    TlsSession,
    Validation,
)
from monitor.model import Finding, Look, Severity
from monitor.protocol import dane
from monitor.protocol.dane import (
    CertificateError,
    Fit,
    Judged,
    Rollover,
    Selector,
    TlsaError,
    TlsaRecord,
    Usage,
)
from monitor.protocol.tls import names_match

CODES = (
    Code("mismatch", Severity.CRITICAL, "no TLSA record names the certificate"),
    Code("no_tls", Severity.CRITICAL, "TLSA records demand TLS, and there is none"),
    Code("lookup_fails", Severity.CRITICAL, "the question for TLSA records is not answered"),
    Code("unsigned", Severity.WARNING, "TLSA records without DNSSEC count for nothing"),
    Code("unusable", Severity.WARNING, "TLSA records that senders pass over"),
    Code("anchor_not_sent", Severity.WARNING, "the trust anchor is not in the chain"),
    Code("renewal_breaks", Severity.WARNING, "the next renewal ends the match"),
    Code("no_next_key", Severity.INFO, "no record for the next key"),
    Code("host_without", Severity.INFO, "a host without TLSA records beside one that has them"),
)
GAUGES = (
    Gauge(
        "dane_hosts",
        "Mail hosts of the domain by what DANE does for them.",
        labels=("domain", "state"),
    ),
)

_AUTOMATIC_RENEWAL = timedelta(days=100)
"""Certificates that live no longer are renewed by programs: of the public authorities, and soon all."""
_SHOWN_DIGITS = 16


class Protection(StrEnum):
    """What DANE does for a host: the label `state`."""

    PROTECTED = "protected"
    BROKEN = "broken"
    IGNORED = "ignored"
    WITHOUT = "without"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class View:
    """What was seen of a host.

    Attributes:
        tlsa: the answer for `_25._tcp.<host>`.
        address: that for its A records, None where it did not matter.
        fails: where the lookup failed, our resolver's ordinary answer is a failure too.
        talks: a conversation with each of its addresses; none where they did not matter.
        blindness: why there is no conversation where one mattered.
    """

    domain: str
    host: str
    tlsa: SecureAnswer
    address: SecureAnswer | None = None
    fails: bool = False
    talks: tuple[SmtpConversation, ...] = ()
    blindness: str = ""


def owner(host: str) -> str:
    """Where a host's records are (RFC 7672 §2.2.3)."""
    return f"_25._tcp.{host}"


def denied(tlsa: SecureAnswer) -> bool:
    """Whether there are no records; a denial that is bogus is a failed lookup (RFC 7672 §2.1.1)."""
    empty = tlsa.answer.known and not tlsa.answer.records
    return empty and tlsa.validation is not Validation.BOGUS


def failed(tlsa: SecureAnswer) -> bool:
    """Whether the lookup itself failed (RFC 7672 §2.1.1)."""
    return not tlsa.answer.known or tlsa.validation is Validation.BOGUS


def judged_by_senders(view: View) -> bool:
    """Whether senders go by the host's records: there are some, and DNSSEC vouches for them and the address."""
    return (
        bool(view.tlsa.answer.records)
        and view.tlsa.validation is Validation.SECURE
        and _secure(view)
    )


def _secure(view: View) -> bool:
    # RFC 7672 §2.2.2: of a host whose addresses are not signed, senders do not even ask for TLSA records.
    return view.address is not None and view.address.validation is Validation.SECURE


def look(view: View, now: float) -> tuple[Look, Protection]:
    """A look at the host (its name is the subject), and what DANE does for it."""
    tlsa, host = view.tlsa, view.host
    if denied(tlsa):
        # Where nobody vouches for what our resolver says, or denies it, that there are none is no change.
        told = tlsa.validation in {Validation.SECURE, Validation.INSECURE}
        return Look.known(host, record="" if told else None), Protection.WITHOUT
    if failed(tlsa):
        return _failed(view)
    addresses = view.address.validation if view.address else Validation.UNCHECKED
    if Validation.INSECURE in {tlsa.validation, addresses}:
        return Look.known(host, (_unsigned(view),)), Protection.IGNORED
    if not judged_by_senders(view):
        reason = tlsa.reason or (view.address.reason if view.address else "")
        return Look.unknown(host, f"{owner(host)} TLSA: {reason}"), Protection.NOT_KNOWN
    return _against_certificates(view, now)


def _failed(view: View) -> tuple[Look, Protection]:
    """RFC 7672 §2.1.1: senders put mail off where the lookup fails, as long as the host's address is signed."""
    status = view.tlsa.answer.status
    refused = view.tlsa.validation is Validation.BOGUS or status is DnsStatus.SERVFAIL
    if view.address is not None and view.address.validation is Validation.INSECURE:
        # Senders do not even ask; what was known of the records stays.
        unseen = Look.unknown(view.host, view.tlsa.answer.blindness, weight=0)
        return unseen, Protection.WITHOUT
    if not (refused and view.fails and _secure(view)):
        return Look.unknown(view.host, view.tlsa.answer.blindness), Protection.NOT_KNOWN
    finding = Finding(
        "lookup_fails",
        f"the question for TLSA records of {view.host} fails, while its address is signed: senders put mail off",
        fix=(
            f"Have the name servers of {view.host} answer `{owner(view.host)} TLSA` with a signed answer, be it that "
            "there is none (NSEC, NSEC3): old servers and firewalls drop questions for types that they do not know"
        ),
        evidence=view.tlsa.reason or view.tlsa.answer.blindness,
    )
    return Look.known(view.host, (finding,)), Protection.BROKEN


def _unsigned(view: View) -> Finding:
    secure = view.tlsa.validation is Validation.SECURE
    what = "its address is not signed" if secure else "they are not signed"
    return Finding(
        "unsigned",
        f"{view.host} has TLSA records, but {what} (DNSSEC): senders pass them over",
        fix=(
            f"Have the zone of {view.host} signed and its DS record published by the registrar; "
            f"or remove the TLSA records at {owner(view.host)}"
        ),
        evidence="\n".join(view.tlsa.answer.records),
    )


# --- against what is presented ---------------------------------------------------------------------


class _Verdict(StrEnum):
    PASSES = "passes"
    FAILS = "fails"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class _Presented:
    """What one address presents, judged. `why` it fails."""

    address: str
    chain: tuple[Certificate, ...]
    judged: tuple[Judged, ...]
    verdict: _Verdict
    why: str = ""


def _against_certificates(view: View, now: float) -> tuple[Look, Protection]:
    records, broken = _read(view.tlsa.answer.records)
    sessions = {t.address: t.tls for t in view.talks if t.tls and t.tls.whole and t.tls.chain}
    seen = [_presented(view, address, tls, records, now) for address, tls in sessions.items()]
    bare = [talk for talk in view.talks if _without_tls(talk)]
    if not seen and not bare:
        return Look.unknown(view.host, _unseen(view)), Protection.NOT_KNOWN
    usable = any(not dane.unusable(record) for record in records)
    found = (
        *_bare_findings(view, bare),
        *(_mismatch_findings(view, seen) if usable else ()),
        *_record_findings(view, records, broken),
        *(_renewal_findings(view, seen) if usable else ()),
    )
    told = Look.known(view.host, found, record=drift.watched(view.tlsa.answer.records))
    if bare or (usable and any(one.verdict is _Verdict.FAILS for one in seen)):
        return told, Protection.BROKEN
    return told, Protection.PROTECTED if usable else Protection.IGNORED


def _read(texts: Sequence[str]) -> tuple[list[TlsaRecord], list[str]]:
    """The records, and what is wrong with those that cannot be read."""
    records, broken = [], []
    for text in texts:
        try:
            records.append(dane.parse(text))
        except TlsaError as error:
            broken.append(error.message)
    return records, broken


def _without_tls(talk: SmtpConversation) -> bool:
    """The host answers, and TLS does not come about."""
    absent = talk.starttls_offered is False or talk.failure is SmtpFailure.TLS
    return talk.starttls_refused or (absent and talk.tls is None)


def _unseen(view: View) -> str:
    reasons = [talk.reason or "a certificate that cannot be read" for talk in view.talks]
    return "; ".join(dict.fromkeys(reasons)) or view.blindness or f"{view.host} has no address"


def _presented(
    view: View, address: str, tls: TlsSession, records: Sequence[TlsaRecord], now: float
) -> _Presented:
    ders = [certificate.der for certificate in tls.chain]
    judged = dane.judge(records, ders)
    matches = [one for one in judged if one.fit is Fit.MATCHES]
    reasons = [_objection(view, tls.chain, one.member or 0, now) for one in matches]
    if "" in reasons:
        return _Presented(address, tls.chain, judged, _Verdict.PASSES)
    if any(one.fit is Fit.UNDECIDED for one in judged):
        return _Presented(address, tls.chain, judged, _Verdict.UNDECIDED)
    why = "; ".join(reasons) or "none of them names it"
    return _Presented(address, tls.chain, judged, _Verdict.FAILS, why)


def _objection(view: View, chain: Sequence[Certificate], anchor: int, now: float) -> str:
    """Why a match is not enough; "" where it is. For usage 3 it always is (RFC 7672 §3.1.1)."""
    if anchor == 0:
        return ""
    if (link := dane.broken_link([c.der for c in chain], anchor)) is not None:
        return f"certificate {link + 1} of the chain was not issued by the next one"
    # RFC 7672 §3.2.2: the name of the host, or of the domain that the mail is for.
    if not any(names_match(name, chain[0].names) for name in (view.host, view.domain)):
        return f"the certificate names {', '.join(chain[0].names) or 'nothing'}, and for usage 2 names count"
    for certificate in chain[: anchor + 1]:
        if not certificate.not_before.timestamp() <= now < certificate.not_after.timestamp():
            return f"{certificate.subject} is not valid now, and for usage 2 dates count"
    return ""


def _bare_findings(view: View, bare: Sequence[SmtpConversation]) -> Iterator[Finding]:
    if bare:
        yield Finding(
            "no_tls",
            f"{view.host} has TLSA records, but TLS does not come about at {', '.join(t.address for t in bare)}: "
            "senders deliver nothing there",
            fix=(
                "Have the mail server offer STARTTLS with its certificate again; see that no firewall strips it. "
                f"Until then remove the TLSA records at {owner(view.host)}"
            ),
            evidence="; ".join(t.reason or "STARTTLS is not offered" for t in bare),
            severity=None if len(bare) == len(view.talks) else Severity.WARNING,
        )


def _mismatch_findings(view: View, seen: Sequence[_Presented]) -> Iterator[Finding]:
    failing = [one for one in seen if one.verdict is _Verdict.FAILS]
    if failing:
        where = ", ".join(one.address for one in failing)
        why = "; ".join(dict.fromkeys(one.why for one in failing))
        yield Finding(
            "mismatch",
            f"the certificate of {view.host} at {where} does not pass its TLSA records ({why}): "
            "senders that go by them deliver nothing there",
            fix=(
                f"Publish {_wanted(view, failing)}, beside the old ones until their TTL has passed; "
                "or have the mail server load the certificate that the records name"
            ),
            evidence=_shown(failing),
            severity=None if len(failing) == len(seen) else Severity.WARNING,
        )
    if undecided := [one for one in seen if one.verdict is _Verdict.UNDECIDED]:
        yield Finding(
            "anchor_not_sent",
            f"{view.host} does not send the trust anchor that its TLSA records name: senders differ in what they make of it",
            fix=(
                "Add the certificate of the anchor to the chain that the mail server sends (RFC 7672 section 3.1.2), "
                f"or publish {_wanted(view, undecided)}"
            ),
            evidence=_shown(undecided),
        )


def _wanted(view: View, seen: Sequence[_Presented]) -> str:
    """The records to publish, for what is presented."""
    texts = []
    for one in seen:
        try:
            texts.append(f"{owner(view.host)}. IN TLSA {dane.record_for(one.chain[0].der)}")
        except CertificateError:
            continue
    return "; ".join(dict.fromkeys(texts)) or "a record 3 1 1 of its key"


def _shown(seen: Sequence[_Presented]) -> str:
    lines = [f"{_cut(j.record)}: {j.fit}" for one in seen[:1] for j in one.judged]
    lines += [f"{one.address} presents {one.chain[0].subject}" for one in seen]
    return "\n".join(lines)


def _cut(record: TlsaRecord) -> str:
    text = str(record)
    short = len(text) - len(record.data.hex()) + _SHOWN_DIGITS
    return text if len(text) <= short else f"{text[:short]}…"


def _record_findings(
    view: View, records: Sequence[TlsaRecord], broken: Sequence[str]
) -> Iterator[Finding]:
    reasons = [f"{_cut(r)}: {why}" for r in records if (why := dane.unusable(r))]
    reasons += broken
    if reasons:
        none_left = len(reasons) == len(records) + len(broken)
        yield Finding(
            "unusable",
            f"senders pass over {'all' if none_left else 'some'} TLSA records of {view.host}"
            + (": they demand TLS of it, and check no certificate" if none_left else ""),
            fix=f"Replace them at {owner(view.host)}: `3 1 1` and the SHA-256 of the public key is what senders know best",
            evidence="\n".join(reasons),
        )


def _renewal_findings(view: View, seen: Sequence[_Presented]) -> Iterator[Finding]:
    passing = [one for one in seen if one.verdict is _Verdict.PASSES]
    if not passing:
        return
    pinned = [one for one in passing if _certificate_pinned(one)]
    if pinned:
        leaf = pinned[0].chain[0]
        automatic = leaf.not_after - leaf.not_before <= _AUTOMATIC_RENEWAL
        yield Finding(
            "renewal_breaks",
            f"the TLSA records of {view.host} name its certificate, not its key: they no longer match once it is renewed",
            fix=f"Publish {_wanted(view, pinned)}, and have renewals keep the key",
            evidence=f"{_shown(pinned)}\nthe certificate ends on {leaf.not_after:%Y-%m-%d}",
            severity=Severity.WARNING if automatic else Severity.INFO,
        )
    elif any(dane.rollover(one.judged) is Rollover.SINGLE for one in passing):
        yield Finding(
            "no_next_key",
            f"only the present key of {view.host} has a TLSA record",
            fix=(
                f"Make the next key now and publish its record at {owner(view.host)} too (RFC 7671 section 8.1); or have "
                "renewals keep the key. Never load a new key before its record is older than the TTL"
            ),
            evidence=_shown(passing),
        )


def _certificate_pinned(one: _Presented) -> bool:
    """Whether only records of the host's whole certificate match."""
    matching = [j.record for j in one.judged if j.fit is Fit.MATCHES]
    return all(
        record.usage == Usage.DANE_EE and record.selector == Selector.CERTIFICATE
        for record in matching
    )


def without_beside(host: str) -> Finding:
    """Of a host that has no records while another one of the domain has."""
    return Finding(
        "host_without",
        f"{host} has no TLSA records, other mail hosts of the domain have: who can keep senders from those gets "
        "mail sent here in the clear",
        fix=f"Publish TLSA records at {owner(host)}, or take the host out of the MX records",
    )
