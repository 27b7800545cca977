"""Reverse DNS of sending addresses: PTR, forward confirmation, HELO (RFC 1912 §2.1, RFC 8601 §2.7.3); of pools."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import ClassVar

from checks.rdns import evaluate
from monitor.check import About, Code, DnsAnswer, Question, Settings, World
from monitor.model import (
    Address,
    AddressTarget,
    Classification,
    Drift,
    Look,
    Outcome,
    SenderTarget,
    Severity,
    Target,
)
from monitor.protocol import rdns

_NAME = "name"
_HELO = "helo"
_POOL = "pool"
_MOST_NAMES = 10  # RFC 7208 §5.5 draws the same line: the rest of the names is ignored
MOST_OF_POOL = 64
"""Addresses of one sender whose names are compared."""


def _is_looked_at(target: Target) -> bool:
    """Each address that mail leaves from, and each sender with several.

    Of an address that a range alone tells of nobody knows whether any does: most of a range have no name.
    """
    if isinstance(target, SenderTarget):
        return len(target.addresses) > 1
    return not isinstance(target, AddressTarget) or (target.sends and not target.part_of)


class RdnsCheck:
    """Looks at the names of each address, at its HELO name where one is declared, and at a sender's addresses together."""

    about: ClassVar[About] = About(
        name="rdns",
        title="Reverse DNS",
        targets=(AddressTarget, SenderTarget),
        interval=1800.0,
        codes=(
            Code("missing", Severity.CRITICAL, "no PTR record"),
            Code("not_confirmed", Severity.CRITICAL, "no name leads back to the address"),
            Code("generic_name", Severity.WARNING, "the name looks like a dial-up line's"),
            Code("helo_mismatch", Severity.WARNING, "the HELO name leads elsewhere"),
            Code("helo_differs", Severity.INFO, "the HELO name is not the PTR name"),
            Code("several_names", Severity.INFO, "several PTR records"),
            Code("pool_inconsistent", Severity.INFO, "a sender's names are in different domains"),
            Code("record_changed", Severity.INFO, "other names than accepted"),
        ),
        drift_codes={Classification.CHANGED: "record_changed"},
        applies=_is_looked_at,
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: AddressTarget | SenderTarget, world: World) -> Outcome:
        """One look at `name`, and one at `helo` where a HELO name is declared; of a sender at its `pool`."""
        if isinstance(target, SenderTarget):
            return Outcome((await _pool(target, world),))
        ptr = await world.dns.ask(rdns.reverse_name(target.address), "PTR")
        names = tuple(name.removesuffix(".") for name in ptr.records[:_MOST_NAMES])
        asked = (*names, target.helo) if target.helo else names
        rtype = "A" if target.address.version == 4 else "AAAA"  # noqa: PLR2004
        forward = await world.dns.ask_many([Question(name, rtype) for name in asked])
        look = _name(target, ptr, names, forward[: len(names)])
        if not target.helo:
            return Outcome((look,))
        return Outcome((look, _helo(target, forward[-1], names if ptr.known else None)))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the names of an address differ from the accepted ones, None where they do not."""
        return evaluate.classify(accepted, seen)


async def _pool(target: SenderTarget, world: World) -> Look:
    addresses = [ip_address(text) for text in target.addresses[:MOST_OF_POOL]]
    answers = await world.dns.ask_many([Question(rdns.reverse_name(a), "PTR") for a in addresses])
    names = {
        address: answer.records[:_MOST_NAMES]
        for address, answer in zip(addresses, answers, strict=True)
    }
    findings = evaluate.of_pool(target.sender, names)
    blind = [answer for answer in answers if not answer.known]
    if blind and not findings:
        return Look.unknown(_POOL, blind[0].blindness)
    return Look.known(_POOL, findings)


def _name(
    target: AddressTarget, ptr: DnsAnswer, names: Sequence[str], forward: Sequence[DnsAnswer]
) -> Look:
    if not ptr.known:
        return Look.unknown(_NAME, ptr.blindness)
    if not names:
        # That the name is missing is a finding already: drift would say it once more.
        return Look.known(_NAME, (evaluate.missing(target.address, target.helo),))
    pairs = list(zip(names, forward, strict=True))
    confirmed = [name for name, answer in pairs if _leads_to(target.address, answer)]
    blind = [answer for answer in forward if not answer.known]
    if blind and not confirmed:
        return Look.unknown(_NAME, blind[0].blindness)
    findings = evaluate.of_names(target.address, names, confirmed)
    return Look.known(_NAME, findings, record=evaluate.watched(ptr.records))


def _helo(target: AddressTarget, answer: DnsAnswer, names: Sequence[str] | None) -> Look:
    if not answer.known:
        return Look.unknown(_HELO, answer.blindness)
    resolves = _leads_to(target.address, answer)
    findings = evaluate.of_helo(target.address, target.helo, resolves=resolves, names=names)
    return Look.known(_HELO, findings)


def _leads_to(address: Address, answer: DnsAnswer) -> bool:
    return rdns.forward_confirmed(address, answer.records)
