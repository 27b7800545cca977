"""What a domain's MTA-STS record and policy are worth. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from monitor.check import Certificate, HttpsFailure, HttpsReply
from monitor.model import Finding, Severity
from monitor.protocol import mta_sts
from monitor.protocol.mta_sts import Mode, StsPolicy, StsPolicyError, StsRecord, StsRecordError
from monitor.protocol.tls import names_match

SHORT_MAX_AGE = 86400
"""Below this a sender that delivers once a day never has a policy to hold on to (RFC 8461 §3.2, §10.2)."""

_DAY = 86400
_OK = 200
_LONGEST_EVIDENCE = 2000
_ADVISED_MAX_AGE = 7 * _DAY
_EXPIRING = 7 * _DAY
_EXPIRING_SHARE = 1 / 8


def policy_url(domain: str) -> str:
    """Where senders fetch the policy (RFC 8461 §3.3)."""
    return f"https://mta-sts.{domain}/.well-known/mta-sts.txt"


def usable(texts: Sequence[str]) -> StsRecord | None:
    """The one record that senders act on; None where there is none, several, or an invalid one."""
    records = [text for text in texts if mta_sts.is_record(text)]
    try:
        return mta_sts.parse_record(records[0]) if len(records) == 1 else None
    except StsRecordError:
        return None


def is_absent(texts: Sequence[str]) -> bool:
    """Whether there is no record, nor anything that was meant as one."""
    return not any(map(_meant, texts))


def _meant(text: str) -> bool:
    return "stsv1" in text[:16].lower()


# --- the record ------------------------------------------------------------------------------------


def of_record(
    domain: str, texts: Sequence[str], hosts: Sequence[str] | None, now: float
) -> tuple[Finding, ...]:
    """Findings of the subject `record`; `texts` are all TXT texts at `_mta-sts`.

    `hosts` are the domain's MX hosts, best first, None where they are not known; `now` is in seconds
    since the epoch.
    """
    records = [text for text in texts if mta_sts.is_record(text)]
    if len(records) > 1:
        return (_several(domain, records),)
    if not records and is_absent(texts):
        # Who takes no mail has nothing to protect.
        return () if hosts is not None and not hosts else (_missing(domain, hosts or (), now),)
    text = records[0] if records else next(filter(_meant, texts))
    try:
        record = mta_sts.parse_record(text)
    except StsRecordError as error:
        return (_record_invalid(domain, text, error, now),)
    return tuple(_of_valid_record(domain, record, text))


def _several(domain: str, records: Sequence[str]) -> Finding:
    return Finding(
        "several_records",
        f"{len(records)} MTA-STS records at _mta-sts.{domain}: senders take none of them (RFC 8461 §3.1)",
        fix=f"Leave one TXT record that starts with `v=STSv1;` at _mta-sts.{domain}",
        evidence="\n".join(records),
    )


def _missing(domain: str, hosts: Sequence[str], now: float) -> Finding:
    lines = ["version: STSv1", "mode: testing"]
    lines += [f"mx: {host}" for host in hosts or (f"<each MX host of {domain}>",)]
    lines.append(f"max_age: {_ADVISED_MAX_AGE}")
    policy = ", ".join(f"`{line}`" for line in lines)
    return Finding(
        "missing",
        f"{domain} has no MTA-STS policy: who sits in between can have its mail delivered in the clear",
        fix=(
            f"Serve at {policy_url(domain)} as text/plain, a line each: {policy}. "
            f"Then publish: {_record(domain, now)}, and a TLS-RPT record. "
            "When the reports show no failures: `mode: enforce`, and a new id"
        ),
    )


def _record_invalid(domain: str, text: str, error: StsRecordError, now: float) -> Finding:
    return Finding(
        "record_invalid",
        f"senders take nothing of the MTA-STS record of {domain}: {error.message} "
        f"(character {error.offset + 1})",
        fix=f"Publish: {_record(domain, now)}",
        evidence=text,
    )


def _of_valid_record(domain: str, record: StsRecord, text: str) -> Iterator[Finding]:
    if record.problems:
        yield Finding(
            "untidy",
            "; ".join(problem.message for problem in record.problems),
            fix=f'Publish: _mta-sts.{domain}. IN TXT "v=STSv1; id={record.id};"',
            evidence=text,
        )


def _record(domain: str, now: float) -> str:
    return (
        f'_mta-sts.{domain}. IN TXT "v=STSv1; id={datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S};"'
    )


# --- the policy ------------------------------------------------------------------------------------


def read_policy(domain: str, reply: HttpsReply) -> StsPolicy | Finding:
    """The policy that a reply brought, or why senders have none, in the words of RFC 8460 §4.3.2.2."""
    if reply.failure is HttpsFailure.TLS:
        return _webpki_invalid(domain, reply)
    if reply.failure is not None or reply.status != _OK:
        return _fetch_error(domain, reply)
    try:
        return mta_sts.parse_policy(reply.body)
    except StsPolicyError as error:
        return Finding(
            "policy_invalid",
            f"senders must not apply the MTA-STS policy of {domain} (sts-policy-invalid): {error.message}",
            fix=f"Correct {reply.url} at that place, then give the record at _mta-sts.{domain} a new id",
            evidence=_text(reply),
        )


def _text(reply: HttpsReply) -> str:
    return reply.body[:_LONGEST_EVIDENCE].decode("utf-8", "backslashreplace")


def without_address(domain: str) -> Finding:
    """The finding of a record whose policy host is not in the DNS."""
    return Finding(
        "policy_fetch_error",
        f"senders cannot fetch the MTA-STS policy of {domain} (sts-policy-fetch-error): "
        f"mta-sts.{domain} has no address",
        fix=f"Publish an A, AAAA or CNAME record for mta-sts.{domain}, {_or_withdraw(domain)}",
    )


def _fetch_error(domain: str, reply: HttpsReply) -> Finding:
    if reply.failure is not None:
        what = reply.reason or reply.failure
    elif reply.location:
        what = f"it redirects ({reply.status}), which senders do not follow (RFC 8461 §3.3)"
    else:
        what = f"it answers {reply.status}"
    return Finding(
        "policy_fetch_error",
        f"senders cannot fetch the MTA-STS policy of {domain} (sts-policy-fetch-error): {what}",
        fix=f"Have {reply.url} answer 200 with the policy itself, {_or_withdraw(domain)}",
        evidence=f"{reply.url}: {what}"
        + (f"\nLocation: {reply.location}" if reply.location else ""),
    )


def _webpki_invalid(domain: str, reply: HttpsReply) -> Finding:
    host = f"mta-sts.{domain}"
    leaf = reply.tls.chain[0] if reply.tls and reply.tls.chain else None
    if leaf is not None and not names_match(host, leaf.names):
        what = f"its certificate does not name {host}"
    else:
        what = (reply.tls and reply.tls.untrusted) or reply.reason or "TLS does not come about"
    return Finding(
        "webpki_invalid",
        f"senders do not trust the policy host of {domain} (sts-webpki-invalid): {what}",
        fix=(
            f"Give {host} a valid certificate of a public authority that names {host}, with its whole "
            f"chain, {_or_withdraw(domain)}"
        ),
        evidence="\n".join(filter(None, [reply.reason, _described(leaf) if leaf else ""])),
    )


def _or_withdraw(domain: str) -> str:
    return f"or withdraw the policy as RFC 8461 §8.3 says (first `mode: none`, then remove _mta-sts.{domain})"


def _described(leaf: Certificate) -> str:
    return (
        f"names: {', '.join(leaf.names) or 'none'}; issuer: {leaf.issuer}; "
        f"not after: {leaf.not_after.isoformat()}"
    )


def of_policy(domain: str, policy: StsPolicy, reply: HttpsReply, now: float) -> tuple[Finding, ...]:
    """Findings of the subject `policy` that senders can read; `now` in seconds since the epoch."""
    return tuple(_of_policy(domain, policy, reply, now))


def _of_policy(domain: str, policy: StsPolicy, reply: HttpsReply, now: float) -> Iterator[Finding]:
    evidence = _text(reply)
    new_id = f"and give the record at _mta-sts.{domain} a new id"
    if policy.mode is not Mode.ENFORCE:
        yield Finding(
            f"mode_{policy.mode}",
            {
                Mode.TESTING: "`mode: testing`: senders report failures, and deliver all the same",
                Mode.NONE: f"`mode: none`: senders deliver to {domain} as if it had no policy",
            }[policy.mode],
            fix=f"When the TLS reports show no failures, set `mode: enforce` in {reply.url} {new_id}",
            evidence=evidence,
        )
    if policy.mode is Mode.ENFORCE and policy.max_age < SHORT_MAX_AGE:
        yield Finding(
            "max_age_short",
            f"senders forget the policy of {domain} after {policy.max_age} seconds: who can suppress it "
            "once has the mail delivered in the clear",
            fix=f"Set `max_age: {_ADVISED_MAX_AGE}` or more in {reply.url} {new_id}",
            evidence=evidence,
        )
    if policy.problems:
        yield Finding(
            "untidy",
            "; ".join(problem.message for problem in policy.problems),
            fix=f"Correct these lines of {reply.url}",
            evidence=evidence,
        )
    if not mta_sts.is_plain_text(reply.content_type):
        yield Finding(
            "content_type",
            f"the policy of {domain} comes as `{reply.content_type or 'nothing'}`: senders should refuse "
            "all but text/plain (RFC 8461 §3.2)",
            fix=f"Have {reply.url} answer with `Content-Type: text/plain`",
            evidence=f"Content-Type: {reply.content_type}",
        )
    if reply.tls and reply.tls.chain:
        yield from _expiring(domain, reply.tls.chain[0], now)


def _expiring(domain: str, leaf: Certificate, now: float) -> Iterator[Finding]:
    end = leaf.not_after.timestamp()
    life = end - leaf.not_before.timestamp()
    if end - now <= min(_EXPIRING, life * _EXPIRING_SHARE):
        yield Finding(
            "certificate_expiring",
            f"the certificate of mta-sts.{domain} ends in {(end - now) / _DAY:.1f} days, "
            f"on {leaf.not_after:%Y-%m-%d %H:%M} UTC; then senders can fetch no policy",
            fix="Renew it and have the policy host load it; then find out why the renewal did not run",
            evidence=_described(leaf),
        )


# --- the hosts -------------------------------------------------------------------------------------


def of_hosts(domain: str, policy: StsPolicy, hosts: Sequence[str]) -> tuple[Finding, ...]:
    """Findings of the subject `mx`: the MX hosts that the policy does not name.

    Senders skip such a host (§5.1): mail is lost where none is left, and else waits when the rest is down.
    """
    unnamed = [host for host in hosts if not policy.names(host)]
    if policy.mode is Mode.NONE or not unnamed:
        return ()
    everyone = len(unnamed) == len(hosts)
    refused = policy.mode is Mode.ENFORCE
    which = f"{'no MX host' if everyone else 'not every MX host'} of {domain} is named in its MTA-STS policy"
    if not refused:
        what = "senders report it, and will not deliver there once the mode is `enforce`"
    elif everyone:
        what = "senders that enforce it deliver no mail"
    else:
        what = f"senders that enforce it never deliver to {', '.join(unnamed)}"
    lines = ", ".join(f"`mx: {host}`" for host in unnamed)
    return (
        Finding(
            "mx_unmatched",
            f"{which}: {what}",
            fix=(
                f"Add {lines} to {policy_url(domain)}, and give the record at _mta-sts.{domain} a new id; "
                f"senders that have the old policy keep it until they see the id. Or take the hosts out of "
                f"the MX records"
            ),
            evidence=f"MX: {', '.join(hosts)}\npolicy: {', '.join(policy.mx)}",
            severity=Severity.CRITICAL if refused and everyone else None,
        ),
    )
