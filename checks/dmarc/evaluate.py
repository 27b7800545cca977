"""What the DMARC record that applies to a domain is worth."""

from collections.abc import Iterator
from dataclasses import replace

from monitor.model import Finding, Role, Severity
from monitor.protocol import dmarc, psl
from monitor.protocol.dmarc import Discovery, DmarcRecord, EffectivePolicy, Policy, Psd

# Receivers ignore other faults and go on (RFC 9989 §4.7); after these the policy asked for is lost.
UNUSABLE = frozenset({"policy", "missing_policy", "duplicate_tag"})


def findings(discovery: Discovery, own_texts: tuple[str, ...], role: Role) -> tuple[Finding, ...]:
    """All findings; `own_texts` are the TXT texts at the domain's own `_dmarc` name.

    Of a parked domain only what is wrong with the record itself: what it should ask for is told by
    the check `parked`.
    """
    return tuple(_findings(discovery, own_texts, role))


def _findings(discovery: Discovery, own_texts: tuple[str, ...], role: Role) -> Iterator[Finding]:
    if discovery.domain in discovery.several_at:
        yield _several(discovery, own_texts)
    elif discovery.record is None:
        yield from _missing(discovery.domain, own_texts, role)
    if discovery.record is None:
        return
    unusable = [p for p in discovery.record.problems if p.code in UNUSABLE]
    if unusable:
        yield Finding(
            "record_unusable",
            f"receivers do not act on the DMARC record: {unusable[0].message}",
            fix=f"Correct the TXT record at _dmarc.{discovery.found_at}; a valid one is: {_advised(discovery.domain, role)}",
            evidence=discovery.text,
        )
        return
    policy = dmarc.effective_policy(discovery)
    yield from _of_text(discovery, discovery.record, policy)
    if role is Role.PARKED:
        return
    if policy is not None:
        yield from _of_policy(discovery, discovery.record, policy)
    yield from _of_reports(discovery, discovery.record)


def _several(discovery: Discovery, own_texts: tuple[str, ...]) -> Finding:
    records = [text for text in own_texts if dmarc.is_dmarc(text)]
    wanted = max((dmarc.read(text).policy for text in records), key=lambda p: p.strength)
    return Finding(
        "several_records",
        f"{len(records)} DMARC records at _dmarc.{discovery.domain}: receivers discard all of them",
        fix=f"Leave one TXT record that starts with v=DMARC1 at _dmarc.{discovery.domain} and remove the others",
        evidence="\n".join(records),
        # Where no record asks for anything, nothing is lost with them.
        severity=Severity.WARNING if wanted is Policy.NONE else None,
    )


def _missing(domain: str, own_texts: tuple[str, ...], role: Role) -> Iterator[Finding]:
    meant = [text for text in own_texts if meant_as_dmarc(text)]
    if role is Role.PARKED and not meant:
        return
    what = "; a TXT record there does not start with v=DMARC1" if meant else ""
    yield Finding(
        "record_missing",
        f"no DMARC record applies to {domain}{what}: anyone can send as it unnoticed",
        fix=f"Publish: {_advised(domain, role)}",
        evidence="\n".join(meant),
    )


def meant_as_dmarc(text: str) -> bool:
    """Whether a TXT text was probably published as a DMARC record, valid or not."""
    return "dmarc" in text[:16].lower()


def _advised(domain: str, role: Role) -> str:
    if role is Role.PARKED:
        return f'_dmarc.{domain}. IN TXT "v=DMARC1; p=reject"'
    return f'_dmarc.{domain}. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@{domain}"'


