"""Whether mail hosts answer, encrypt, and show a certificate that is worth something."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from checks.smtp import certificate, evaluate, greeting, starttls
from checks.smtp.conversed import Conversed
from monitor.check import (
    About,
    Code,
    Confirm,
    Duration,
    Gauge,
    Question,
    SmtpConversation,
    World,
)
from monitor.check.certificates import CertificateSettings
from monitor.check.mail_hosts import (
    REMEMBERED_SECONDS,
    TLS_PROTOCOL_ACCEPTED,
    addresses_of,
    is_ipv6,
)
from monitor.model import Drift, HostTarget, Look, LookState, Outcome, Severity

_TRUST = "trust"
_SLACK_SECONDS = 5.0
"""A look that comes a little early is no sooner than agreed."""
_IPV6_WORKS = "IPv6 works"


class SmtpSettings(CertificateSettings):
    """When a certificate's end is near (of a short-lived one, the last quarter and eighth of its life), and slowness."""

    slow_banner: Annotated[
        Duration, Field(gt=0, description="From when on a greeting comes late.")
    ] = 10.0
    """Above the six seconds that postfix's postscreen lets everyone wait whom it does not know."""
    guest_interval: Annotated[
        Duration, Field(gt=0, description="How often at most a host is talked to that is not ours.")
    ] = 3600.0
    """Ours are those under `mail_hosts`. What got worse is looked at again to confirm it, all the same."""


class SmtpCheck:
    """Converses with each address of a host as a guest: EHLO, STARTTLS, EHLO, QUIT."""

    about: ClassVar[About] = About(
        name="smtp",
        title="Mail hosts",
        targets=HostTarget,
        interval=900.0,
        timeout=90.0,
        settings=SmtpSettings,
        codes=(
            Code("unresolvable", Severity.WARNING, "the host has no address"),
            Code("unreachable", Severity.CRITICAL, "the host does not answer"),
            Code("refuses", Severity.WARNING, "the host refuses to talk"),
            Code("protocol_error", Severity.WARNING, "the host breaks the protocol"),
            Code("starttls_missing", Severity.WARNING, "mail travels unencrypted"),
            Code(
                "starttls_injection", Severity.CRITICAL, "plaintext follows the answer to STARTTLS"
            ),
            Code("tls_failed", Severity.WARNING, "TLS does not come about"),
            Code("tls_outdated", Severity.WARNING, "TLS older than 1.2"),
            Code("cipher_weak", Severity.WARNING, "a cipher suite that protects too little"),
            *starttls.CODES,
            *greeting.CODES,
            *certificate.CODES,
        ),
        gauges=(
            Gauge("smtp_up", "1 where an address of the host answers, 0 where none does."),
            Gauge(
                "smtp_phase_duration_seconds",
                "How long a phase of the conversation took, at the slowest address.",
                labels=("target", "domain", "phase"),
            ),
            TLS_PROTOCOL_ACCEPTED,
            Gauge(
                "smtp_extension_offered",
                "1 where each address of the host offers the extension, 0 where one does not.",
                labels=("target", "domain", "extension"),
            ),
            Gauge(
                "smtp_size_limit_bytes",
                "The largest message that the host takes; the lowest of its addresses, absent where none is told.",
            ),
            Gauge(
                "certificate_not_after_timestamp_seconds",
                "When the host's certificate ends, or ended; the earliest of its addresses.",
            ),
        ),
        confirm=Confirm.OTHER_PATH,
        drift_codes=starttls.DRIFT_CODES,
    )

    def __init__(self, settings: SmtpSettings) -> None:
        self._guest_interval = settings.guest_interval
        self._limits = evaluate.Limits(
            certificates=settings.limits,
            banner_seconds=settings.slow_banner,
        )

    async def run(self, target: HostTarget, world: World) -> Outcome:
        """A look at every address of the host; where we are guests, no more often than is polite."""
        started, key = world.clock.monotonic(), f"guest of {target.name}"
        seen = world.memory.get(key)
        if isinstance(seen, Outcome) and not world.confirming:
            if not _is_kept(target, world):
                return seen  # a one-shot look at many domains, of which several have this host
            rests = tuple(Look.not_due(one.subject, weight=one.weight) for one in seen.looks)
            return replace(seen, looks=rests)
        outcome = await self._look(target, world)
        if not target.own and outcome.failure is None:
            took = world.clock.monotonic() - started
            rest = self._guest_interval - took - _SLACK_SECONDS
            if rest > 0:
                world.memory.put(key, outcome, rest)
        return outcome

    async def _look(self, target: HostTarget, world: World) -> Outcome:
        """A look at every address of the host, all at once."""
        addresses, blindness = await addresses_of(target.host, world)
        if blindness and not addresses:
            return Outcome.unknown(blindness)
        if not addresses:
            return Outcome((Look.known(evaluate.NAME, (evaluate.unresolvable(target),)),))
        conversed = await _converse(target, addresses, world)
        looks = evaluate.looks(
            target, conversed, self._limits, world.clock.now(), complete=not blindness
        )
        if all(look.state is LookState.UNKNOWN for look in looks):
            # As a whole, so that all that was known of the host stays shown.
            return Outcome.unknown("; ".join(dict.fromkeys(one.unknown for one in conversed)))
        return Outcome(
            (*looks, *_trust(conversed)),
            samples=tuple(evaluate.samples(conversed)),
            incomplete=blindness,
        )

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """Whether STARTTLS was withdrawn or gained; None where neither."""
        return starttls.classify(accepted, seen)


