"""From conversations with a host's addresses to looks and samples. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.smtp import certificate, greeting, starttls
from checks.smtp.conversed import Conversed
from monitor.check import SmtpFailure, TlsSession, certificates
from monitor.model import Finding, HostTarget, Look, Sample, Severity
from monitor.protocol.cipher_suites import weakness
from monitor.protocol.tls import is_outdated

IMPLICIT_TLS_PORT = 465
NAME = "name"
"""The subject of a host that has no address to look at."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on things are said: a certificate's end, and the seconds until a host greets."""

    certificates: certificates.Limits
    banner_seconds: float


def unresolvable(target: HostTarget) -> Finding:
    """The finding of a host without any address."""
    return Finding(
        "unresolvable",
        f"{target.host} has no address: no mail can be brought to it",
        fix=f"Give {target.host} an A or AAAA record, or take it out of the MX records and settings that name it.",
    )


def looks(
    target: HostTarget,
    conversed: Sequence[Conversed],
    limits: Limits,
    now: float,
    *,
    complete: bool,
) -> tuple[Look, ...]:
    """A look at each address; not `complete`: there may be others. That one of several is dead is a warning, that all are is critical.

    Where TLS begins with STARTTLS, that it is offered is a subject of its own.
    """
    dead = not any(one.conversation.reached for one in conversed if not one.ours)
    addresses = tuple(_look(target, one, limits, now, all_dead=dead) for one in conversed)
    implicit = target.port == IMPLICIT_TLS_PORT
    return addresses if implicit else (*addresses, starttls.look(conversed, complete=complete))


def _look(
    target: HostTarget, one: Conversed, limits: Limits, now: float, *, all_dead: bool
) -> Look:
    talk = one.conversation
    if one.unknown:
        return Look.unknown(talk.address, one.unknown, weight=float(one.matters))
    found = (
        *_conversation_findings(target, one, all_dead=all_dead),
        *greeting.findings(target, one, limits.banner_seconds),
        *_encryption_findings(target, one),
        *(certificate.findings(target, talk.tls, limits.certificates, now) if talk.tls else ()),
    )
    return Look.known(talk.address, found)


def _conversation_findings(
    target: HostTarget, one: Conversed, *, all_dead: bool
) -> Iterator[Finding]:
    talk = one.conversation
    where = f"{target.name} at {talk.address}"
    evidence = "\n".join(filter(None, [talk.reason, talk.banner]))
    match talk.failure:
        case SmtpFailure.CONNECT | SmtpFailure.TIMEOUT:
            yield Finding(
                "unreachable",
                f"{where} does not answer",
                fix="See that the mail server runs and listens there, and that no firewall drops connections from outside.",
                evidence=evidence,
                severity=Severity.CRITICAL if all_dead else Severity.WARNING,
            )
        case SmtpFailure.REPLY if not talk.starttls_refused:
            yield Finding(
                "refuses",
                f"{where} refuses to talk ({talk.reply_code})",
                fix=(
                    "Read its words: a relay that takes no mail, or a list that the monitor's own address is on. "
                    "Set vantage.helo to a name that resolves to the address that the monitor connects from."
                ),
                evidence=evidence,
            )
        case SmtpFailure.PROTOCOL:
            yield Finding(
                "protocol_error",
                f"{where} breaks the protocol",
                fix="Compare with RFC 5321 section 4.2; a proxy or a firewall that rewrites SMTP is often the cause.",
                evidence=evidence,
            )


def _encryption_findings(target: HostTarget, one: Conversed) -> Iterator[Finding]:
    talk = one.conversation
    where = f"{target.name} at {talk.address}"
    if one.offers_starttls is False:
        yield Finding(
            "starttls_missing",
            f"{where} {'offers STARTTLS and refuses it' if talk.starttls_refused else 'does not offer STARTTLS'}",
            fix="Configure a certificate and TLS in the mail server; see that no firewall strips STARTTLS from its answer.",
            evidence=talk.reason or f"EHLO: {' '.join(sorted(talk.extensions)) or 'no extension'}",
        )
    if talk.injected:
        yield Finding(
            "starttls_injection",
            f"{where}: plaintext follows its answer to STARTTLS (RFC 3207 section 4.2)",
            fix=(
                "Somebody in between may be inserting answers: compare from another network, look for a proxy or "
                "firewall that rewrites SMTP, and update the mail server."
            ),
        )
    if talk.failure is SmtpFailure.TLS:
        yield Finding(
            "tls_failed",
            f"{where}: TLS does not come about",
            fix="See that certificate and key belong together and that TLS 1.2 and 1.3 are allowed with usual ciphers.",
            evidence=talk.reason,
        )
    if talk.tls:
        yield from _session_findings(where, talk.tls)


def _session_findings(where: str, tls: TlsSession) -> Iterator[Finding]:
    if is_outdated(tls.protocol):
        yield Finding(
            "tls_outdated",
            f"{where} speaks {tls.protocol} and nothing newer (RFC 8996)",
            fix="Allow TLS 1.2 and 1.3, and forbid what is older.",
            evidence=f"{tls.protocol}, {tls.cipher}",
        )
    if weak := weakness(tls.cipher):
        yield Finding(
            "cipher_weak",
            f"{where} chooses a weak cipher suite ({weak}) though better ones were offered (RFC 9325)",
            fix="Allow suites with AES-GCM or ChaCha20 (postfix: smtpd_tls_ciphers = medium), and prefer the server's order.",
            evidence=f"{tls.protocol}, {tls.cipher}",
        )


def samples(conversed: Sequence[Conversed]) -> Iterator[Sample]:
    """What the host's addresses show together."""
    talks = [one.conversation for one in conversed if not one.unknown]
    yield Sample("smtp_up", float(any(talk.reached for talk in talks)))
    slowest: dict[str, float] = {}
    for talk in talks:
        for phase, seconds in talk.phases.items():
            slowest[phase] = max(seconds, slowest.get(phase, 0.0))
    for phase, seconds in slowest.items():
        yield Sample("smtp_phase_duration_seconds", seconds, {"phase": phase})
    yield from greeting.samples(talks)
    sessions = [talk.tls for talk in talks if talk.tls]
    for protocol in sorted({session.protocol for session in sessions}):
        yield Sample("tls_protocol_accepted", 1.0, {"check": "smtp", "protocol": protocol})
    ends = [session.chain[0].not_after.timestamp() for session in sessions if session.chain]
    if ends:
        yield Sample("certificate_not_after_timestamp_seconds", min(ends))
