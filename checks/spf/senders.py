"""Whether what a sender sends passes SPF: each of its addresses, for each of its envelope domains."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

from checks.spf import tree
from monitor.check import DnsAnswer, World
from monitor.model import Address, DomainTarget, Finding, Look, SenderTarget, Severity
from monitor.protocol import psl, spf
from monitor.protocol.platforms import includes_of
from monitor.protocol.spf import Answer, Result, SpfRecord, Verdict

_SHOWN = 5
_NOBODY_ELSE = "v=spf1 ~all"
# An include leads to networks directly, or through one or two others.
_LEVELS = 3


def applies(target: DomainTarget | SenderTarget) -> bool:
    """A sender needs addresses, or a platform whose includes are known: else there is nothing to see."""
    if isinstance(target, DomainTarget):
        return True
    return bool(target.addresses or target.ranges or includes_of(target.platform))


async def looks(target: SenderTarget, world: World) -> tuple[Look, ...]:
    """One look at each envelope domain; the domain itself where none is declared."""
    envelopes = tuple(dict.fromkeys(target.envelope_domains)) or (target.domain,)
    look = _at_addresses if target.addresses or target.ranges else _at_platform
    return tuple([await look(target, envelope, world) for envelope in envelopes])


# --- addresses -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Judged:
    address: Address
    verdict: Verdict

    @property
    def severity(self) -> Severity:
        """`fail` and `permerror` get mail refused; the others leave it to DKIM."""
        refused = self.verdict.result in {Result.FAIL, Result.PERMERROR}
        return Severity.CRITICAL if refused else Severity.WARNING


async def _at_addresses(target: SenderTarget, envelope: str, world: World) -> Look:
    judged = [await _judge(ip_address(text), target, envelope, world) for text in target.addresses]
    for text in target.ranges:
        judged += await _of_range(ip_network(text), target, envelope, world)
    blind = [one for one in judged if one.verdict.result is Result.TEMPERROR]
    refused = [one for one in judged if one.verdict.result not in {Result.PASS, Result.TEMPERROR}]
    # The gravest first; what is gravely wrong stays so whatever the rest says, lesser trouble may hide a graver one.
    refused.sort(key=lambda one: one.severity is not Severity.CRITICAL)
    if refused and (not blind or refused[0].severity is Severity.CRITICAL):
        own = await world.dns.ask(envelope, "TXT")
        return Look.known(envelope, (_not_authorised(target, envelope, refused, own),))
    if blind:
        return Look.unknown(envelope, blind[0].verdict.reason)
    return Look.known(envelope)


async def _of_range(
    network: IPv4Network | IPv6Network, target: SenderTarget, envelope: str, world: World
) -> list[_Judged]:
    """Nothing where one address may send: whether any mail leaves from the others, nobody knows."""
    judged: list[_Judged] = []
    for address in network:
        judged.append(await _judge(address, target, envelope, world))
        if judged[-1].verdict.result is Result.PASS:
            return []
    # One of those that could not be judged may be the one.
    return [one for one in judged if one.verdict.result is Result.TEMPERROR] or judged


async def _judge(address: Address, target: SenderTarget, envelope: str, world: World) -> _Judged:
    # Answers from memory never wait: let others run between the addresses of a network.
    await asyncio.sleep(0)
    return _Judged(address, await _verdict(address, envelope, target.helo, world))


async def _verdict(address: Address, envelope: str, helo: str, world: World) -> Verdict:
    async def lookup(name: str, rtype: str, /) -> Answer:
        answer = await world.dns.ask(name, rtype)
        return Answer(answer.records, "" if answer.known else answer.blindness)

    sender = f"postmaster@{envelope}"
    return await spf.check_host(address, envelope, sender, lookup=lookup, helo=helo or "unknown")


def _not_authorised(
    target: SenderTarget, envelope: str, refused: Sequence[_Judged], own: DnsAnswer
) -> Finding:
    first, others = refused[0], len(refused) - 1
    more = f" and {others} other address{'es' * (others > 1)}" if others else ""
    return Finding(
        "sender_not_authorised",
        f"{target.sender} sends as {envelope} from {first.address}{more}, and receivers answer "
        f"{first.verdict.result}: {first.verdict.reason}",
        fix=_advice(target, own, refused),
        evidence="\n".join(
            (
                *(f"{one.address}: {one.verdict.result}" for one in refused[:_SHOWN]),
                *(map(str, first.verdict.trace)),
            )
        ),
        severity=first.severity,
    )


def _advice(target: SenderTarget, own: DnsAnswer, refused: Sequence[_Judged]) -> str:
    records = [text for text in own.records if spf.is_spf(text)]
    if not records:
        return _publish(own, _terms(target, refused, None), _NOBODY_ELSE)
    record = spf.usable_record(records)
    if record is None:
        return f"Correct the SPF record of {_place(own)} first: {refused[0].verdict.reason}"
    # In front it is reached first, whatever stands behind it, and addresses cost no lookup.
    return _publish(own, _terms(target, refused, record), records[0])


def _place(own: DnsAnswer) -> str:
    """Where the record stands: nothing may stand beside an alias (RFC 1034 §3.6.2)."""
    return own.canonical_name or own.question.name


def _publish(own: DnsAnswer, terms: str, record: str) -> str:
    """The record with these terms in front of its own."""
    others = record[len("v=spf1") :].split()
    return f'Publish: {_place(own)}. IN TXT "{" ".join(("v=spf1", terms, *others))}"'


def _terms(target: SenderTarget, refused: Sequence[_Judged], record: SpfRecord | None) -> str:
    """The platform's include where the record lacks it, else the addresses."""
    includes = includes_of(target.platform)
    included = [m.domain for m in record.mechanisms] if record else []
    if includes and not any(_belongs(name, includes) for name in included):
        return f"include:{includes[0]}"
    addresses = [one.address for one in refused]
    ip4 = collapse_addresses(IPv4Network(a) for a in addresses if isinstance(a, IPv4Address))
    ip6 = collapse_addresses(IPv6Network(a) for a in addresses if isinstance(a, IPv6Address))
    networks = [*(f"ip4:{network}" for network in ip4), *(f"ip6:{network}" for network in ip6)]
    return " ".join(term.removesuffix("/32").removesuffix("/128") for term in networks)


