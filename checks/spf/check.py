"""The SPF record of a domain and the tree of its includes (RFC 7208)."""

from typing import ClassVar

from checks.spf import drift, evaluate
from monitor.check import About, Code, Gauge, Question, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Look,
    Outcome,
    Sample,
    Severity,
)
from monitor.protocol import spf
from monitor.protocol.spf import LookupCount, SpfRecord

_RECORD = "record"
_LOOKUPS = "lookups"


class SpfCheck:
    """Looks at the record and, apart from it, at what the records that it includes make of it."""

    about: ClassVar[About] = About(
        name="spf",
        title="SPF record and lookups",
        targets=DomainTarget,
        interval=1800.0,
        codes=(
            Code("record_invalid", Severity.CRITICAL, "receivers answer permerror to the record"),
            Code("several_records", Severity.CRITICAL, "more than one record: permerror"),
            Code("include_broken", Severity.CRITICAL, "an included record makes a permerror"),
            Code("too_many_lookups", Severity.CRITICAL, "more than ten DNS lookups: permerror"),
            Code("pass_all", Severity.CRITICAL, "every server of the world may send"),
            Code("record_vanished", Severity.CRITICAL, "the record is gone"),
            Code("record_broken", Severity.CRITICAL, "the accepted record was usable, this is not"),
            Code("record_missing", Severity.WARNING, "no SPF record"),
            Code("policy_weakened", Severity.WARNING, "`all` is more lenient than accepted"),
            Code("many_lookups", Severity.WARNING, "nine or ten DNS lookups"),
            Code("no_all", Severity.WARNING, "nothing is said of everyone else"),
            Code("neutral_all", Severity.WARNING, "`?all` says nothing of everyone else"),
            Code("parked_allows", Severity.WARNING, "a parked domain lets mail pass"),
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
        """One look at the subjects `record` and `lookups`."""
        answer = await world.dns.ask(target.name, "TXT")
        if not answer.known:
            return Outcome(
                tuple(Look.unknown(subject, answer.blindness) for subject in (_RECORD, _LOOKUPS))
            )
        texts = tuple(filter(spf.is_spf, answer.records))
        record = evaluate.read(texts)
        return Outcome(
            (
                Look.known(
                    _RECORD,
                    evaluate.of_record(target.name, texts, target.role),
                    record=drift.watched(texts),
                ),
                await _tree(target.name, texts[0], record, world)
                if record is not None
                else Look.known(_LOOKUPS),
            )
        )

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the record differs from the accepted one in meaning, None where it does not."""
        return drift.classify(accepted, seen)


async def _tree(domain: str, text: str, record: SpfRecord, world: World) -> Look:
    texts: dict[str, tuple[str, ...] | None] = {}
    reasons: dict[str, str] = {}
    count = spf.count_lookups(domain, record, texts)
    while count.missing:
        # A level of the tree at a time; the count ends at 50, and so does this.
        answers = await world.dns.ask_many([Question(name, "TXT") for name in count.missing])
        for name, answer in zip(count.missing, answers, strict=True):
            texts[name] = answer.records if answer.known else None
            reasons[name] = answer.blindness
        count = spf.count_lookups(domain, record, texts)
    findings = evaluate.of_tree(domain, text, record, count, texts)
    if count.unanswered:
        # What is already wrong stays wrong whatever the rest says; the number is not known.
        proven = count.too_many or count.problems
        reason = "; ".join(reasons[name] for name in count.unanswered)
        return Look.known(_LOOKUPS, findings) if proven else Look.unknown(_LOOKUPS, reason)
    return Look.known(_LOOKUPS, findings, samples=_samples(count))


def _samples(count: LookupCount) -> tuple[Sample, ...]:
    return (Sample("spf_dns_lookups", float(count.lookups)),)
