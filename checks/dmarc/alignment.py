"""Whether what the senders of a domain authenticate aligns with it, and what its organisation is."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from monitor.check import Question, World
from monitor.model import DomainTarget, Finding, Look, Sender
from monitor.protocol import dmarc, psl
from monitor.protocol.dmarc import Alignment, Discovery

SUBJECT = "alignment"

MOST_ENVELOPE_DOMAINS = 20
"""Of all senders of a domain, that are looked up."""


async def look(target: DomainTarget, discovery: Discovery, world: World) -> Look:
    """The look at `alignment`; unknown where the tree walk of a name got no answer."""
    envelopes = _envelope_domains(target)
    found = await asyncio.gather(*(_discover(name, world) for name in envelopes))
    # Where no sender's domain is at stake the organisation only informs.
    weight = 1.0 if envelopes else 0.0
    blind = [name for one in (discovery, *found) for name in one.unanswered]
    if blind:
        return Look.unknown(SUBJECT, f"_dmarc.{blind[0]} TXT: no answer", weight=weight)
    organizational = {one.domain: one.organizational_domain for one in (discovery, *found)}
    return Look.known(
        SUBJECT,
        (*_of_organisation(discovery), *_of_senders(target, discovery, organizational)),
        weight=weight,
    )


def _envelope_domains(target: DomainTarget) -> tuple[str, ...]:
    """Those that are not the domain itself, as are the senders' that declare none."""
    named = (name.lower() for sender in target.senders for name in sender.envelope_domains)
    others = dict.fromkeys(name for name in named if name != target.name)
    return tuple(others)[:MOST_ENVELOPE_DOMAINS]


async def _discover(domain: str, world: World) -> Discovery:
    names = dmarc.tree_walk(domain)
    answers = await world.dns.ask_many([Question(name, "TXT") for name in names])
    texts = {a.question.name: a.records if a.known else None for a in answers}
    return dmarc.discover(domain, texts)


def _of_organisation(discovery: Discovery) -> Iterator[Finding]:
    by_tree, by_list = discovery.organizational_domain, psl.registrable_domain(discovery.domain)
    if discovery.record is None or by_list is None or by_tree == by_list:
        return
    yield Finding(
        "organizational_domain_differs",
        f"the organizational domain of {discovery.domain} is {by_tree} by the DNS (RFC 9989) and {by_list} by the "
        "public suffix list (RFC 7489): receivers differ in what aligns and whose policy is inherited",
        fix=f"Publish a DMARC record with psd=n at _dmarc.{by_list} (add psd=n where there is one)",
        evidence=discovery.text,
    )


def _of_senders(
    target: DomainTarget, discovery: Discovery, organizational: Mapping[str, str]
) -> Iterator[Finding]:
    record = discovery.record
    if record is None:
        # Without a record nothing fails DMARC, and whose names are one organisation's is open.
        return
    of_senders = {selector for sender in target.senders for selector in sender.dkim_selectors}
    # A selector that is declared for the domain alone may be any sender's.
    shared = target.selectors_declared and bool(set(target.selectors) - of_senders)
    for sender in target.senders:
        unaligned = [
            name
            for name in dict.fromkeys(map(str.lower, sender.envelope_domains))
            if name in organizational
            and not dmarc.aligned(target.name, name, organizational, record.aspf)
        ]
        if unaligned:
            signs = bool(sender.dkim_selectors) or shared
            yield _unaligned(target.name, sender, unaligned, record.aspf, signs=signs)


def _unaligned(
    domain: str, sender: Sender, unaligned: Sequence[str], mode: Alignment, *, signs: bool
) -> Finding:
    how = "strictly (aspf=s)" if mode is Alignment.STRICT else "even relaxed"
    envelopes = ", ".join(unaligned)
    own = f"a subdomain of {domain}" if mode is Alignment.RELAXED else domain
    if signs:
        return Finding(
            "envelope_not_aligned",
            f"the envelope domain {envelopes} of {sender.name} does not align with {domain} {how}: "
            "DMARC rests on its DKIM signature alone",
            fix=f"Have {sender.name} use {own} as envelope sender (custom return path)",
        )
    return Finding(
        "sender_not_aligned",
        f"mail of {sender.name} as {domain} fails DMARC: its envelope domain {envelopes} does not align {how}, "
        f"and no DKIM selector of {domain} is declared for it",
        fix=(
            f"Have {sender.name} sign with a key at {domain} and declare its selector (`dkim_selectors`), "
            f"or use {own} as envelope sender"
        ),
    )
