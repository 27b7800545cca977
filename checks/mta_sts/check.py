"""The MTA-STS record of a domain, its policy, and the MX hosts that the policy names (RFC 8461)."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from checks.mta_sts import drift, evaluate
from monitor.check import (
    About,
    Code,
    DnsAnswer,
    Gauge,
    HttpsFailure,
    HttpsReply,
    Question,
    Settings,
    World,
)
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Finding,
    Look,
    Outcome,
    Role,
    Sample,
    Severity,
)
from monitor.protocol import mx
from monitor.protocol.mta_sts import StsPolicy

_NAME = "mta_sts"
_RECORD, _POLICY, _MX = "record", "policy", "mx"
_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A policy that senders can apply with its findings, else the finding why they cannot.

    `ours` is why nothing is known, because we could not look.
    """

    policy: StsPolicy | None = None
    findings: tuple[Finding, ...] = ()
    samples: tuple[Sample, ...] = ()
    ours: str = ""


class MtaStsCheck:
    """Looks at the record, fetches the policy as senders do, and holds the MX hosts against it."""

    about: ClassVar[About] = About(
        name=_NAME,
        title="MTA-STS policy",
        targets=DomainTarget,
        interval=900.0,
        timeout=45.0,
        codes=(
            Code("mx_unmatched", Severity.WARNING, "the policy does not name an MX host"),
            Code("policy_fetch_error", Severity.WARNING, "senders cannot fetch the policy"),
            Code("policy_invalid", Severity.WARNING, "senders must not apply the policy"),
            Code("webpki_invalid", Severity.WARNING, "senders do not trust the policy host"),
            Code("record_invalid", Severity.WARNING, "senders take nothing of the record"),
            Code("several_records", Severity.WARNING, "more than one record: none is taken"),
            Code("max_age_short", Severity.WARNING, "senders forget the policy within a day"),
            Code("content_type", Severity.WARNING, "the policy does not come as plain text"),
            Code("certificate_expiring", Severity.WARNING, "the policy host's certificate ends"),
            Code("policy_weakened", Severity.WARNING, "the mode protects less than accepted"),
            Code("record_vanished", Severity.WARNING, "the record is gone, not withdrawn"),
            Code("id_not_changed", Severity.WARNING, "the policy changed and its id did not"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("policy_changed", Severity.INFO, "another policy of the same mode"),
            Code("policy_strengthened", Severity.INFO, "the mode protects more than accepted"),
            Code("mode_testing", Severity.INFO, "failures are reported, not refused"),
            Code("mode_none", Severity.INFO, "the policy asks for nothing"),
            Code("untidy", Severity.INFO, "something that senders read differently"),
            Code("missing", Severity.INFO, "no MTA-STS policy"),
        ),
        gauges=(
            Gauge(
                "mta_sts_mode",
                "1 for the mode of the domain's MTA-STS policy; absent where senders have none.",
                labels=("domain", "mode"),
            ),
            Gauge(
                "mta_sts_max_age_seconds",
                "How long senders keep the domain's MTA-STS policy.",
                labels=("domain",),
            ),
        ),
        absent=("missing",),
        drift_codes={
            Classification.WEAKENED: "policy_weakened",
            Classification.STRENGTHENED: "policy_strengthened",
            Classification.BROKEN: "id_not_changed",
            Classification.CHANGED: "policy_changed",
            Classification.VANISHED: "record_vanished",
            Classification.INCONSISTENT: "record_inconsistent",
        },
        # A parked domain takes no mail that could be protected.
        applies=lambda target: target.role is not Role.PARKED,
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at each of the subjects `record`, `policy` and `mx`."""
        txt, mx_answer = await asyncio.gather(
            world.authorities.ask(f"_mta-sts.{target.name}", "TXT"),
            world.dns.ask(target.name, "MX"),
        )
        if not txt.known:
            return Outcome(
                tuple(Look.unknown(subject, txt.blindness) for subject in (_RECORD, _POLICY, _MX))
            )
        record = evaluate.usable(txt.records)
        fetched = await _fetch(target.name, world) if record else _Fetched()
        state = "" if evaluate.is_absent(txt.records) else None
        if record and fetched.policy:
            state = drift.watched(record, fetched.policy)
        hosts = _hosts(mx_answer)
        findings = evaluate.of_record(target.name, txt.records, hosts, world.clock.now())
        watched = Look.known(
            _RECORD,
            findings,
            # What is disputed is not taken for the record's state, but needs one to be told.
            record=(state or "") if txt.disagreement else state,
            disputed=txt.disagreement,
        )
        if fetched.ours and not txt.disagreement:
            # The policy is half of what is watched: what is known of its change stays.
            watched = Look.unknown(_RECORD, fetched.ours)
        return Outcome(
            (
                watched,
                _policy_look(fetched),
                _mx_look(target.name, fetched, hosts, mx_answer),
            )
        )

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the policy differs from the accepted one in meaning, None where it does not."""
        return drift.classify(accepted, seen)


def _hosts(answer: DnsAnswer) -> tuple[str, ...] | None:
    """The domain's MX hosts, best first; None where they are not known."""
    if not answer.known:
        return None
    return tuple(host.exchange for host in mx.judge(answer.records).hosts)


async def _fetch(domain: str, world: World) -> _Fetched:
    """The policy as senders get it; a failure that may be our own is told apart."""
    reply = await world.https.get(evaluate.policy_url(domain))
    if reply.failure is HttpsFailure.RESOLVE:
        return await _unresolved(domain, reply, world)
    if reply.failure in {HttpsFailure.FORBIDDEN, HttpsFailure.UNABLE}:
        return _Fetched(ours=f"{reply.url}: {reply.reason}")
    if reply.failure in {HttpsFailure.CONNECT, HttpsFailure.TIMEOUT}:
        ours = await world.canaries.egress(_HTTPS_PORT)
        if ours is not None:
            return _Fetched(ours=f"{reply.url}: {reply.reason}; {ours}")
    read = evaluate.read_policy(domain, reply)
    if isinstance(read, Finding):
        return _Fetched(findings=(read,))
    findings = evaluate.of_policy(domain, read, reply, world.clock.now())
    samples = (
        Sample("mta_sts_mode", 1.0, {"mode": read.mode.value}),
        Sample("mta_sts_max_age_seconds", float(read.max_age)),
    )
    return _Fetched(read, findings, samples)


async def _unresolved(domain: str, reply: HttpsReply, world: World) -> _Fetched:
    """Without an address it is the domain's fault, without an answer nobody's that we know."""
    host = f"mta-sts.{domain}"
    answers = await world.dns.ask_many([Question(host, "A"), Question(host, "AAAA")])
    if all(answer.known and not answer.records for answer in answers):
        return _Fetched(findings=(evaluate.without_address(domain),))
    blind = next((answer.blindness for answer in answers if not answer.known), "")
    return _Fetched(ours=blind or f"{reply.url}: {reply.reason}")


def _policy_look(fetched: _Fetched) -> Look:
    if fetched.ours:
        return Look.unknown(_POLICY, fetched.ours)
    return Look.known(_POLICY, fetched.findings, samples=fetched.samples)


def _mx_look(
    domain: str, fetched: _Fetched, hosts: tuple[str, ...] | None, answer: DnsAnswer
) -> Look:
    if fetched.ours:
        return Look.unknown(_MX, fetched.ours)
    if fetched.policy is None and fetched.findings:
        # The policy look says why; that it cannot be compared is no second trouble.
        return Look.unknown(_MX, fetched.findings[0].summary, weight=0.0)
    if fetched.policy is None:
        return Look.known(_MX)
    if hosts is None:
        return Look.unknown(_MX, answer.blindness)
    return Look.known(_MX, evaluate.of_hosts(domain, fetched.policy, hosts))
