"""The DMARC record of a domain: found as receivers find it, judged, and watched (RFC 9989)."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from checks.dmarc import alignment, drift, evaluate, reports
from monitor.check import About, Code, DnsAnswer, Gauge, Question, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Finding,
    Look,
    Outcome,
    Sample,
    Severity,
)
from monitor.protocol import dmarc
from monitor.protocol.dmarc import Discovery

_SUBJECT = "record"


class DmarcCheck:
    """Looks for the record that applies to a domain by the tree walk of RFC 9989 §4.10."""

    about: ClassVar[About] = About(
        name="dmarc",
        title="DMARC record and policy",
        targets=DomainTarget,
        interval=900.0,
        codes=(
            Code("policy_weakened", Severity.CRITICAL, "the policy protects less than accepted"),
            Code("record_vanished", Severity.CRITICAL, "the record is gone"),
            Code("record_broken", Severity.CRITICAL, "receivers no longer act on the record"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("record_changed", Severity.INFO, "the record changed, its protection did not"),
            Code("policy_strengthened", Severity.INFO, "the policy protects more than accepted"),
            Code("record_unusable", Severity.CRITICAL, "receivers do not act on the record"),
            Code("several_records", Severity.CRITICAL, "more than one record: all are discarded"),
            Code("record_missing", Severity.WARNING, "no record applies to the domain"),
            Code("record_invalid", Severity.WARNING, "receivers ignore a part of the record"),
            Code("policy_none", Severity.WARNING, "mail that fails DMARC is delivered"),
            Code("subdomains_open", Severity.WARNING, "subdomains are not protected"),
            Code("psd_claimed", Severity.WARNING, "psd=y on what is no public suffix"),
            Code("report_not_authorised", Severity.WARNING, "a destination takes no reports"),
            Code("reports_undeliverable", Severity.WARNING, "a destination takes no mail"),
            Code("sender_not_aligned", Severity.WARNING, "mail of a sender fails DMARC"),
            Code("envelope_not_aligned", Severity.INFO, "a sender rests on DKIM alone"),
            Code("organizational_domain_differs", Severity.INFO, "receivers differ in whose it is"),
            Code("tag_removed", Severity.INFO, "a tag that RFC 9989 removed"),
            Code("testing", Severity.INFO, "t=y: one policy level less is applied"),
            Code("no_reports", Severity.INFO, "no aggregate reports are asked for"),
        ),
        gauges=(
            Gauge(
                "dmarc_policy",
                "1 for the DMARC policy in force for the domain; absent where no DMARC is applied.",
                labels=("domain", "policy"),
            ),
        ),
        absent=("record_missing",),
        drift_codes={
            Classification.WEAKENED: "policy_weakened",
            Classification.VANISHED: "record_vanished",
            Classification.BROKEN: "record_broken",
            Classification.CHANGED: "record_changed",
            Classification.STRENGTHENED: "policy_strengthened",
            Classification.INCONSISTENT: "record_inconsistent",
        },
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at `record`, one at each host that reports go to, and one at `alignment`."""
        own, *parents = await _walk(target.name, world)
        texts = {a.question.name: a.records if a.known else None for a in (own, *parents)}
        discovery = dmarc.discover(target.name, texts)
        blind = _blindness(own, parents)
        if blind:
            looks = (Look.unknown(_SUBJECT, blind), Look.unknown(alignment.SUBJECT, blind))
            # Where reports go is not known; what was known of it stays.
            return Outcome(looks, incomplete=blind)
        to_hosts, aligned = await asyncio.gather(
            reports.looks(discovery, world), alignment.look(target, discovery, world)
        )
        return Outcome((_record(target, discovery, own), *to_hosts, aligned))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the record differs from the accepted one in meaning, None where it does not."""
        return drift.classify(accepted, seen)


async def _walk(domain: str, world: World) -> list[DnsAnswer]:
    """The answers of the tree walk; the domain's own, which is watched, by its authoritative servers."""
    first, *above = dmarc.tree_walk(domain)
    own, parents = await asyncio.gather(
        world.authorities.ask(first, "TXT"),
        world.dns.ask_many([Question(name, "TXT") for name in above]),
    )
    return [own, *parents]


def _blindness(own: DnsAnswer, parents: list[DnsAnswer]) -> str:
    """Why it is not known which record applies, "" where it is.

    The domain's own record applies, whatever stands above it (RFC 9989 §4.10.1).
    """
    if not own.known:
        return own.blindness
    if sum(map(dmarc.is_dmarc, own.records)) == 1:
        return ""
    return next((answer.blindness for answer in parents if not answer.known), "")


def _record(target: DomainTarget, discovery: Discovery, own: DnsAnswer) -> Look:
    policy = dmarc.effective_policy(discovery)
    in_force = policy.applied.value if policy else "absent"
    return Look.known(
        _SUBJECT,
        tuple(
            _at_alias(own, found)
            for found in evaluate.findings(discovery, own.records, target.role)
        ),
        samples=(Sample("dmarc_policy", 1.0, {"policy": in_force}),),
        record=drift.watched(discovery, own.records),
        disputed=own.disagreement,
    )


def _at_alias(own: DnsAnswer, found: Finding) -> Finding:
    """The finding with whose record it is, where the name is an alias to somebody who keeps it for us."""
    name, end = own.question.name, own.canonical_name
    kept = any(map(dmarc.is_dmarc, own.records))
    # Without a record there a wildcard of the zone answered: one of its own takes its place.
    if not kept or end in {"", name} or f"{name}." not in found.fix:
        return found
    return replace(found, fix=f"{found.fix} ({name} is an alias: change it at {end})")
