"""What the DMARC record that applies to a domain is worth, and what a change of it means."""

import re
from collections.abc import Iterator
from dataclasses import replace

from monitor.model import Classification, Drift, Finding, Role, Severity
from monitor.protocol import dmarc
from monitor.protocol.dmarc import Discovery, DmarcRecord, EffectivePolicy, Policy

# Receivers ignore other faults and go on (RFC 9989 §4.7); after these the policy asked for is lost.
_UNUSABLE = frozenset({"policy", "missing_policy", "duplicate_tag"})
_SEVERAL = "several records at: "
_INHERITED = re.compile(r"inherited from (\S+): ")


def findings(discovery: Discovery, own_texts: tuple[str, ...], role: Role) -> tuple[Finding, ...]:
    """All findings; `own_texts` are the TXT texts at the domain's own `_dmarc` name."""
    return tuple(_findings(discovery, own_texts, role))


def _findings(discovery: Discovery, own_texts: tuple[str, ...], role: Role) -> Iterator[Finding]:
    if discovery.domain in discovery.several_at:
        yield _several(discovery, own_texts)
    elif discovery.record is None:
        yield _missing(discovery.domain, own_texts, role)
    if discovery.record is None:
        return
    unusable = [p for p in discovery.record.problems if p.code in _UNUSABLE]
    if unusable:
        yield Finding(
            "record_unusable",
            f"receivers do not act on the DMARC record: {unusable[0].message}",
            fix=f"Correct the TXT record at _dmarc.{discovery.found_at}; a valid one is: {_advised(discovery.domain, role)}",
            evidence=discovery.text,
        )
        return
    yield from _of_syntax(discovery, discovery.record)
    policy = dmarc.effective_policy(discovery)
    if policy is not None:
        yield from _of_policy(discovery, discovery.record, policy, role)


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


def _missing(domain: str, own_texts: tuple[str, ...], role: Role) -> Finding:
    meant = [text for text in own_texts if meant_as_dmarc(text)]
    what = "; a TXT record there does not start with v=DMARC1" if meant else ""
    return Finding(
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


def _of_syntax(discovery: Discovery, record: DmarcRecord) -> Iterator[Finding]:
    if record.problems:
        yield Finding(
            "record_invalid",
            "receivers ignore a part of the DMARC record: "
            + "; ".join(problem.message for problem in record.problems),
            fix=f"Publish: {_at(discovery.found_at, record)}",
            evidence=discovery.text,
        )


def _of_policy(
    discovery: Discovery, record: DmarcRecord, policy: EffectivePolicy, role: Role
) -> Iterator[Finding]:
    domain, place = discovery.domain, discovery.found_at
    if policy.applied is Policy.NONE:
        stronger = Policy.REJECT if role is Role.PARKED else Policy.QUARANTINE
        yield Finding(
            "policy_none",
            f"{policy.tag}={policy.requested} for {domain}: receivers deliver mail that fails DMARC",
            fix=f"When the reports show that all own mail passes, publish: {_at(domain, replace(record, policy=stronger, subdomain_policy=None, nonexistent_policy=None, testing=False))}",
            evidence=discovery.text,
            # Collecting reports first is the right way in; without them it leads nowhere.
            severity=Severity.INFO if record.rua and role is not Role.PARKED else None,
        )
    elif place == domain and record.policy_for_subdomains is Policy.NONE:
        yield Finding(
            "subdomains_open",
            f"sp=none: anyone can send as a subdomain of {domain}, though {domain} itself is protected",
            fix=f"Publish: {_at(domain, replace(record, subdomain_policy=None))}",
            evidence=discovery.text,
        )
    if policy.testing:
        yield Finding(
            "testing",
            f"t=y: receivers apply {policy.applied} where {policy.requested} is asked for",
            fix=f"When the test is over, publish: {_at(place, replace(record, testing=False))}",
            evidence=discovery.text,
        )
    if not record.rua and role is not Role.PARKED:
        yield Finding(
            "no_reports",
            "no rua: nobody tells us who sends as this domain",
            fix=f"Add rua=mailto:dmarc-reports@{place} (an address that is read) to the record at _dmarc.{place}",
            evidence=discovery.text,
        )


def _at(domain: str, record: DmarcRecord) -> str:
    return f'_dmarc.{domain}. IN TXT "{dmarc.render(record)}"'


def watched(discovery: Discovery, own_texts: tuple[str, ...]) -> str:
    """The record as drift watches it: the text, after `inherited from <domain>: ` where it is not the domain's own.

    A text that is there but is no DMARC record stays visible, and so do several records, so that a
    record that was broken is told apart from one that is gone. "" where there is none.
    """
    text = " ".join(discovery.text.split())
    if not text and discovery.several_at:
        return _SEVERAL + " ".join(discovery.several_at)
    if not text:
        return " ".join(filter(meant_as_dmarc, own_texts))
    own = discovery.found_at == discovery.domain
    return text if own else f"inherited from {discovery.found_at}: {text}"


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning *for the domain*.

    Of an inherited record the `sp` is what counts, so a domain that loses its own record and falls
    back on an equally strict parent has changed, not weakened.
    """
    if dmarc.is_dmarc(_placed(accepted)[1]) and seen.startswith(_SEVERAL):
        reason = f"there are several records now ({seen}): receivers discard all of them"
        return Drift(Classification.BROKEN, reason)
    (before_place, before), (after_place, after) = _placed(accepted), _placed(seen)
    drift = dmarc.classify(before, after)
    if drift is None and before_place != after_place:
        moved = f"the record of {after_place} applies" if after_place else "its own record applies"
        return Drift(Classification.CHANGED, f"the same policy, but now {moved}")
    return drift


def _placed(state: str) -> tuple[str, str]:
    """Where a watched record stands ("" for the domain's own) and its text as the domain's own would read."""
    found = _INHERITED.match(state)
    if found is None:
        return "", state
    text = state[found.end() :]
    record = dmarc.read(text) if dmarc.is_dmarc(text) else None
    if record is None or any(problem.code in _UNUSABLE for problem in record.problems):
        return found[1], text
    as_own = replace(record, policy=record.policy_for_subdomains, subdomain_policy=None)
    return found[1], dmarc.render(as_own)
