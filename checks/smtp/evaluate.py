"""From conversations with a host's addresses to looks and samples. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.smtp import certificate
from checks.smtp.certificate import Limits
from monitor.check import SmtpConversation, SmtpFailure
from monitor.model import Finding, HostTarget, Look, Sample, Severity
from monitor.protocol.tls import is_outdated

NAME = "name"
"""The subject of a host that has no address to look at."""


@dataclass(frozen=True, slots=True)
class Conversed:
    """A conversation with one address.

    Attributes:
        ours: why its failure lies with ourselves; "" where it does not.
        matters: False where we could never see such an address, so that it must not blind us to the others.
    """

    conversation: SmtpConversation
    ours: str = ""
    matters: bool = True

    @property
    def unknown(self) -> str:
        """Why nothing was learnt of the host; "" where something was."""
        talk = self.conversation
        if self.ours:
            return self.ours
        if talk.failure is SmtpFailure.FORBIDDEN:
            return f"{talk.address}: {talk.reason}"
        if _temporary(talk) and not _starttls_refused(talk):
            return f"{talk.address} is busy and asks to come later: {talk.reason}"
        return ""

    @property
    def reached(self) -> bool:
        """Whether the host answered at this address, whatever it said."""
        return self.conversation.failure not in {SmtpFailure.CONNECT, SmtpFailure.TIMEOUT}


def unresolvable(target: HostTarget) -> Finding:
    """The finding of a host without any address."""
    return Finding(
        "unresolvable",
        f"{target.host} has no address: no mail can be brought to it",
        fix=f"Give {target.host} an A or AAAA record, or take it out of the MX records and settings that name it.",
    )


def looks(
    target: HostTarget, conversed: Sequence[Conversed], limits: Limits, now: float
) -> tuple[Look, ...]:
    """A look at each address. That one of several is dead is a warning, that all are is critical."""
    dead = not any(one.reached for one in conversed if not one.ours)
    return tuple(_look(target, one, limits, now, all_dead=dead) for one in conversed)


def _look(
    target: HostTarget, one: Conversed, limits: Limits, now: float, *, all_dead: bool
) -> Look:
    address = one.conversation.address
    if one.unknown:
        return Look.unknown(address, one.unknown, weight=float(one.matters))
    found = (
        *_conversation_findings(target, one.conversation, all_dead=all_dead),
        *_encryption_findings(target, one.conversation),
        *(
            certificate.findings(target, one.conversation.tls, limits, now)
            if one.conversation.tls
            else ()
        ),
    )
    return Look.known(address, found)


def _conversation_findings(
    target: HostTarget, talk: SmtpConversation, *, all_dead: bool
) -> Iterator[Finding]:
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
        case SmtpFailure.REPLY if not _starttls_refused(talk):
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


def _encryption_findings(target: HostTarget, talk: SmtpConversation) -> Iterator[Finding]:
    where = f"{target.name} at {talk.address}"
    refused = _starttls_refused(talk)
    if talk.starttls_offered is False or refused:
        yield Finding(
            "starttls_missing",
            f"{where} {'offers STARTTLS and refuses it' if refused else 'does not offer STARTTLS'}",
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
    if talk.tls and is_outdated(talk.tls.protocol):
        yield Finding(
            "tls_outdated",
            f"{where} speaks {talk.tls.protocol} and nothing newer (RFC 8996)",
            fix="Allow TLS 1.2 and 1.3, and forbid what is older.",
            evidence=f"{talk.tls.protocol}, {talk.tls.cipher}",
        )


def _temporary(talk: SmtpConversation) -> bool:
    code = talk.reply_code
    return talk.failure is SmtpFailure.REPLY and code is not None and 400 <= code < 500  # noqa: PLR2004 - RFC 5321 §4.2.1


def _starttls_refused(talk: SmtpConversation) -> bool:
    """STARTTLS was offered and the command was answered with an error."""
    return talk.failure is SmtpFailure.REPLY and bool(talk.starttls_offered) and talk.tls is None


def samples(conversed: Sequence[Conversed]) -> Iterator[Sample]:
    """What the host's addresses show together."""
    known = [one for one in conversed if not one.unknown]
    talks = [one.conversation for one in known]
    yield Sample("smtp_up", float(any(one.reached for one in known)))
    slowest: dict[str, float] = {}
    for talk in talks:
        for phase, seconds in talk.phases.items():
            slowest[phase] = max(seconds, slowest.get(phase, 0.0))
    for phase, seconds in slowest.items():
        yield Sample("smtp_phase_duration_seconds", seconds, {"phase": phase})
    sessions = [talk.tls for talk in talks if talk.tls]
    for protocol in sorted({session.protocol for session in sessions}):
        yield Sample("tls_protocol_accepted", 1.0, {"protocol": protocol})
    ends = [session.chain[0].not_after.timestamp() for session in sessions if session.chain]
    if ends:
        yield Sample("certificate_not_after_timestamp_seconds", min(ends))