def _of_text(
    discovery: Discovery, record: DmarcRecord, policy: EffectivePolicy | None
) -> Iterator[Finding]:
    place = discovery.found_at
    if record.problems:
        yield Finding(
            "record_invalid",
            "receivers ignore a part of the DMARC record: "
            + "; ".join(problem.message for problem in record.problems),
            fix=f"Publish: {_at(place, record)}",
            evidence=discovery.text,
        )
    if record.removed_tags:
        yield _tags_removed(discovery, record, policy)
    if record.psd is Psd.YES and psl.public_suffix(place) != place:
        yield Finding(
            "psd_claimed",
            f"psd=y says that anyone may register names below {place}, which is no public suffix: "
            f"mail of its subdomains does not align with {place}, nor with each other",
            fix=f"Publish: {_at(place, replace(record, psd=Psd.UNKNOWN))}",
            evidence=discovery.text,
        )


def _tags_removed(
    discovery: Discovery, record: DmarcRecord, policy: EffectivePolicy | None
) -> Finding:
    names = ", ".join(name for name, _ in record.removed_tags)
    partial = record.percentage < 100 and policy and policy.applied is not Policy.NONE  # noqa: PLR2004
    consequence = (
        f"; receivers that still follow RFC 7489 apply the policy to {record.percentage} % of the mail that fails"
        if partial
        else ""
    )
    return Finding(
        "tag_removed",
        f"RFC 9989 removed {names} from DMARC: receivers that follow it ignore that{consequence}",
        fix=f"Publish: {_at(discovery.found_at, replace(record, removed_tags=()))}",
        evidence=discovery.text,
        severity=Severity.WARNING if partial else None,
    )


def _of_policy(
    discovery: Discovery, record: DmarcRecord, policy: EffectivePolicy
) -> Iterator[Finding]:
    domain, place = discovery.domain, discovery.found_at
    if policy.applied is Policy.NONE:
        stronger = replace(
            record,
            policy=Policy.QUARANTINE,
            subdomain_policy=None,
            nonexistent_policy=None,
            testing=False,
        )
        yield Finding(
            "policy_none",
            f"{policy.tag}={policy.requested} for {domain}: receivers deliver mail that fails DMARC",
            fix=f"When the reports show that all own mail passes, publish: {_at(domain, stronger)}",
            evidence=discovery.text,
            # Collecting reports first is the right way in; without them it leads nowhere.
            severity=Severity.INFO if record.rua else None,
        )
    elif place == domain:
        yield from _of_subdomains(discovery, record)
    if policy.testing:
        yield Finding(
            "testing",
            f"t=y: receivers apply {policy.applied} where {policy.requested} is asked for",
            fix=f"When the test is over, publish: {_at(place, replace(record, testing=False))}",
            evidence=discovery.text,
        )


def _of_subdomains(discovery: Discovery, record: DmarcRecord) -> Iterator[Finding]:
    """`np` speaks for names that are not in the DNS, `sp` for the others and where there is no `np`."""
    domain = discovery.domain
    if record.policy_for_subdomains is Policy.NONE:
        tag, whom = "sp", f"a subdomain of {domain}"
        better = replace(record, subdomain_policy=None)
    elif record.policy_for_nonexistent is Policy.NONE:
        tag, whom = "np", f"any name below {domain} that does not exist"
        better = replace(record, nonexistent_policy=None)
    else:
        return
    yield Finding(
        "subdomains_open",
        f"{tag}=none: anyone can send as {whom}, though {domain} itself is protected",
        fix=f"Publish: {_at(domain, better)}",
        evidence=discovery.text,
    )


def _of_reports(discovery: Discovery, record: DmarcRecord) -> Iterator[Finding]:
    if any(uri.scheme == "mailto" for uri in record.rua):
        return
    what = (
        "rua names no mail address, and receivers send to nothing else" if record.rua else "no rua"
    )
    yield Finding(
        "no_reports",
        f"{what}: nobody tells us who sends as this domain",
        fix=f"Add rua=mailto:dmarc-reports@{discovery.found_at} (an address that is read) to the record at _dmarc.{discovery.found_at}",
        evidence=discovery.text,
    )


def _at(domain: str, record: DmarcRecord) -> str:
    return f'_dmarc.{domain}. IN TXT "{dmarc.render(record)}"'
