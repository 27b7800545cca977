"""The DKIM keys of a domain's selectors (RFC 6376, RFC 8301, RFC 8463)."""

from typing import ClassVar

from checks.dkim import evaluate
from checks.dkim.evaluate import Selector
from monitor.check import About, Code, DnsAnswer, Gauge, Question, Settings, World
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

_USUAL = "usual selectors"


class DkimCheck:
    """Looks at each selector: the declared ones, else the usual ones, of which most do not exist."""

    about: ClassVar[About] = About(
        name="dkim",
        title="DKIM keys",
        targets=DomainTarget,
        interval=1800.0,
        codes=(
            Code("key_missing", Severity.CRITICAL, "a declared selector has no key"),
            Code("key_invalid", Severity.CRITICAL, "verifiers cannot use the key"),
            Code("key_revoked", Severity.CRITICAL, "the key of a declared selector is revoked"),
            Code("key_too_short", Severity.CRITICAL, "verifiers must not accept the key"),
            Code("key_vanished", Severity.CRITICAL, "a key that was there is gone"),
            Code("key_broken", Severity.CRITICAL, "a key that was usable no longer is"),
            Code("several_keys", Severity.WARNING, "several keys at one selector"),
            Code("key_short", Severity.WARNING, "an RSA key of less than 2048 bits"),
            Code("testing", Severity.WARNING, "t=y: verifiers may ignore the signature"),
            Code("key_changed", Severity.INFO, "another key than accepted"),
            Code("none_found", Severity.INFO, "no selector is known"),
        ),
        gauges=(
            Gauge(
                "dkim_key_size",
                "Size in bits of the DKIM key at a selector (256 for Ed25519).",
                labels=("domain", "selector"),
            ),
        ),
        drift_codes={
            Classification.VANISHED: "key_vanished",
            Classification.BROKEN: "key_broken",
            Classification.CHANGED: "key_changed",
        },
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at each selector; and at `usual selectors` as a whole where none is declared."""
        selectors = [
            Selector(name, target.name, target.selectors_declared) for name in target.selectors
        ]
        answers = await world.dns.ask_many([Question(s.place, "TXT") for s in selectors])
        looks = tuple(_look(s, answer) for s, answer in zip(selectors, answers, strict=True))
        if target.selectors_declared:
            return Outcome(looks)
        return Outcome((_usual(target, looks), *looks))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the key record differs from the accepted one in meaning, None where it does not."""
        return evaluate.classify(accepted, seen)


def _look(selector: Selector, answer: DnsAnswer) -> Look:
    # An undeclared selector that nobody can see takes nothing from what is known of the domain.
    weight = 1.0 if selector.declared else 0.0
    if not answer.known:
        return Look.unknown(selector.name, answer.blindness, weight=weight)
    texts = evaluate.keys(answer.records)
    key = evaluate.key_of(texts)
    alias = "" if answer.canonical_name in {"", selector.place.lower()} else answer.canonical_name
    return Look.known(
        selector.name,
        evaluate.findings(selector, answer.records, alias, only_if_key=not selector.declared),
        samples=(Sample("dkim_key_size", float(key.bits), {"selector": selector.name}),)
        if key
        else (),
        # That a declared key is missing is a finding already; drift would say it once more.
        record=None if selector.declared and not texts else evaluate.watched(texts),
        weight=weight,
    )


def _usual(target: DomainTarget, looks: tuple[Look, ...]) -> Look:
    if any(look.record for look in looks) or target.role is Role.PARKED:
        return Look.known(_USUAL)
    blind = [look for look in looks if look.state is LookState.UNKNOWN]
    if blind:
        return Look.unknown(_USUAL, blind[0].reason)
    return Look.known(_USUAL, (evaluate.none_found(target.name),))
