"""The SPF record of a domain, the tree of its includes, and whether each sender may send (RFC 7208)."""

import asyncio
from typing import ClassVar

from checks.spf import drift, evaluate, senders, tree
from monitor.check import About, Code, Gauge, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Look,
    Outcome,
    Sample,
    SenderTarget,
    Severity,
)
from monitor.protocol import spf
from monitor.protocol.spf import SpfRecord

_RECORD = "record"
_LOOKUPS = "lookups"
_TERMS = "terms"


class SpfCheck:
    """Looks at the record and, apart from it, at what it leads to; and evaluates it for each sender."""

    about: ClassVar[About] = About(
        name="spf",
        title="SPF record, lookups and senders",
        targets=(DomainTarget, SenderTarget),
        applies=senders.applies,
        interval=1800.0,
        codes=(
            Code("record_invalid", Severity.CRITICAL, "receivers answer permerror to the record"),
            Code("several_records", Severity.CRITICAL, "more than one record: permerror"),
            Code("include_dead", Severity.CRITICAL, "an included domain has no record: permerror"),
            Code("include_broken", Severity.CRITICAL, "an included record makes a permerror"),
            Code("too_many_lookups", Severity.CRITICAL, "more than ten DNS lookups: permerror"),
            Code("pass_all", Severity.CRITICAL, "every server of the world may send"),
            Code("sender_not_authorised", Severity.CRITICAL, "a sender's address does not pass"),
            Code("record_vanished", Severity.CRITICAL, "the record is gone"),
            Code("record_broken", Severity.CRITICAL, "the accepted record was usable, this is not"),
            Code("record_missing", Severity.WARNING, "no SPF record"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("policy_weakened", Severity.WARNING, "`all` is more lenient than accepted"),
            Code("many_lookups", Severity.WARNING, "nine or ten DNS lookups"),
            Code("void_lookups", Severity.WARNING, "more than two lookups find nothing"),
            Code("no_all", Severity.WARNING, "nothing is said of everyone else"),
            Code("neutral_all", Severity.WARNING, "`?all` says nothing of everyone else"),
            Code("platform_not_included", Severity.WARNING, "a sender's platform may not send"),
            Code("record_long", Severity.INFO, "may not fit into one DNS answer"),
            Code("ptr_used", Severity.INFO, "`ptr` is discouraged"),
            Code("undeclared_platform", Severity.INFO, "a platform may send that nobody declared"),
            Code("record_changed", Severity.INFO, "other senders than accepted"),
            Code("policy_strengthened", Severity.INFO, "`all` is stricter than accepted"),
        ),
        gauges=(
            Gauge(
                "spf_dns_lookups",
                "DNS lookups that evaluating the SPF record costs at worst; receivers do ten.",
                labels=("domain",),
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

    async def run(self, target: DomainTarget | SenderTarget, world: World) -> Outcome:
        """Looks at a domain's record; or at each envelope domain of a sender."""
        if isinstance(target, SenderTarget):
            return Outcome(await senders.looks(target, world))
        answer, _ = await asyncio.gather(
            world.authorities.ask(target.name, "TXT", watched=spf.is_spf),
            tree.ask_ahead(target.name, world),
        )
        if not answer.known:
            looks = tuple(
                Look.unknown(subject, answer.blindness) for subject in (_RECORD, _LOOKUPS)
            )
            # Whether the record has terms that ask for anything is not known either: what was known stays.
            return Outcome(looks, incomplete=answer.blindness)
        texts = tuple(filter(spf.is_spf, answer.records))
        record = spf.usable_record(texts)
        watched = Look.known(
            _RECORD,
            evaluate.of_record(target, answer.records),
            record=drift.watched(texts),
            disputed=answer.disagreement,
        )
        if record is None:
            return Outcome((watched, Look.known(_LOOKUPS)))
        below = [_lookups(target.name, texts[0], record, world)]
        if tree.asking(record):
            below.append(_terms(target.name, texts[0], record, world))
        return Outcome((watched, *await asyncio.gather(*below)))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the record differs from the accepted one in meaning, None where it does not."""
        return drift.classify(accepted, seen)


async def _lookups(domain: str, text: str, record: SpfRecord, world: World) -> Look:
    found = await tree.walk(domain, record, world)
    findings = evaluate.of_tree(domain, text, record, found)
    if found.count.unanswered:
        # What is already wrong stays wrong whatever the rest says; the number is not known.
        proven = found.count.too_many or found.count.problems
        return Look.known(_LOOKUPS, findings) if proven else Look.unknown(_LOOKUPS, found.blindness)
    samples = (Sample("spf_dns_lookups", float(found.count.lookups)),)
    return Look.known(_LOOKUPS, findings, samples=samples)


async def _terms(domain: str, text: str, record: SpfRecord, world: World) -> Look:
    void = await tree.void(domain, record, world)
    findings = evaluate.of_terms(domain, text, void)
    if void.blindness and not findings:
        return Look.unknown(_TERMS, void.blindness)
    return Look.known(_TERMS, findings)
