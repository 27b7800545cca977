"""The DKIM keys of a domain's selectors (RFC 6376, RFC 8301, RFC 8463)."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from checks.dkim import drift, evaluate
from checks.dkim.evaluate import Place, Selector
from monitor.check import About, Code, DnsAnswer, Duration, Gauge, Question, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Look,
    LookState,
    Outcome,
    Role,
    Sample,
    Severity,
)
from monitor.protocol.dkim import KeyType

_USUAL = "usual selectors"
_RSA = "RSA beside Ed25519"


class DkimSettings(Settings):
    """How long a key may serve."""

    key_max_age: Annotated[Duration, Field(gt=0)] = 365 * 86400.0
    """After this time without a changed key the alert DeliverabilityDkimKeyOld asks for a rotation."""


class DkimCheck:
    """Looks at each selector: the declared ones, else the usual ones, of which most do not exist."""

    about: ClassVar[About] = About(
        name="dkim",
        title="DKIM keys",
        targets=DomainTarget,
        interval=1800.0,
        settings=DkimSettings,
        codes=(
            Code("key_missing", Severity.CRITICAL, "a declared selector has no key"),
            Code("alias_dangling", Severity.CRITICAL, "a CNAME leads to no key"),
            Code("key_invalid", Severity.CRITICAL, "verifiers cannot use the key"),
            Code("key_revoked", Severity.CRITICAL, "the key of a declared selector is revoked"),
            Code("key_too_short", Severity.CRITICAL, "verifiers must not accept the key"),
            Code("key_vanished", Severity.CRITICAL, "a key that was there is gone"),
            Code("key_broken", Severity.CRITICAL, "a key that was usable no longer is"),
            Code("several_keys", Severity.WARNING, "several keys at one selector"),
            Code("key_short", Severity.WARNING, "an RSA key of less than 2048 bits"),
            Code("key_long", Severity.WARNING, "an RSA key of more than 4096 bits"),
            Code("only_ed25519", Severity.WARNING, "no RSA key beside an Ed25519 key"),
            Code("testing", Severity.WARNING, "t=y: verifiers may ignore the signature"),
            Code("key_weakened", Severity.WARNING, "a key that is easier to break than accepted"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("key_rotated", Severity.INFO, "a new key in place of the accepted one"),
            Code("key_changed", Severity.INFO, "another record than accepted"),
            Code("standby_unpublished", Severity.INFO, "the platform's next key is not there yet"),
            Code("strict_identity", Severity.INFO, "t=s: no signatures for subdomains"),
            Code("platform_undeclared", Severity.INFO, "a key of a platform that nobody declared"),
            Code("none_found", Severity.INFO, "no selector is known"),
        ),
        gauges=(
            Gauge(
                "dkim_key_size",
                "Size in bits of the DKIM key at a selector (256 for Ed25519).",
                labels=("domain", "selector"),
            ),
            Gauge(
                "dkim_key_max_age_seconds",
                "How long a DKIM key may serve, as configured; for domains with a key.",
                labels=("domain",),
            ),
        ),
        drift_codes={
            Classification.VANISHED: "key_vanished",
            Classification.BROKEN: "key_broken",
            Classification.WEAKENED: "key_weakened",
            Classification.STRENGTHENED: "key_rotated",
            Classification.CHANGED: "key_changed",
            Classification.INCONSISTENT: "record_inconsistent",
        },
    )

    def __init__(self, settings: DkimSettings) -> None:
        self._key_max_age = settings.key_max_age

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at each selector; and at `usual selectors` as a whole where none is declared."""
        selectors = [
            Selector(name, target.name, target.selectors_declared) for name in target.selectors
        ]
        answers = await _answers(selectors, world)
        places = evaluate.without_wildcard(
            [
                evaluate.place_of(s, a.records, a.canonical_name)
                for s, a in zip(selectors, answers, strict=True)
            ]
        )
        platforms = frozenset(sender.platform for sender in target.senders)
        looks = tuple(
            self._look(place, answer, places, platforms)
            for place, answer in zip(places, answers, strict=True)
        )
        looks = _undecided(looks, places)
        if target.selectors_declared:
            return Outcome((*looks, *_rsa_beside(looks, places)))
        return Outcome((_usual(target, looks), *looks))

    def _look(
        self, place: Place, answer: DnsAnswer, every: Sequence[Place], platforms: frozenset[str]
    ) -> Look:
        selector = place.selector
        # An undeclared selector that nobody can see takes nothing from what is known of the domain, and
        # one of which nobody knows whether it is in use wakes nobody, unless it was the domain's last key.
        last = answer.known and not any(one.texts for one in every)
        weight = 1.0 if selector.declared or last else 0.0
        if not answer.known:
            return Look.unknown(selector.name, answer.blindness, weight=weight)
        if answer.disagreement and not place.texts:
            # Some servers have no key: that they disagree says it.
            return Look.known(selector.name, record="", weight=weight, disputed=answer.disagreement)
        # That a declared key is missing is a finding already; drift would say it once more.
        watched = bool(place.texts) or not selector.declared
        return Look.known(
            selector.name,
            evaluate.findings(place, every, platforms),
            samples=self._samples(place),
            record=drift.watched(place.texts) if watched else None,
            weight=weight,
            disputed=answer.disagreement,
        )

    def _samples(self, place: Place) -> tuple[Sample, ...]:
        if place.key is None:
            return ()
        return (
            Sample("dkim_key_size", float(place.key.bits), {"selector": place.selector.name}),
            Sample("dkim_key_max_age_seconds", self._key_max_age),
        )

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the key record differs from the accepted one in meaning, None where it does not."""
        return drift.classify(accepted, seen)


async def _answers(selectors: Sequence[Selector], world: World) -> list[DnsAnswer]:
    """What stands at the selectors, by the authoritative servers.

    Of the usual selectors most do not exist: there the resolver tells which ones do, until it is to
    be confirmed that one is gone.
    """
    answers = await world.dns.ask_many([Question(s.place, "TXT") for s in selectors])
    places = [
        selector.place
        for selector, answer in zip(selectors, answers, strict=True)
        if selector.declared or answer.records or world.confirming
    ]
    told = await asyncio.gather(*(world.authorities.ask(place, "TXT") for place in places))
    by_place = dict(zip(places, told, strict=True))
    return [
        by_place.get(selector.place, answer)
        for selector, answer in zip(selectors, answers, strict=True)
    ]


def _undecided(looks: tuple[Look, ...], places: Sequence[Place]) -> tuple[Look, ...]:
    """The looks without those at a platform's alias into nothing, where its other selector was not answered."""
    blind = next((look for look in looks if look.state is LookState.UNKNOWN), None)
    if blind is None:
        return looks
    return tuple(
        Look.unknown(look.subject, blind.reason, weight=look.weight)
        if look.state is LookState.KNOWN and evaluate.may_be_on_standby(place)
        else look
        for look, place in zip(looks, places, strict=True)
    )


def _rsa_beside(looks: tuple[Look, ...], places: Sequence[Place]) -> tuple[Look, ...]:
    """Where no RSA key stands beside Ed25519 keys: a look of its own, since what is not answered may be one."""
    if any(place.key and place.key.key_type is KeyType.RSA for place in places):
        return ()
    blind = next((look for look in looks if look.state is LookState.UNKNOWN), None)
    if blind is not None:
        return (Look.unknown(_RSA, blind.reason, weight=0.0),)
    missed = evaluate.only_ed25519(places)
    return (Look.known(_RSA, missed),) if missed else ()


def _usual(target: DomainTarget, looks: tuple[Look, ...]) -> Look:
    if any(look.record for look in looks) or target.role is Role.PARKED:
        return Look.known(_USUAL)
    blind = [look for look in looks if look.state is LookState.UNKNOWN]
    if blind:
        return Look.unknown(_USUAL, blind[0].reason)
    return Look.known(_USUAL, (evaluate.none_found(target.name),))
