"""Whether the DNS answers for a domain at all, how well its servers do, and how long it is registered."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from checks.ns import evaluate, registration, serials
from checks.ns.registration import Limits, Registry
from monitor.check import (
    About,
    Confirm,
    DnsAnswer,
    DnsStatus,
    Duration,
    Question,
    SecureAnswer,
    ServerAnswer,
    Settings,
    World,
    at_most,
)
from monitor.model import DomainTarget, Drift, Look, LookState, Outcome

IANA = "https://data.iana.org/rdap/dns.json"
_REMEMBERED_SECONDS = 7 * 86400.0
_MOST_BELOW = 13
"""Servers below the zone whose addresses are asked for: as many as are asked themselves. A delegation may name hundreds."""


class NsSettings(Settings):
    """Where registrations are asked for, and when their end is near."""

    rdap_bootstrap: Annotated[str, Field(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]+)?/[!-~]*$")] = (
        IANA
    )
    """The list of RDAP servers (RFC 9224)."""
    rdap_interval: Annotated[Duration, Field(gt=0)] = 86400.0
    """How often at most a registry is asked for a domain; where something is found, each hour."""
    expiry_warning_days: Annotated[float, Field(gt=0, description="Days before its end.")] = 30
    expiry_critical_days: Annotated[
        float,
        Field(gt=0, validate_default=True, description="Days before its end."),
        at_most("expiry_warning_days"),
    ] = 3


class NsCheck:
    """Asks resolver, parent, name servers and registry; bad news is believed when the canaries resolve."""

    about: ClassVar[About] = About(
        name="ns",
        title="Delegation, name servers and registration",
        targets=DomainTarget,
        interval=300.0,
        settings=NsSettings,
        codes=(*evaluate.CODES, *serials.CODES, *registration.CODES),
        gauges=registration.GAUGES,
        confirm=Confirm.OTHER_PATH,
        drift_codes=evaluate.DRIFT_CODES,
    )

    def __init__(self, settings: NsSettings) -> None:
        day = 86400.0
        limits = Limits(settings.expiry_warning_days * day, settings.expiry_critical_days * day)
        self._registry = Registry(settings.rdap_bootstrap, settings.rdap_interval, limits)

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """The subjects `delegation`, `registration`, and of a zone its servers, their versions and its parent."""
        of_zone, registered = await asyncio.gather(
            _zone_looks(target, world), self._registry.look(target, world)
        )
        return replace(of_zone, looks=(*of_zone.looks, registered))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the set of name servers differs from the accepted one, None where it does not."""
        return evaluate.classify(accepted, seen)


async def _zone_looks(target: DomainTarget, world: World) -> Outcome:
    soa, ns = await world.dns.ask_many([Question(target.name, "SOA"), Question(target.name, "NS")])
    looks = await _looks_at_zone(target, soa, ns, world)
    # Which servers there are is not known then: what was known of each stays.
    return Outcome(tuple(looks), incomplete="" if ns.known else ns.blindness)


async def _looks_at_zone(
    target: DomainTarget, soa: DnsAnswer, ns: DnsAnswer, world: World
) -> list[Look]:
    looks = [await _delegation(target, soa, world)]
    if not ns.known:
        return [*looks, Look.unknown(evaluate.SERVERS, ns.blindness)]
    if not ns.records or ns.canonical_name not in {"", target.name}:
        # A name inside a zone above it, or an alias: others are answerable for that one's servers.
        return [*looks, Look.known(evaluate.SERVERS, record="")]
    return [*looks, *await _server_looks(target.name, ns, world)]


_OURS = frozenset({DnsStatus.ERROR, DnsStatus.REFUSED})
"""What comes from our own resolver, or from how we ask it: no word of the domain's servers."""


async def _delegation(target: DomainTarget, soa: DnsAnswer, world: World) -> Look:
    if soa.known and soa.status is not DnsStatus.NXDOMAIN:
        return evaluate.delegation(target, soa, None)
    if soa.status in _OURS:
        return Look.unknown(evaluate.DELEGATION, soa.blindness)
    if (ours := await world.canaries.resolver()) is not None:
        return Look.unknown(evaluate.DELEGATION, ours)
    seen: SecureAnswer | None = None
    if soa.status is DnsStatus.SERVFAIL:
        seen = await world.dnssec.ask(target.name, "SOA")
    return evaluate.delegation(target, soa, seen)


async def _server_looks(domain: str, ns: DnsAnswer, world: World) -> list[Look]:
    by_soa, by_ns, above = await asyncio.gather(
        world.authorities.each(domain, domain, "SOA"),
        world.authorities.each(domain, domain, "NS"),
        world.authorities.delegation(domain),
    )
    said = (*by_soa, *by_ns)
    key = f"serials {domain}"
    before = world.memory.get(key)
    versions, stuck = serials.look(
        domain, by_soa, before if isinstance(before, dict) else {}, world.clock.now()
    )
    if versions.state is LookState.KNOWN and (stuck or before):
        world.memory.put(key, stuck, _REMEMBERED_SECONDS)
    inside = [server for server in above.nameservers if server.endswith(f".{domain}")]
    below = inside[:_MOST_BELOW]
    glue = await _addresses(below, world)
    return [
        evaluate.servers(domain, ns.records, said, evaluate.watched(ns.records, by_ns)),
        *evaluate.each_server(domain, said, await _without_address(said, world)),
        versions,
        evaluate.parent(domain, above, by_ns, glue),
    ]


async def _without_address(said: tuple[ServerAnswer, ...], world: World) -> dict[str, bool]:
    """Servers of which no address was found: whether it is known that they have none."""
    names = dict.fromkeys(one.server for one in said if not one.heard and not one.address)
    found = await _addresses(tuple(names), world)
    return {name: all(a.known and not a.records for a in both) for name, both in found.items()}


async def _addresses(servers: Sequence[str], world: World) -> dict[str, tuple[DnsAnswer, ...]]:
    """The answers for A and AAAA of each server."""
    answers = await world.dns.ask_many([Question(s, t) for s in servers for t in ("A", "AAAA")])
    return dict(zip(servers, zip(answers[::2], answers[1::2], strict=True), strict=True))
