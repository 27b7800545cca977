"""What the certificate of a link host is worth: its time, its names, who issued it."""

from collections.abc import Iterator

from monitor.check import Certificate, TlsSession
from monitor.check.certificates import Limits
from monitor.model import Finding
from monitor.protocol.tls import names_match

_DAY = 86400.0


def findings(host: str, tls: TlsSession, limits: Limits, now: float) -> Iterator[Finding]:
    """What is wrong with the certificate that a host presents; `now` in seconds since the epoch.

    Of one for another name only that is told: https links to the host never worked, so nothing ends.
    """
    if not tls.chain:
        return
    leaf = tls.chain[0]
    evidence = f"names: {', '.join(leaf.names) or 'none'}; issuer: {leaf.issuer}"
    if not names_match(host, leaf.names):
        yield Finding(
            "certificate_name_mismatch",
            f"{host} presents a certificate for another name: https links to it are refused by every browser",
            fix=(
                f"Switch on SSL (a branded link with https) for {host} where the platform is configured, "
                f"or put a proxy with a certificate for {host} before it."
            ),
            evidence=evidence,
        )
        return
    expiry = _expiry(host, leaf, limits, now)
    if expiry:
        yield expiry
    # Of one that has ended, that it has ended is all there is to say.
    if tls.untrusted and not (expiry and expiry.code == "certificate_expired"):
        yield Finding(
            "certificate_untrusted",
            f"the certificate of {host} is not trusted ({tls.untrusted}): browsers refuse https links to it",
            fix=f"Issue a certificate for {host} by a public authority, and serve it with its whole chain.",
            evidence=evidence,
        )


def _expiry(host: str, leaf: Certificate, limits: Limits, now: float) -> Finding | None:
    end = leaf.not_after.timestamp()
    day = f"{leaf.not_after:%Y-%m-%d %H:%M} UTC"
    fix = (
        f"Renew the certificate of {host} where it is issued (the platform, or the proxy before it). A platform "
        f"that renews by itself does so only while {host} leads to it, and no CAA record forbids its authority."
    )
    evidence = f"issuer: {leaf.issuer}; not after: {leaf.not_after.isoformat()}"
    if end <= now:
        summary = (
            f"the certificate of {host} expired on {day}: links in mail already sent do not open"
        )
        return Finding("certificate_expired", summary, fix=fix, evidence=evidence)
    severity = limits.severity(leaf, now)
    if severity is None:
        return None
    return Finding(
        "certificate_expiring",
        f"the certificate of {host} ends in {(end - now) / _DAY:.1f} days, on {day}: then no link in our mail opens",
        fix=fix,
        evidence=evidence,
        severity=severity,
    )
