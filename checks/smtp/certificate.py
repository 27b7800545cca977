"""What a host's certificate is worth: its time, its names, who issued it."""

from collections.abc import Iterator

from monitor.check import Certificate, Code, TlsSession
from monitor.check.certificates import Limits
from monitor.model import Finding, HostTarget, Severity
from monitor.protocol.tls import names_match

CODES = (
    Code("certificate_expired", Severity.CRITICAL, "the certificate has ended"),
    Code("certificate_expiring", Severity.CRITICAL, "the certificate is about to end"),
    Code("certificate_name_mismatch", Severity.WARNING, "the certificate names another host"),
    Code("certificate_untrusted", Severity.WARNING, "nobody trusted issued the certificate"),
)


def findings(target: HostTarget, tls: TlsSession, limits: Limits, now: float) -> Iterator[Finding]:
    """What is wrong with the certificate of a session; `now` in seconds since the epoch."""
    if not tls.chain:
        return
    leaf = tls.chain[0]
    expiry = _expiry(target, leaf, limits, now)
    if expiry:
        yield expiry
    if not names_match(target.host, leaf.names):
        yield Finding(
            "certificate_name_mismatch",
            f"the certificate of {target.name} does not name {target.host}",
            fix=f"Issue a certificate whose names include {target.host}: MTA-STS and strict senders refuse others.",
            evidence=f"names: {', '.join(leaf.names) or 'none'}",
        )
    # Of one that has ended, that it has ended is all there is to say.
    if (
        tls.untrusted
        and not tls.no_authorities
        and not (expiry and expiry.code == "certificate_expired")
    ):
        yield Finding(
            "certificate_untrusted",
            f"the certificate of {target.name} is not trusted: {tls.untrusted}",
            fix=(
                "Use a certificate of a public authority and send its whole chain. "
                "A self-signed one is enough only where a signed TLSA record (DANE) names it."
            ),
            evidence=f"subject: {leaf.subject}; issuer: {leaf.issuer}",
        )


def _expiry(target: HostTarget, leaf: Certificate, limits: Limits, now: float) -> Finding | None:
    end = leaf.not_after.timestamp()
    day = f"{leaf.not_after:%Y-%m-%d %H:%M} UTC"
    fix = "Renew it and have the mail server load it; then find out why the renewal did not run."
    evidence = (
        f"subject: {leaf.subject}; issuer: {leaf.issuer}; not after: {leaf.not_after.isoformat()}"
    )
    if end <= now:
        return Finding(
            "certificate_expired",
            f"the certificate of {target.name} expired on {day}",
            fix=fix,
            evidence=evidence,
        )
    severity = limits.severity(leaf, now)
    if severity is None:
        return None
    return Finding(
        "certificate_expiring",
        f"the certificate of {target.name} ends in {(end - now) / 86400:.1f} days, on {day}",
        fix=fix,
        evidence=evidence,
        severity=severity,
    )
