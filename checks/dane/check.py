"""Whether the certificates of mail hosts are those that signed TLSA records name, and DNSSEC of the domain."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from checks.dane import drift, hosts, zone
from checks.dane.hosts import Protection, View
from monitor.check import (
    About,
    Code,
    DnsStatus,
    Question,
    SecureAnswer,
    Settings,
    SmtpConversation,
    World,
)
from monitor.check.mail_hosts import in_order
from monitor.model import DomainTarget, Drift, Finding, Look, Outcome, Sample, Severity
from monitor.protocol.mx import judge as judge_mx

MOST_HOSTS = 16
MOST_ADDRESSES = 4
"""Of one host: enough to see what it presents, and no more connections than a guest should make."""

_HOSTS = "mail hosts"
"""The subject of a domain whose mail hosts are not told."""
_SHARED_SECONDS = 900.0
"""How long what an address presented counts for other domains too: many have the same mail hosts."""


class DaneCheck:
    """Asks for TLSA records of each MX host, and looks at the certificate where senders go by them."""

    about: ClassVar[About] = About(
        name="dane",
        title="DANE and DNSSEC",
        targets=DomainTarget,
        interval=3600.0,
        timeout=90.0,
        codes=(
            *hosts.CODES,
            Code("mx_unsigned", Severity.INFO, "DANE of the hosts, without DNSSEC of the domain"),
            *zone.CODES,
            *drift.CODES,
        ),
        gauges=(*hosts.GAUGES, *zone.GAUGES),
        # Where usable records vanished: those left are of no use, or there are none beside another host's.
        absent=("unusable", "host_without"),
        drift_codes=drift.DRIFT_CODES,
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """A look at the subject `dnssec`, and one at each MX host by its name."""
        seen, mx = await asyncio.gather(
            _signed(target.name, world), world.dns.ask(target.name, "MX")
        )
        of_zone = zone.look(target.name, seen, world.clock.now())
        if not mx.known:
            return Outcome((of_zone, Look.unknown(_HOSTS, mx.blindness)), incomplete=mx.blindness)
        judged = judge_mx(mx.records)
        # RFC 5321 §5.1: without any MX record the domain itself is the host.
        names = [host.exchange for host in judged.hosts[:MOST_HOSTS]] or (
            [] if judged.null else [target.name]
        )
        views = await asyncio.gather(*(_view(target.name, name, world) for name in names))
        if not mx.authenticated and any(map(hosts.judged_by_senders, views)):
            of_zone = replace(of_zone, findings=(*of_zone.findings, _mx_unsigned(target.name)))
        return _outcome(of_zone, views, world.clock.now())

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How a host's TLSA records, or whether the domain is signed, differ from what was accepted."""
        return drift.classify(accepted, seen)


def _outcome(of_zone: Look, views: Sequence[View], now: float) -> Outcome:
    judged = [hosts.look(view, now) for view in views]
    some = any(state in {Protection.PROTECTED, Protection.BROKEN} for _, state in judged)
    looks = [
        replace(look, findings=(hosts.without_beside(look.subject),))
        if some and state is Protection.WITHOUT and not look.findings
        else look
        for look, state in judged
    ]
    states = Counter(state for _, state in judged if state is not Protection.NOT_KNOWN)
    samples = tuple(
        Sample("dane_hosts", float(number), {"state": state.value})
        for state, number in states.items()
    )
    return Outcome((of_zone, *looks), samples=samples)


def _mx_unsigned(domain: str) -> Finding:
    return Finding(
        "mx_unsigned",
        f"mail hosts of {domain} have TLSA records, but {domain} itself is not signed (DNSSEC): "
        "its MX records can be forged, and many senders then pass DANE over",
        fix=f"Have {domain} signed where its DNS is run, and its DS record published by the registrar",
    )


async def _signed(domain: str, world: World) -> zone.Signed:
    ds, keys = await asyncio.gather(
        world.dnssec.ask(domain, "DS"), world.dnssec.ask(domain, "DNSKEY")
    )
    others: list[SecureAnswer] = []
    if keys.answer.records:
        others = await asyncio.gather(*(world.dnssec.ask(domain, t) for t in ("SOA", "MX")))
    return zone.Signed(ds, keys, tuple(others))


async def _view(domain: str, host: str, world: World) -> View:
    tlsa = await world.dnssec.ask(hosts.owner(host), "TLSA")
    if hosts.denied(tlsa):
        return View(domain, host, tlsa)
    view = View(domain, host, tlsa, await world.dnssec.ask(host, "A"))
    if hosts.failed(tlsa):
        again = await world.dns.ask(hosts.owner(host), "TLSA")
        return replace(view, fails=again.status is DnsStatus.SERVFAIL)
    if not hosts.judged_by_senders(view):
        return view
    answers = await world.dns.ask_many([Question(host, "A"), Question(host, "AAAA")])
    addresses = in_order(record for answer in answers for record in answer.records)
    talks = await asyncio.gather(
        *(_converse(address, host, world) for address in addresses[:MOST_ADDRESSES])
    )
    blindness = "; ".join(answer.blindness for answer in answers if not answer.known)
    if talks and not any(talk.reached for talk in talks):
        blindness = await world.canaries.egress(25) or blindness
    return replace(view, talks=tuple(talks), blindness=blindness)


async def _converse(address: str, host: str, world: World) -> SmtpConversation:
    """A conversation; one that showed a certificate minutes ago is not held again, unless it confirms."""
    key = f"{host} {address}"
    if not world.confirming and isinstance(kept := world.memory.get(key), SmtpConversation):
        return kept
    talk = await world.smtp.converse(address, host, 25)
    if talk.tls:
        world.memory.put(key, talk, _SHARED_SECONDS)
    return talk
