"""Whether receivers find an address or a domain on the blocklists that they ask (RFC 5782)."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import structlog

from checks.blocklist import budget, evaluate, known_listings, zone_looks
from checks.blocklist.catalogue import Zone, chosen, merged
from checks.blocklist.evaluate import Answered
from checks.blocklist.listing import Listing
from checks.blocklist.proof import Proof, Trouble
from checks.blocklist.prover import Prover
from checks.blocklist.settings import BlocklistSettings, plain
from monitor.check import (
    About,
    Asks,
    Code,
    Confirm,
    DeadZone,
    Gauge,
    Question,
    World,
    ZoneFacts,
    ZoneTrial,
    enough_subjects,
)
from monitor.model import (
    Address,
    AddressTarget,
    DomainTarget,
    Look,
    LookState,
    MonitorTarget,
    NamedDomainTarget,
    Outcome,
    Sample,
    Severity,
    Status,
)
from monitor.protocol.dnsbl import Kind, State, kind_of, query_names, read

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a run asks about: the address or name, its kind, and the zones that list such.

    `sends`: mail leaves from it. `only_by`: what of the domain's SPF record alone tells of it.
    """

    subject: Address | str
    domain: str
    kind: Kind
    sends: bool
    only_by: str
    zones: tuple[Zone, ...]


Listable = AddressTarget | DomainTarget | NamedDomainTarget


def _listable(target: Listable) -> Address | str:
    """What zones are asked about."""
    match target:
        case AddressTarget():
            return target.address
        case DomainTarget() | NamedDomainTarget():
            return target.name


def _only_by(target: Listable) -> str:
    """The SPF term that alone tells of it; "" where it is declared, by itself or in a range, or a mail host's."""
    return target.part_of if isinstance(target, AddressTarget) and not target.sender else ""


