"""Whether a domain that sends nothing says so by SPF, DMARC and MX. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from monitor.model import Finding
from monitor.protocol import dmarc, mx, spf
from monitor.protocol.dmarc import Discovery, DmarcRecord, Policy, Psd
from monitor.protocol.spf import Qualifier, SpfRecord


def goes_on_at(record: SpfRecord | None) -> str | None:
    """The domain whose record decides instead (`redirect=`), where this one lets nobody pass."""
    if record is None or any(m.qualifier is not Qualifier.FAIL for m in record.mechanisms):
        return None
    # A macro makes it depend on the mail; whoever refuses all needs none.
    return None if record.redirect is None or "%" in record.redirect else record.redirect


def of_spf(domain: str, texts: Sequence[str], decisive: SpfRecord | None) -> Finding | None:
    """The finding of the subject `spf`; `texts` are the domain's TXT texts, `decisive` the record that decides."""
    if decisive is not None and _refuses_all(decisive):
        return None
    records = [text for text in texts if spf.is_spf(text)]
    if not records:
        what = "has no SPF record"
    elif decisive is None:
        what = "has no SPF record that receivers can use"
    else:
        what = "does not refuse all mail by SPF"
    return Finding(
        "spf_open",
        f"{domain} is parked, and {what}",
        fix=f'Publish, as the only TXT record that starts with v=spf1: {domain}. IN TXT "v=spf1 -all"',
        evidence="\n".join(records),
    )


def _refuses_all(record: SpfRecord) -> bool:
    return record.all_qualifier is Qualifier.FAIL and all(
        mechanism.qualifier is Qualifier.FAIL for mechanism in record.reachable
    )


def of_dmarc(discovery: Discovery) -> Finding | None:
    """The finding of the subject `dmarc`: mail in the name of the domain or of what is below it is not rejected."""
    domain, record = discovery.domain, discovery.record
    if domain in discovery.several_at:
        what = "has several DMARC records, which receivers discard"
    elif record is None or not record.applied:
        what = "no DMARC record applies to it"
    elif lenient := _lenient(discovery, record):
        what = f"receivers do not reject all mail in its name: {lenient}"
    else:
        return None
    return Finding(
        "dmarc_open",
        f"{domain} is parked, and {what}",
        fix=f'Publish, as the only record there: _dmarc.{domain}. IN TXT "{_closed(record)}"',
        evidence=discovery.text,
    )


def _lenient(discovery: Discovery, record: DmarcRecord) -> str:
    """What of the policy is less than reject, "" where nothing is."""
    effective = dmarc.effective_policy(discovery)
    policies = {
        effective.tag if effective else "p": effective.requested if effective else Policy.NONE,
        "sp": record.policy_for_subdomains,
        "np": record.policy_for_nonexistent,
    }
    parts = [f"{tag}={policy}" for tag, policy in policies.items() if policy is not Policy.REJECT]
    return ", ".join(parts + ["t=y"] * record.testing)


def _closed(record: DmarcRecord | None) -> str:
    return dmarc.render(
        replace(
            record or DmarcRecord(),
            policy=Policy.REJECT,
            subdomain_policy=None,
            nonexistent_policy=None,
            testing=False,
            psd=Psd.UNKNOWN,
            removed_tags=(),
        )
    )


def of_mx(domain: str, records: Sequence[str], addresses: Sequence[str]) -> Finding | None:
    """The finding of the subject `mx`; `addresses` are where mail goes without MX records (RFC 5321 §5.1)."""
    judged = mx.judge(records)
    if judged.hosts:
        what = f"takes mail at {judged.hosts[0].exchange}"
    elif not judged.null and addresses:
        what = "has an address and no MX record: senders try to deliver there for days"
    else:
        return None
    return Finding(
        "mx_open",
        f"{domain} is parked, and {what}",
        fix=f"Publish, as the only MX record (RFC 7505): {domain}. IN MX 0 .",
        evidence="\n".join(records or addresses),
    )
