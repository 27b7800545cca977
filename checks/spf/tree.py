"""The tree of records below a record, and the names that its own terms ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.check import DnsAnswer, DnsStatus, Question, World
from monitor.protocol import psl, spf
from monitor.protocol.spf import LookupCount, Mechanism, MechanismName, SpfRecord

_ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True, slots=True)
class Tree:
    """What `count_lookups` makes of a record, with all that was asked for it.

    Attributes:
        texts: the TXT texts of included domains; None where there was no answer.
        reasons: why there was none, by domain.
        absent: the included domains that do not exist (NXDOMAIN).
        unregistered: of these, the ones that nobody has registered -> what could be registered.
    """

    count: LookupCount
    texts: Mapping[str, tuple[str, ...] | None]
    reasons: Mapping[str, str]
    absent: frozenset[str]
    unregistered: Mapping[str, str]

    @property
    def dead(self) -> tuple[str, ...]:
        """The included domains that have no SPF record, as far as is known."""
        answered = [(name, self.texts.get(name)) for name in self.count.included]
        return tuple(
            name
            for name, texts in answered
            if texts is not None and not any(map(spf.is_spf, texts))
        )

    @property
    def blindness(self) -> str:
        """Why the tree is not known to its ends; "" where it is."""
        return "; ".join(self.reasons[name] for name in self.count.unanswered)


async def ask_ahead(domain: str, world: World) -> None:
    """Ask for the tree of the record that the resolver has, while the authoritative servers are asked for it.

    It is mostly the same record, and no question is asked twice: a look is shorter by the tree's depth.
    """
    record = spf.usable_record((await world.dns.ask(domain, "TXT")).records)
    if record is not None:
        await walk(domain, record, world)


async def walk(domain: str, record: SpfRecord, world: World) -> Tree:
    """Ask for the tree, a level at a time; the count ends at 50, and so does this."""
    answers: dict[str, DnsAnswer] = {}
    texts: dict[str, tuple[str, ...] | None] = {}
    count = spf.count_lookups(domain, record, texts)
    while count.missing:
        asked = await world.dns.ask_many([Question(name, "TXT") for name in count.missing])
        for name, answer in zip(count.missing, asked, strict=True):
            answers[name] = answer
            texts[name] = answer.records if answer.known else None
        count = spf.count_lookups(domain, record, texts)
    absent = frozenset(n for n, answer in answers.items() if answer.status is DnsStatus.NXDOMAIN)
    return Tree(
        count,
        texts,
        {name: answer.blindness for name, answer in answers.items()},
        absent,
        await _unregistered(absent, world),
    )


async def _unregistered(absent: frozenset[str], world: World) -> dict[str, str]:
    """Whoever registers such a domain decides who may send."""
    registrable = {
        name: found for name in sorted(absent) if (found := psl.registrable_domain(name))
    }
    names = tuple(dict.fromkeys(registrable.values()))
    answers = await world.dns.ask_many([Question(name, "NS") for name in names])
    free = {name for name, a in zip(names, answers, strict=True) if a.status is DnsStatus.NXDOMAIN}
    return {name: found for name, found in registrable.items() if found in free}


@dataclass(frozen=True, slots=True)
class Void:
    """What the terms of a record ask for in vain: `names` as `a:gone.example.com`; `blindness` as in `Tree`."""

    names: tuple[str, ...]
    blindness: str


def asking(record: SpfRecord) -> tuple[Mechanism, ...]:
    """The terms `a`, `mx` and `exists` that name no macro: what they find is known without a message."""
    kinds = {MechanismName.A, MechanismName.MX, MechanismName.EXISTS}
    terms = [m for m in record.reachable if m.name in kinds and not spf.has_macro(m.domain)]
    return tuple(terms[: spf.MAX_LOOKUPS])


async def void(domain: str, record: SpfRecord, world: World) -> Void:
    """Ask what the terms ask for. A name that has addresses of either family is not in vain."""
    terms = asking(record)
    exchanges = await world.dns.ask_many(
        [Question(m.domain or domain, "MX") for m in terms if m.name is MechanismName.MX]
    )
    wanted: dict[str, tuple[Question, ...]] = {}
    for term in terms:
        name = term.domain or domain
        if term.name is not MechanismName.MX:
            types = ("A",) if term.name is MechanismName.EXISTS else _ADDRESSES
            written = f"{term.name}{term.domain and ':' + term.domain}"
            wanted[written] = tuple(Question(name, rtype) for rtype in types)
    for answer in exchanges:
        for host in _hosts(answer):
            wanted[f"mx {host}"] = tuple(Question(host, rtype) for rtype in _ADDRESSES)
    answers = await world.dns.ask_many([q for questions in wanted.values() for q in questions])
    said = {answer.question: answer for answer in (*answers, *exchanges)}
    empty = [
        f"mx:{answer.question.name}" for answer in exchanges if answer.known and not answer.records
    ]
    empty += [
        written
        for written, questions in wanted.items()
        if all(said[q].known and not said[q].records for q in questions)
    ]
    blind = [answer.blindness for answer in said.values() if not answer.known]
    return Void(tuple(empty), "; ".join(blind))


def _hosts(exchange: DnsAnswer) -> list[str]:
    hosts = [record.partition(" ")[2].removesuffix(".") for record in exchange.records]
    return [host for host in hosts if host][: spf.MAX_LOOKUPS]