class BlocklistCheck:
    """Asks every zone that lists this kind of target, once the zone has proved that it works.

    Of the monitor itself it says which zones do not, and whether that lies with our resolver.
    """

    about: ClassVar[About] = About(
        name="blocklist",
        title="Blocklists",
        targets=(MonitorTarget, AddressTarget, DomainTarget, NamedDomainTarget),
        interval=3600.0,
        settings=BlocklistSettings,
        codes=(
            Code("address_listed", Severity.CRITICAL, "a zone lists the address"),
            Code("domain_listed", Severity.CRITICAL, "a zone lists the domain"),
            Code("zone_refused", Severity.WARNING, "a zone refuses to answer us"),
            Code("zone_silent", Severity.WARNING, "a zone does not answer"),
            Code("zone_lists_everyone", Severity.WARNING, "a zone lists what nobody should"),
            Code("zone_dead", Severity.WARNING, "a zone does not list its own test entries"),
            Code("zones_blind", Severity.WARNING, "our resolver is served by too few zones"),
            Code("resolver_public", Severity.WARNING, "our resolver is one that zones refuse"),
        ),
        gauges=(
            Gauge(
                "blocklist_listed",
                "1 where a zone lists the target.",
                labels=("target", "domain", "kind", "zone", "severity", "meaning"),
            ),
            Gauge(
                "blocklist_zones",
                "Zones by what they say of the domain and its addresses (listed, clean, unknown).",
                labels=("domain", "state"),
                total=True,
            ),
            Gauge(
                "blocklist_zone_usable",
                "1 where a zone's own test entries behave; severity is the gravest that it can say.",
                labels=("zone", "severity"),
            ),
            Gauge(
                "blocklist_zone_fault",
                "1 where a finding about the zone is open; code is that finding's.",
                labels=("zone", "code", "severity"),
            ),
            Gauge(
                "blocklist_zone_queries_total",
                "Questions to a zone by what came of them; proof is about its own test entries.",
                labels=("zone", "outcome"),
                counter=True,
            ),
        ),
        confirm=Confirm.OTHER_RESOLVER,
        confirms_clearing=True,
        roll_up=enough_subjects(0.5),
    )

    def __init__(self, settings: BlocklistSettings) -> None:
        catalogue, keys = merged(settings.catalogue), plain(settings.keys)
        self._zones = chosen(catalogue, settings.zones, keys)
        self._prover = Prover()
        self._listing = Listing(catalogue, self._zones, keys)
        self._shared_resolver = ""

    async def run(self, target: Listable | MonitorTarget, world: World) -> Outcome:
        """A look at every zone that lists such targets; all are asked at once."""
        if isinstance(target, MonitorTarget):
            return await self._look_at_zones(world)
        subject = _listable(target)
        kind = kind_of(subject)
        sends = not isinstance(target, AddressTarget) or target.sends
        asked = _Asked(subject, target.domain, kind, sends, _only_by(target), self._of_kind(kind))
        if not asked.zones:
            return Outcome.unknown(f"no zone that is configured lists {evaluate.PLURAL[kind]}")
        proofs, tested = await self._prover.prove(asked.zones, kind, world)
        usable = [zone for zone in asked.zones if proofs[zone.name].good]
        due = await budget.due(usable, target, world)
        answers = await self._answers(asked, due, world)
        await self._prove_again(asked, answers, proofs, tested, world)
        looks = tuple(
            _look(asked, zone, proofs[zone.name], answers.get(zone.name), world)
            for zone in asked.zones
        )
        return Outcome(looks, samples=(*_states(looks), *_queries(answers, tested)))

    async def _look_at_zones(self, world: World) -> Outcome:
        """A look at every zone itself, by the proofs of all its kinds, and at our resolver."""
        kinds = [kind for kind in Kind if self._of_kind(kind)]
        since = world.clock.monotonic() if world.confirming else float("-inf")
        proved = await asyncio.gather(
            *(self._prover.prove(self._of_kind(kind), kind, world, since=since) for kind in kinds)
        )
        troubles: dict[str, Trouble] = {}
        tested: Counter[str] = Counter()
        for proofs, asked in proved:
            tested.update(asked)
            for name, proof in proofs.items():
                if proof.trouble:
                    troubles.setdefault(name, proof.trouble)
        looks = zone_looks.looks(self._zones, troubles, world.nameservers)
        self._tell_shared_resolver(looks[0], world)
        usable = (
            Sample(
                "blocklist_zone_usable",
                float(zone.name not in troubles),
                {"zone": zone.name, "severity": zone.severity.value},
            )
            for zone in self._zones
        )
        return Outcome(looks, samples=(*usable, *_queries({}, tested)))

    def _tell_shared_resolver(self, look: Look, world: World) -> None:
        """Say in the log, once, that our resolver is one that zones refuse."""
        shared = zone_looks.shared(world.nameservers) if look.findings else ""
        if shared and shared != self._shared_resolver:
            finding = look.findings[0]
            log.warning(
                "blocklist.resolver_public",
                resolver=shared,
                zones=finding.evidence,
                fix=finding.fix,
            )
        self._shared_resolver = shared

    def _of_kind(self, kind: Kind) -> tuple[Zone, ...]:
        return tuple(zone for zone in self._zones if kind in zone.kinds)

    def asks(self, target: Listable | MonitorTarget) -> tuple[Asks, ...]:
        """One question to each zone that lists such targets; their test entries come on top."""
        if isinstance(target, MonitorTarget):
            return ()
        kind = kind_of(_listable(target))
        return tuple(budget.asks(self._of_kind(kind)))

    def asks_besides(self, targets: Sequence[Listable | MonitorTarget]) -> tuple[Asks, ...]:
        """The questions of a day about the zones' test entries; looks at the monitor itself prove all kinds."""
        of_all = any(isinstance(target, MonitorTarget) for target in targets)
        kinds = {kind_of(_listable(t)) for t in targets if not isinstance(t, MonitorTarget)}
        return tuple(budget.proofs_of_a_day(self._zones, Kind if of_all else kinds))

    def zones(self) -> tuple[ZoneFacts, ...]:
        """The catalogue; what is asked now stands first."""
        return self._listing.zones

    def dead_zones(self) -> tuple[DeadZone, ...]:
        """Zones that are no more."""
        return self._listing.dead_zones

    async def try_zone(self, name: str, world: World) -> ZoneTrial:
        """Ask a zone for its test entries now; a KeyError where there is no such zone."""
        return await self._listing.try_zone(name, world)

    async def _answers(
        self, asked: _Asked, zones: Sequence[Zone], world: World
    ) -> dict[str, Answered]:
        """What each zone said; a listing with its text."""
        names = query_names(asked.subject, [zone.origin for zone in zones])
        records = await world.zones.ask_many([Question(name, "A") for name in names])
        read_answers = {
            zone.name: Answered(zone, answer, read(answer.records, zone.codes))
            for zone, answer in zip(zones, records, strict=True)
        }
        listing = [a for a in read_answers.values() if a.state == State.LISTED]
        readable = await budget.readable([a.zone for a in listing], world)
        listing = [a for a in listing if a.zone in readable]
        texts = await world.zones.ask_many(
            [Question(a.answer.question.name, "TXT") for a in listing]
        )
        for said, text in zip(listing, texts, strict=True):
            read_answers[said.zone.name] = said.with_text(text.records)
        for said in read_answers.values():
            await self._weigh(said, asked.kind, world)
        return read_answers

    async def _weigh(self, said: Answered, kind: Kind, world: World) -> None:
        """Put the zone into quarantine where its answer, or that it does not come any more, discredits it."""
        if said.answer.known:
            self._prover.heard(said.zone, kind)
            doubtful = said.discredits
        else:
            # A resolver of ours that fails says nothing of the zones.
            fell_silent = self._prover.fell_silent(said.zone, kind)
            doubtful = fell_silent and await world.canaries.resolver() is None
        if doubtful and said.trouble:
            self._prover.doubt(said.zone, kind, said.trouble, world)

    async def _prove_again(
        self,
        asked: _Asked,
        answers: dict[str, Answered],
        proofs: dict[str, Proof],
        tested: Counter[str],
        world: World,
    ) -> None:
        """A listing is told, and its end is, only if its zone still behaves after it said so.

        It may have begun to list everyone, or nobody. Ordinary looks are held to it too: where the configuration
        wants no confirming ones, what they tell counts at once.
        """
        known = known_listings.zones_that_list(str(asked.subject), asked.domain, world)
        news = [
            said.zone
            for name, said in answers.items()
            if _is_news(asked, said, known.get(name), confirming=world.confirming)
        ]
        since = world.clock.monotonic()
        fresh, more = await self._prover.prove(news, asked.kind, world, since=since)
        proofs.update(fresh)
        tested.update(more)