def _is_kept(target: HostTarget, world: World) -> bool:
    results = world.results.of_domain(target.domain)
    return any((one.check, one.target) == ("smtp", target.name) for one in results)


def _trust(conversed: Sequence[Conversed]) -> tuple[Look, ...]:
    """Where this machine trusts no authority at all, nobody can say what the certificates are worth."""
    sessions = (one.conversation.tls for one in conversed)
    reason = next((tls.untrusted for tls in sessions if tls and tls.no_authorities), None)
    return (Look.unknown(_TRUST, reason),) if reason else ()


async def _converse(target: HostTarget, addresses: Sequence[str], world: World) -> list[Conversed]:
    """A conversation with each address at once; where one failed, whether that may be our own fault."""
    talks = await asyncio.gather(
        *(world.smtp.converse(address, target.host, target.port) for address in addresses)
    )
    if any(is_ipv6(talk.address) and "connect" in talk.phases for talk in talks):
        world.memory.put(_IPV6_WORKS, value=True, seconds=REMEMBERED_SECONDS)
    judged = [await _judged(target, talk, world) for talk in talks]
    return await _named(judged, world) if target.own else judged


async def _named(conversed: Sequence[Conversed], world: World) -> list[Conversed]:
    """The same, with whether the name that our own host gives itself has an address; others' is theirs."""
    names = [greeting.greeting_name(one.conversation) for one in conversed]
    asked = sorted({name for name in names if greeting.is_full_name(name)})
    answers = await world.dns.ask_many([Question(n, t) for n in asked for t in ("A", "AAAA")])
    pairs = zip(asked, answers[::2], answers[1::2], strict=True)
    dead = {name for name, *both in pairs if all(a.known and not a.records for a in both)}
    return [replace(one, nameless=n in dead) for one, n in zip(conversed, names, strict=True)]


async def _judged(target: HostTarget, talk: SmtpConversation, world: World) -> Conversed:
    if talk.reached:
        return Conversed(talk)
    if is_ipv6(talk.address) and not world.memory.get(_IPV6_WORKS):
        reason = f"{talk.address}: no IPv6 connection of ours has ever come about ({talk.reason})"
        return Conversed(talk, ours=reason, matters=False)
    return Conversed(talk, ours=await world.canaries.egress(target.port) or "")
