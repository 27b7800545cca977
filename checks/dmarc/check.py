"""The DMARC record of a domain: found as receivers find it, judged, and watched (RFC 9989)."""

from typing import ClassVar

from checks.dmarc import evaluate
from monitor.check import About, Code, DnsAnswer, Gauge, Question, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Look,
    Outcome,
    Sample,
    Severity,
)
from monitor.protocol import dmarc

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
            Code("record_changed", Severity.INFO, "the record changed, its protection did not"),
            Code("policy_strengthened", Severity.INFO, "the policy protects more than accepted"),
            Code("record_unusable", Severity.CRITICAL, "receivers do not act on the record"),
            Code("several_records", Severity.CRITICAL, "more than one record: all are discarded"),
            Code("record_missing", Severity.WARNING, "no record applies to the domain"),
            Code("record_invalid", Severity.WARNING, "receivers ignore a part of the record"),
            Code("policy_none", Severity.WARNING, "mail that fails DMARC is delivered"),
            Code("subdomains_open", Severity.WARNING, "subdomains are not protected"),
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
        drift_codes={
            Classification.WEAKENED: "policy_weakened",
            Classification.VANISHED: "record_vanished",
            Classification.BROKEN: "record_broken",
            Classification.CHANGED: "record_changed",
            Classification.STRENGTHENED: "policy_strengthened",
        },
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at the subject `record`."""
        answers = await _walk(target.name, world)
        blind = [a for a in answers if not a.known]
        texts = {a.question.name: a.records if a.known else None for a in answers}
        discovery = dmarc.discover(target.name, texts)
        if blind:
            return Outcome((Look.unknown(_SUBJECT, blind[0].blindness),))
        own_texts = answers[0].records
        policy = dmarc.effective_policy(discovery)
        in_force = policy.applied.value if policy else "absent"
        return Outcome(
            (
                Look.known(
                    _SUBJECT,
                    evaluate.findings(discovery, own_texts, target.role),
                    samples=(Sample("dmarc_policy", 1.0, {"policy": in_force}),),
                    record=evaluate.watched(discovery, own_texts),
                ),
            )
        )

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the record differs from the accepted one in meaning, None where it does not."""
        return evaluate.classify(accepted, seen)


async def _walk(domain: str, world: World) -> list[DnsAnswer]:
    """The answers of the tree walk; only the first where the domain has a record of its own.

    That one applies whatever stands above it (RFC 9989 §4.10.1).
    """
    first, *parents = dmarc.tree_walk(domain)
    own = await world.dns.ask(first, "TXT")
    if sum(map(dmarc.is_dmarc, own.records)) == 1 or not own.known:
        return [own]
    return [own, *await world.dns.ask_many([Question(name, "TXT") for name in parents])]
