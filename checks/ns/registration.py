"""The registration of a domain: asked of its registry by RDAP, once a day, and what it says."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from monitor.check import Code, Gauge, HttpsReply, World
from monitor.model import DomainTarget, Finding, Look, Role, Sample, Severity
from monitor.protocol import rdap
from monitor.protocol.psl import registrable_domain
from monitor.protocol.rdap import Bootstrap, RdapError, Reading, Registration, Standing

REGISTRATION = "registration"
CODES = (
    Code("expires_soon", Severity.CRITICAL, "the registration ends"),
    Code("registration_held", Severity.CRITICAL, "the domain was taken out of the DNS"),
    Code("registration_lost", Severity.CRITICAL, "the domain is about to be anybody's"),
)
GAUGES = (
    Gauge(
        "domain_expiry_timestamp_seconds",
        "When the registration of the domain ends, where its registry says so.",
        labels=("domain",),
    ),
)

RETRY_SECONDS = 3600.0
"""When a registry that could not say is asked again, and one where something is found: who mends it wants to see that."""

SECONDS = 8.0
"""What asking may take in all: a slow registry must not hold up what is known of the domain's servers."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why nothing is known.

    `lasting`: asking again soon would not help. `too_often`: the registry wants to be left alone.
    """

    reason: str
    lasting: bool = False
    too_often: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds before the end of a registration from which it is a warning, and critical."""

    warning: float
    critical: float


class Registry:
    """Asks registries, and remembers in the check's memory what they said.

    Args:
        bootstrap: the URL of IANA's list of RDAP servers.
        interval: seconds in which nothing is asked for twice.
        limits: when a registration's end is near.
    """

    def __init__(self, bootstrap: str, interval: float, limits: Limits) -> None:
        self._bootstrap = bootstrap
        self._interval = interval
        self._soon = min(interval, RETRY_SECONDS)
        self._limits = limits
        self._one_reader = asyncio.Lock()

    async def look(self, target: DomainTarget, world: World) -> Look:
        """What the registry says of the domain that the target is in; where that is not known, it does not count."""
        domain = registrable_domain(target.name)
        if domain is None:
            return _unknown(f"{target.name} is no name that can be registered")
        key, now = f"{REGISTRATION} {domain}", world.clock.now()
        told = None if world.confirming else world.memory.get(key)
        if not isinstance(told, Registration | Unknown):
            told = await self._ask_in_time(domain, world)
            world.memory.put(key, told, self._seconds(told, now))
        if isinstance(told, Unknown):
            return _unknown(told.reason)
        samples = () if told.expires is None else (Sample(GAUGES[0].name, told.expires),)
        found = tuple(findings(target, domain, told, self._limits, now))
        return Look.known(REGISTRATION, found, samples=samples)

    def _seconds(self, told: Registration | Unknown, now: float) -> float:
        if isinstance(told, Unknown):
            return self._interval if told.lasting else self._soon
        ends = told.expires is not None and told.expires - now <= self._limits.warning
        return self._soon if ends or told.standing is not Standing.KEPT else self._interval

    async def _ask_in_time(self, domain: str, world: World) -> Registration | Unknown:
        try:
            async with asyncio.timeout(SECONDS):
                return await self._ask(domain, world)
        except TimeoutError:
            return Unknown(f"the registry of {domain} did not answer within {SECONDS:g} s")

    async def _ask(self, domain: str, world: World) -> Registration | Unknown:
        bootstrap = await self._servers(world)
        if isinstance(bootstrap, Unknown):
            return bootstrap
        server = bootstrap.server_of(domain)
        if server is None:
            return Unknown(f"the registry of {domain} offers no RDAP", lasting=True)
        if isinstance(enough := world.memory.get(f"enough {server}"), Unknown):
            return enough
        reply = await _fetched(rdap.domain_url(server, domain), rdap.LARGEST_DOMAIN, world)
        if isinstance(reply, HttpsReply):
            return _registration(domain, reply)
        if reply.too_often:
            # Of all its domains: many are asked for at a start.
            world.memory.put(f"enough {server}", reply, self._soon)
        return reply

    async def _servers(self, world: World) -> Bootstrap | Unknown:
        """The list of servers, fetched by one look for all."""
        async with self._one_reader:
            kept = world.memory.get("bootstrap")
            if isinstance(kept, Bootstrap | Unknown):
                return kept
            fetched = await self._fetched_servers(world)
            seconds = self._interval if isinstance(fetched, Bootstrap) else self._soon
            world.memory.put("bootstrap", fetched, seconds)
            return fetched

    async def _fetched_servers(self, world: World) -> Bootstrap | Unknown:
        reply = await _fetched(self._bootstrap, rdap.LARGEST_BOOTSTRAP, world)
        if isinstance(reply, Unknown):
            return reply
        try:
            return rdap.parse_bootstrap(reply.body)
        except RdapError as error:
            return Unknown(f"{reply.url}: {error}")


