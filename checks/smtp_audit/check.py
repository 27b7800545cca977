"""What only the owner of a mail host may try on it: old TLS, weak ciphers, injection, relaying."""

import asyncio
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from checks.smtp_audit import evaluate, relay
from checks.smtp_audit.evaluate import Audited
from monitor.check import About, Code, Gauge, Settings, World
from monitor.check.mail_hosts import TLS_PROTOCOL_ACCEPTED, addresses_of
from monitor.model import HostTarget, LookState, Outcome, Provider, Severity
from monitor.protocol.platforms import provider_of_mx

Mailbox = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}$")]


def is_ours(target: HostTarget) -> bool:
    """Declared as own, and not a mailbox provider's: that one may use it makes nobody its owner."""
    return target.own and provider_of_mx(target.host) is Provider.OTHER


class SmtpAuditSettings(Settings):
    """Whose addresses stand on envelopes that no owner's host may accept; no mail is ever sent."""

    relay: Literal["from_outside", "always", "never"] = "from_outside"
    """Whether relaying is looked for; `always`: a host that relays for the monitor's private address is open too."""
    relay_sender: Mailbox = "relay-test@example.com"
    """A stranger; the reserved example.com, so that nobody is bothered."""
    relay_recipient: Mailbox = "relay-test@example.net"
    """Another; better one elsewhere that is yours: some relays refuse the reserved names, which take no mail."""


class SmtpAuditCheck:
    """Audits each address of a host of our own; opt-in, daily."""

    about: ClassVar[About] = About(
        name="smtp_audit",
        title="Mail hosts of our own, tried out",
        targets=HostTarget,
        interval=86400.0,
        timeout=300.0,
        settings=SmtpAuditSettings,
        codes=(
            Code("open_relay", Severity.CRITICAL, "carries mail from anyone to anyone"),
            Code("starttls_injection", Severity.CRITICAL, "plaintext gets into the TLS session"),
            Code("tls_outdated", Severity.WARNING, "TLS older than 1.2 is accepted"),
            Code("cipher_weak", Severity.WARNING, "weak cipher suites are accepted"),
            Code("renegotiation_insecure", Severity.WARNING, "no secure renegotiation"),
            Code("plaintext_auth", Severity.WARNING, "passwords are taken before TLS"),
        ),
        gauges=(
            TLS_PROTOCOL_ACCEPTED,
            Gauge(
                "tls_weak_cipher_accepted",
                "1 where the host accepts cipher suites of this weakness, 0 where it does not.",
                labels=("target", "domain", "weakness"),
            ),
        ),
        applies=is_ours,
        opt_in=True,
    )

    def __init__(self, settings: SmtpAuditSettings) -> None:
        self._settings = settings

    async def run(self, target: HostTarget, world: World) -> Outcome:
        """A look at each part of each address; nothing at all leaves for a host that is not our own."""
        if not is_ours(target):
            return Outcome.unknown(
                f"{target.name} is not declared under mail_hosts, or a mailbox provider's: only own hosts are audited"
            )
        addresses, blindness = await addresses_of(target.host, world)
        if not addresses:
            return Outcome.unknown(blindness or f"{target.host} has no address")
        audits = (self._audit(target, address, world) for address in addresses)
        audited = await asyncio.gather(*audits)
        looks = tuple(look for one in audited for look in evaluate.looks(one))
        if all(look.state is LookState.UNKNOWN for look in looks):
            # As a whole, so that all that was known of the host stays shown.
            return Outcome.unknown("; ".join(dict.fromkeys(look.reason for look in looks)))
        return Outcome(looks, samples=tuple(evaluate.samples(audited)), incomplete=blindness)

    async def _audit(self, target: HostTarget, address: str, world: World) -> Audited:
        settings = self._settings
        asked = relay.trials(
            target.domain, target.host, address, settings.relay_sender, settings.relay_recipient
        )
        envelopes = () if settings.relay == "never" else asked.envelopes
        return Audited(
            target=target,
            asked=asked,
            audit=await world.smtp_audit.audit(address, target.host, target.port, envelopes),
            looks_for_relays=settings.relay != "never",
            judge_inside=settings.relay == "always",
        )
