"""The providers' requirements of bulk senders, one table for each sender under each domain."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import field_validator

from checks.bulk_sender import facts
from checks.bulk_sender.facts import Verdict, Verdicts
from checks.bulk_sender.requirements import ProviderRules, Requirement, rules
from monitor.check import About, Code, Confirm, Gauge, Settings, World
from monitor.model import (
    Finding,
    Look,
    Outcome,
    Provider,
    Role,
    Sample,
    SenderTarget,
    Severity,
)


class BulkSenderSettings(Settings):
    """`checks.bulk_sender` in the configuration."""

    providers: tuple[Provider, ...] = (
        Provider.GMAIL,
        Provider.YAHOO,
        Provider.OUTLOOK,
        Provider.APPLE,
    )
    """The providers whose requirements count."""

    @field_validator("providers")
    @classmethod
    def _have_requirements(cls, providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
        if not providers:
            raise ValueError("must not be empty: `enabled: false` turns the check off")
        known = rules().providers
        if unknown := [provider for provider in providers if provider not in known]:
            raise ValueError(
                f"no requirements of {unknown[0]} are known, only of {', '.join(known)}"
            )
        return providers


def _sends_to_consumers(target: SenderTarget) -> bool:
    return target.role not in {Role.PARKED, Role.INTERNAL}


class BulkSenderCheck:
    """Holds what the other checks found against what each provider requires. It asks nobody."""

    about: ClassVar[About] = About(
        name="bulk_sender",
        title="Requirements of bulk senders",
        targets=SenderTarget,
        interval=300.0,
        settings=BulkSenderSettings,
        codes=(Code("not_met", Severity.WARNING, "a provider refuses or filters such mail"),),
        gauges=(
            Gauge(
                "bulk_sender_requirement",
                "Whether a provider's requirement is met: 1 yes, 0 no; absent where it is not known.",
                labels=("domain", "sender", "provider", "requirement"),
            ),
        ),
        # What it reads was confirmed already.
        confirm=Confirm.NONE,
        applies=_sends_to_consumers,
        reads_results=True,
        tabled=True,
    )

    def __init__(self, settings: BulkSenderSettings) -> None:
        known = rules().providers
        self._rules = {p: known[p] for p in settings.providers}

    async def run(self, target: SenderTarget, world: World) -> Outcome:
        """One look a requirement; its subject is the provider and the requirement in its words."""
        known = facts.verdicts(target, world.results.of_domain(target.domain))
        return Outcome(
            tuple(
                look
                for provider, demanded in self._rules.items()
                for look in _of_provider(target, provider, demanded, known)
            )
        )


def _of_provider(
    target: SenderTarget, provider: Provider, demanded: ProviderRules, known: Verdicts
) -> Iterator[Look]:
    for requirement in demanded.requirements:
        if target.role in requirement.roles:
            yield _look(target, provider, demanded, requirement, known)


def _look(
    target: SenderTarget,
    provider: Provider,
    demanded: ProviderRules,
    requirement: Requirement,
    known: Verdicts,
) -> Look:
    subject = f"{demanded.title}: {requirement.name}"
    if not requirement.facts:
        # Nobody can see it from here: that must not make all the rest unknown.
        return Look.unknown(subject, f"shown only by {requirement.seen_by}", weight=0)
    verdict = facts.all_hold(requirement.facts, known)
    if verdict.holds is None:
        return Look.unknown(subject, verdict.reason, weight=0 if verdict.no_failure else 1)
    labels = {
        "sender": target.sender,
        "provider": provider.value,
        "requirement": requirement.id,
    }
    sample = Sample("bulk_sender_requirement", float(verdict.holds), labels)
    if verdict.holds:
        return Look.known(subject, samples=(sample,))
    finding = _not_met(target, demanded, requirement, verdict)
    return Look.known(subject, (finding,), samples=(sample,))


def _not_met(
    target: SenderTarget, demanded: ProviderRules, requirement: Requirement, verdict: Verdict
) -> Finding:
    answers = f"; it answers {', '.join(requirement.replies)}" if requirement.replies else ""
    mend = " and ".join(verdict.causes)
    return Finding(
        "not_met",
        f"{demanded.title}: “{requirement.name}” is not met by {target.sender} "
        f"under {target.domain}: {verdict.reason}{answers}",
        fix=(f"Mend {mend} ({target.domain}): that finding says how" if mend else _align(target)),
        evidence=f"Bulk senders: {demanded.bulk}\n{' '.join(demanded.sources)}",
    )


def _align(target: SenderTarget) -> str:
    return (
        f"Let {target.sender} sign with d={target.domain} (publish its DKIM key there and declare "
        f"`dkim_selectors`), or use an envelope sender below {target.domain}"
    )
