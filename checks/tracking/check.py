"""The hosts in the links of a domain's mail: their names, their HTTPS, whose they are."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from checks.tracking import certificate, evaluate
from monitor.check import (
    About,
    Code,
    DnsAnswer,
    Gauge,
    HttpsFailure,
    HttpsReply,
    PastResult,
    Question,
    World,
)
from monitor.check.certificates import CertificateSettings
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
from monitor.protocol.psl import registrable_domain

_HTTPS_PORT = 443


class TrackingSettings(CertificateSettings):
    """When a certificate's end is near; of a short-lived one, the last quarter and eighth of its life."""


class TrackingCheck:
    """Looks at each of a domain's `tracking_hosts`; no link of a message is fetched, only `/`."""

    about: ClassVar[About] = About(
        name="tracking",
        title="Link hosts",
        targets=DomainTarget,
        interval=3600.0,
        timeout=60.0,
        settings=TrackingSettings,
        codes=(
            Code("dangling", Severity.CRITICAL, "the host is an alias of a name that is free"),
            Code("unresolvable", Severity.CRITICAL, "the host has no address"),
            Code("certificate_expired", Severity.CRITICAL, "the certificate has ended"),
            Code("certificate_expiring", Severity.CRITICAL, "the certificate is about to end"),
            Code("certificate_name_mismatch", Severity.WARNING, "it is for another name"),
            Code("certificate_untrusted", Severity.WARNING, "nobody trusted issued it"),
            Code("no_https", Severity.WARNING, "the host does not speak HTTPS"),
            Code("foreign_domain", Severity.WARNING, "the host is under somebody else's domain"),
            Code("listed", Severity.WARNING, "the host's domain is on a blocklist"),
            Code("alias_changed", Severity.WARNING, "the host is another alias than accepted"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
        ),
        gauges=(
            Gauge(
                "tracking_certificate_not_after_timestamp_seconds",
                "When the certificate of a link host ends, or ended.",
                labels=("domain", "host"),
            ),
        ),
        drift_codes={
            Classification.CHANGED: "alias_changed",
            Classification.VANISHED: "alias_changed",
            Classification.INCONSISTENT: "record_inconsistent",
        },
        applies=lambda target: bool(target.tracking_hosts),
        reads_results=True,
    )

    def __init__(self, settings: TrackingSettings) -> None:
        self._limits = settings.limits

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """A look at every host, all at once."""
        looks = [self._look(target, host, world) for host in target.tracking_hosts]
        return Outcome(tuple(await asyncio.gather(*looks)))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How a host's alias differs from the accepted one, None where it does not."""
        return evaluate.classify(accepted, seen)

    async def _look(self, target: DomainTarget, host: str, world: World) -> Look:
        cname, addresses = await asyncio.gather(
            world.authorities.ask(host, "CNAME"),
            world.dns.ask_many([Question(host, "A"), Question(host, "AAAA")]),
        )
        blind = next((answer for answer in (cname, *addresses) if not answer.known), None)
        resolves = any(answer.records for answer in addresses)
        if not cname.known or (blind and not resolves):
            return Look.unknown(host, (blind or cname).blindness)
        named = tuple(evaluate.of_names(target, host, _results(target, host, world)))
        alias = evaluate.alias_of(cname)
        if not resolves:
            found = evaluate.no_address(host, alias, addresses[0])
            return _known(host, (found, *named), cname, alias)
        reply = await world.https.get(f"https://{host}/")
        ours = await _our_trouble(reply, world)
        if ours:
            return Look.unknown(host, ours)
        served = tuple(self._of_reply(host, reply, world.clock.now()))
        return _known(host, (*served, *named), cname, alias, _samples(host, reply))

    def _of_reply(self, host: str, reply: HttpsReply, now: float) -> Sequence[Finding]:
        """Whatever it answers, that it answers with a good certificate is enough."""
        if reply.tls is not None and reply.tls.chain:
            return tuple(certificate.findings(host, reply.tls, self._limits, now))
        return (evaluate.no_https(host, reply.reason),) if reply.failure else ()


def _results(target: DomainTarget, host: str, world: World) -> Sequence[PastResult]:
    domains = dict.fromkeys((target.name, registrable_domain(host) or host))
    return [result for domain in domains for result in world.results.of_domain(domain)]


async def _our_trouble(reply: HttpsReply, world: World) -> str:
    """Why nothing was learnt, though we tried: "" where something was."""
    said = f"{reply.url}: {reply.reason}"
    if reply.failure in {HttpsFailure.FORBIDDEN, HttpsFailure.UNABLE, HttpsFailure.RESOLVE}:
        return said
    if reply.failure in {HttpsFailure.CONNECT, HttpsFailure.TIMEOUT} and reply.tls is None:
        ours = await world.canaries.egress(_HTTPS_PORT)
        return f"{said}; {ours}" if ours else ""
    return ""


def _samples(host: str, reply: HttpsReply) -> tuple[Sample, ...]:
    if reply.tls is None or not reply.tls.chain:
        return ()
    end = reply.tls.chain[0].not_after.timestamp()
    return (Sample("tracking_certificate_not_after_timestamp_seconds", end, {"host": host}),)


def _known(
    host: str,
    findings: tuple[Finding, ...],
    cname: DnsAnswer,
    alias: str,
    samples: tuple[Sample, ...] = (),
) -> Look:
    return Look.known(host, findings, samples=samples, record=alias, disputed=cname.disagreement)