# --- a platform without addresses ------------------------------------------------------------------


async def _at_platform(target: SenderTarget, envelope: str, world: World) -> Look:
    """Whether the platform may send: one of its addresses passes, or its name stands in the tree."""
    includes = includes_of(target.platform)
    own = await world.dns.ask(envelope, "TXT")
    if not own.known:
        return Look.unknown(envelope, own.blindness)
    sample, blindness = await _an_address(includes[0], world)
    verdict = await _verdict(sample, envelope, target.helo, world) if sample else None
    # A subdomain that is an alias to the platform has the platform's own record.
    if _belongs(own.canonical_name, includes) or (verdict and verdict.result is Result.PASS):
        return Look.known(envelope)
    if verdict and verdict.result is Result.TEMPERROR:
        return Look.unknown(envelope, verdict.reason)
    look = await _by_names(target, envelope, own, world)
    # Without one of its addresses it is not known that none of them passes.
    return Look.unknown(envelope, blindness) if blindness and look.findings else look


async def _by_names(target: SenderTarget, envelope: str, own: DnsAnswer, world: World) -> Look:
    records = [text for text in own.records if spf.is_spf(text)]
    record = spf.usable_record(records) if records else SpfRecord()
    if record is None:
        return Look.known(envelope)  # a record that nobody can read is told of the domain
    found = await tree.walk(envelope, record, world)
    includes = includes_of(target.platform)
    if found.count.by_message or any(_belongs(name, includes) for name in found.count.included):
        return Look.known(envelope)
    if found.count.unanswered:
        return Look.unknown(envelope, found.blindness)
    return Look.known(envelope, (_not_included(target, own, includes[0], records),))


async def _an_address(include: str, world: World) -> tuple[Address | None, str]:
    """The first address of the first network that an include admits, None where none is found; and why not."""
    name = include
    for _ in range(_LEVELS):
        answer = await world.dns.ask(name, "TXT")
        if not answer.known:
            return None, answer.blindness
        record = spf.usable_record(answer.records)
        if record is None:
            break
        networks = [m.network for m in record.reachable if m.network is not None]
        if networks:
            return networks[0].network_address, ""
        targets = [m.domain for m in record.reachable if m.name is spf.MechanismName.INCLUDE]
        targets += [record.redirect] if record.redirect else []
        if not targets:
            break
        name = targets[0]
    return None, ""


def _belongs(name: str, includes: Sequence[str]) -> bool:
    """Whether a name is the platform's: under the same registrable domain as one of its includes."""
    registrable = psl.registrable_domain(name)
    return registrable is not None and registrable in map(psl.registrable_domain, includes)


def _not_included(
    target: SenderTarget, own: DnsAnswer, include: str, records: Sequence[str]
) -> Finding:
    declared = bool(target.envelope_domains)
    publish = _publish(own, f"include:{include}", records[0] if records else _NOBODY_ELSE)
    otherwise = (
        "; or declare the sender's `addresses`, where it has its own"
        if declared
        else "; or declare its `envelope_domains`, where it has a domain of its own for bounces"
    )
    return Finding(
        "platform_not_included",
        f"{target.sender} sends as {own.question.name} by {target.platform}, whose servers the SPF record does not admit",
        fix=publish + otherwise,
        evidence="\n".join(records),
        # Most platforms have an envelope domain of their own: without one declared it may all be well.
        severity=None if declared else Severity.INFO,
    )