def _registration(domain: str, reply: HttpsReply) -> Registration | Unknown:
    try:
        registration = rdap.parse_domain(reply.body)
    except RdapError as error:
        return Unknown(f"{reply.url}: {error}")
    if registration.name not in {"", domain}:
        return Unknown(f"{reply.url}: tells of another domain")
    return registration


async def _fetched(url: str, limit: int, world: World) -> HttpsReply | Unknown:
    """A good reply, after some redirects (RFC 7480 §5.2); else why there is none."""
    for _ in range(1 + rdap.MOST_REDIRECTS):
        reply = await world.https.get(url, limit=limit)
        if reply.status is None or reply.failure is not None:
            return Unknown(f"{urlsplit(url).hostname}: {reply.reason or reply.failure}")
        said = rdap.reading(reply.status)
        if said is Reading.FOUND:
            return reply
        where = rdap.redirected(url, reply.location) if said is Reading.REDIRECT else None
        if where is None:
            reason = f"{urlsplit(url).hostname} says {reply.status} ({said})"
            return Unknown(
                reason, lasting=said is Reading.NOT_FOUND, too_often=said is Reading.LATER
            )
        url = where
    return Unknown(f"{urlsplit(url).hostname}: more than {rdap.MOST_REDIRECTS} redirects")


def _unknown(reason: str) -> Look:
    return Look.unknown(REGISTRATION, reason, weight=0)


def findings(
    target: DomainTarget, domain: str, told: Registration, limits: Limits, now: float
) -> Iterator[Finding]:
    """What is wrong with the registration of `domain`; `now` in seconds since the epoch.

    A parked domain sends nothing that could be lost: never critical.
    """
    grave = Severity.WARNING if target.role is Role.PARKED else Severity.CRITICAL
    evidence = (
        f"registrar: {told.registrar or 'not told'}; ends: {_day(told.expires)}; "
        f"status: {', '.join(told.statuses) or 'none'}"
    )
    match told.standing:
        case Standing.LOST:
            yield Finding(
                "registration_lost",
                f"the registration of {domain} was deleted: it is in the days before it is free for anybody",
                fix=f"Have the registrar restore {domain} today (a redemption; it has a price), then renew it for years",
                evidence=evidence,
                severity=grave,
            )
            return
        case Standing.HELD:
            yield Finding(
                "registration_held",
                f"{domain} is on hold: its registrar or registry took it out of the DNS",
                fix=(
                    "Ask the registrar why: an unpaid bill, an owner's address that was not confirmed, a complaint, "
                    "a dispute. `serverHold` is lifted by the registry only"
                ),
                evidence=evidence,
                severity=grave,
            )
    if told.expires is not None and (left := told.expires - now) <= limits.warning:
        severity = grave if left <= limits.critical else Severity.WARNING
        yield _expires_soon(domain, told.expires, left, evidence, severity)


def _expires_soon(
    domain: str, ends: float, left: float, evidence: str, severity: Severity
) -> Finding:
    when = "ended" if left <= 0 else f"ends in {left / 86400:.1f} days,"
    return Finding(
        "expires_soon",
        f"the registration of {domain} {when} on {_day(ends)}",
        fix=(
            f"Renew {domain} at its registrar; see that automatic renewal is on, that the means of payment is good, "
            "and that the registrar's mail reaches somebody"
        ),
        evidence=evidence,
        severity=severity,
    )


def _day(seconds: float | None) -> str:
    if seconds is None:
        return "not told"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