def _is_news(asked: _Asked, said: Answered, before: Status | None, *, confirming: bool) -> bool:
    """Whether it says another thing than is known already; to a confirming look any listing is news.

    `before`: the target's status where a listing of it in the zone is open.
    """
    if said.trouble:
        return False
    severity = evaluate.gravest(said, asked.subject, sends=asked.sends, only_by=asked.only_by)
    if severity is None or before is None or confirming:
        return severity is not None or before is not None
    return severity is Severity.CRITICAL and before is not Status.CRITICAL


def _look(asked: _Asked, zone: Zone, proof: Proof, said: Answered | None, world: World) -> Look:
    trouble = proof.trouble or (said.trouble if said else None)
    if trouble:
        return Look.unknown(zone.name, trouble.reason, weight=zone.weight)
    if said is None:
        return Look.not_due(zone.name, weight=zone.weight)
    besides = ""
    if said.state == State.LISTED and not isinstance(asked.subject, str):
        besides = known_listings.in_range(asked.subject, asked.domain, zone.name, world)
    return evaluate.known(
        said, asked.subject, sends=asked.sends, only_by=asked.only_by, besides=besides
    )


def _states(looks: Sequence[Look]) -> Iterable[Sample]:
    states = Counter(map(evaluate.state_label, filter(_was_due, looks)))
    for state in ("listed", "clean", "unknown"):
        yield Sample("blocklist_zones", float(states[state]), {"state": state})


def _was_due(look: Look) -> bool:
    return look.state is not LookState.NOT_DUE


def _queries(answers: Mapping[str, Answered], tested: Mapping[str, int]) -> Iterable[Sample]:
    counts = Counter((said.zone.name, said.state) for said in answers.values())
    counts.update({(name, "proof"): questions for name, questions in tested.items()})
    for (name, outcome), number in counts.items():
        labels = {"zone": name, "outcome": outcome}
        yield Sample("blocklist_zone_queries_total", float(number), labels)
