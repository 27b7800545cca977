"""From audits of a host's addresses to looks and samples. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from checks.smtp_audit import relay
from checks.smtp_audit.relay import Trials
from monitor.check import AuditPart, SmtpAudit
from monitor.check.mail_hosts import is_ipv6
from monitor.model import Finding, HostTarget, Look, Sample, Severity
from monitor.protocol.cipher_suites import Weakness, weakness
from monitor.protocol.tls import is_outdated

_SMTP_PORT = 25
_REVEALING = frozenset({"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
"""SASL mechanisms that hand over the secret itself (RFC 4616, RFC 7628)."""


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit with what was tried. `judge_inside`: what a host does for a private address counts too."""

    target: HostTarget
    asked: Trials
    audit: SmtpAudit
    looks_for_relays: bool
    judge_inside: bool

    @property
    def where(self) -> str:
        """The host's port at this address, for a sentence."""
        return f"{self.target.name} at {self.audit.address}"


def looks(one: Audited) -> Iterator[Look]:
    """A look at each part. An IPv6 address of which nothing came about must not blind us to the others."""
    nothing = one.audit.unknown.keys() == set(AuditPart)
    weight = 0.0 if nothing and is_ipv6(one.audit.address) else 1.0
    for part in AuditPart:
        subject = f"{one.audit.address} {part.value}"
        if part is AuditPart.RELAY:
            if one.looks_for_relays:
                yield _relay_look(one, subject, weight)
        elif reason := one.audit.unknown.get(part):
            yield Look.unknown(subject, reason, weight=weight)
        else:
            yield Look.known(subject, tuple(_FINDINGS[part](one)))


def samples(audited: Sequence[Audited]) -> Iterator[Sample]:
    """What the host's addresses accept together: 1 where one of them does."""
    told = [one.audit for one in audited if AuditPart.PROTOCOLS not in one.audit.unknown]
    for protocol in dict.fromkeys(version for audit in told for version in audit.protocols):
        accepted = any(audit.protocols.get(protocol) for audit in told)
        labels = {"check": "smtp_audit", "protocol": protocol}
        yield Sample("tls_protocol_accepted", float(accepted), labels)
    told = [one.audit for one in audited if AuditPart.CIPHERS not in one.audit.unknown]
    if told:
        found = {weakness(name) for audit in told for name in audit.weak_suites}
        for weak in Weakness:
            yield Sample("tls_weak_cipher_accepted", float(weak in found), {"weakness": weak.value})


def _relay_look(one: Audited, subject: str, weight: float) -> Look:
    """Relaying for a private address may be wanted: then acceptance tells nothing, and refusal still does."""
    replies, reason = one.audit.replies, one.audit.unknown.get(AuditPart.RELAY, "")
    found = list(relay.relayed(one.asked, replies))
    if found and not one.judge_inside and not _is_outside(one.audit.source):
        inside = (
            f"the host relays for the monitor's own address {one.audit.source}, which is private: whether it does "
            "for strangers can be seen from outside only (or set relay: always)"
        )
        return Look.unknown(subject, inside, weight=0)
    if found:
        return Look.known(subject, (_open_relay(one, found),))
    if reason:
        return Look.unknown(subject, reason, weight=weight)
    if blind := relay.blindness(one.asked, replies, one.target.port):
        return Look.unknown(subject, blind, weight=0)
    return Look.known(subject)


def _is_outside(source: str) -> bool:
    try:
        return ip_address(source).is_global
    except ValueError:
        return False


def _open_relay(one: Audited, found: Sequence[tuple[relay.Trial, str]]) -> Finding:
    forms = ", ".join(trial.form for trial, _ in found)
    tried = (
        f"MAIL FROM:<{trial.envelope.sender}> RCPT TO:<{trial.envelope.recipient}>: {said}"
        for trial, said in found
    )
    return Finding(
        "open_relay",
        f"{one.where} takes mail from anyone to anyone ({forms})",
        fix=(
            "Refuse recipients elsewhere from strangers. postfix: smtpd_relay_restrictions = permit_mynetworks, "
            "permit_sasl_authenticated, reject_unauth_destination, and no address of strangers in mynetworks; "
            "then look into the queue for what was relayed already."
        ),
        evidence="\n".join(tried),
    )


def _weak_protocols(one: Audited) -> Iterator[Finding]:
    accepted = [version for version, taken in one.audit.protocols.items() if taken]
    if outdated := [version for version in accepted if is_outdated(version)]:
        yield Finding(
            "tls_outdated",
            f"{one.where} accepts {' and '.join(outdated)} (RFC 8996)",
            fix=(
                "Allow TLS 1.2 and 1.3 only (postfix: smtpd_tls_protocols = >=TLSv1.2 and smtpd_tls_mandatory_protocols "
                "= >=TLSv1.2), once the log shows that nobody who matters still needs the others."
            ),
            evidence=f"accepted: {', '.join(accepted)}",
        )


def _weak_ciphers(one: Audited) -> Iterator[Finding]:
    found = list(dict.fromkeys(filter(None, map(weakness, one.audit.weak_suites))))
    if not found:
        return
    # Between servers nobody checks who answers, and without a certificate it is as good as with one (RFC 7672 §8.2).
    harmless = found == [Weakness.ANONYMOUS] and one.target.port == _SMTP_PORT
    yield Finding(
        "cipher_weak",
        f"{one.where} accepts weak cipher suites ({', '.join(found)})",
        fix=(
            "Exclude them (postfix: smtpd_tls_exclude_ciphers = aNULL, eNULL, EXPORT, DES, 3DES, RC4, MD5; "
            "exim: tls_require_ciphers)."
        ),
        evidence=", ".join(one.audit.weak_suites),
        severity=Severity.INFO if harmless else Severity.WARNING,
    )


def _renegotiation(one: Audited) -> Iterator[Finding]:
    if one.audit.secure_renegotiation is False:
        yield Finding(
            "renegotiation_insecure",
            f"{one.where} does not know secure renegotiation (RFC 5746)",
            fix="Update the TLS library: whoever stands in between can put commands in front of a client's (CVE-2009-3555).",
        )


def _injection(one: Audited) -> Iterator[Finding]:
    if one.audit.injectable:
        yield Finding(
            "starttls_injection",
            f"{one.where} takes commands sent in plaintext behind STARTTLS into the encrypted session (CVE-2011-0411)",
            fix="Update the mail server, or the proxy in front of it: it must forget all that came before TLS (RFC 3207 section 4.2).",
            evidence="STARTTLS and NOOP in one packet: NOOP was answered inside TLS",
        )


def _plaintext_auth(one: Audited) -> Iterator[Finding]:
    if _REVEALING & set(one.audit.clear_mechanisms):
        yield Finding(
            "plaintext_auth",
            f"{one.where} lets people log in before TLS: their passwords travel readable",
            fix="Offer AUTH inside TLS only (postfix: smtpd_tls_auth_only = yes; exim: auth_advertise_hosts by $tls_in_cipher).",
            evidence=f"AUTH {' '.join(one.audit.clear_mechanisms)}",
        )


_FINDINGS: Mapping[AuditPart, Callable[[Audited], Iterator[Finding]]] = {
    AuditPart.PROTOCOLS: _weak_protocols,
    AuditPart.CIPHERS: _weak_ciphers,
    AuditPart.RENEGOTIATION: _renegotiation,
    AuditPart.INJECTION: _injection,
    AuditPart.AUTH: _plaintext_auth,
}
