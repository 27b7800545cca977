"""Whether receivers find an address or a domain on the blocklists that they ask (RFC 5782)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from checks.blocklist import evaluate
from checks.blocklist.catalogue import Zone, chosen, merged
from checks.blocklist.evaluate import Answered
from checks.blocklist.listing import Listing
from checks.blocklist.proof import Proof, blindness
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
    LinkHostTarget,
    Look,
    LookState,
    Outcome,
    Sample,
    Severity,
)
from monitor.protocol.dnsbl import Kind, State, kind_of, query_name, read
from monitor.protocol.psl import registrable_domain

FRESH_SECONDS = 60.0
"""A listing is confirmed only by a zone that behaved just now: it may have begun to list everyone."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a run asks about: the address or name, its kind, and the zones that list such."""

    subject: Address | str
    kind: Kind
    zones: tuple[Zone, ...]


Listable = AddressTarget | DomainTarget | LinkHostTarget


def _listable(target: Listable) -> Address | str:
    """What zones are asked about; of a host in links its domain: most lists have no hosts."""
    match target:
        case AddressTarget():
            return target.address
        case LinkHostTarget():
            return registrable_domain(target.host) or target.host
        case DomainTarget():
            return target.name


class BlocklistCheck:
    """Asks every zone that lists this kind of target, once the zone has proved that it works."""

    about: ClassVar[About] = About(
        name="blocklist",
        title="Blocklists",
        targets=(AddressTarget, DomainTarget, LinkHostTarget),
        interval=3600.0,
        settings=BlocklistSettings,
        codes=(
            Code("address_listed", Severity.CRITICAL, "a zone lists the address"),
            Code("domain_listed", Severity.CRITICAL, "a zone lists the domain"),
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
        self._zones = chosen(merged(settings.catalogue), settings.zones, plain(settings.keys))
        self._prover = Prover()
        self._listing = Listing(settings)

    async def run(self, target: Listable, world: World) -> Outcome:
        """A look at every zone that lists such targets; all are asked at once."""
        subject = _listable(target)
        kind = kind_of(subject)
        asked = _Asked(subject, kind, tuple(z for z in self._zones if kind in z.kinds))
        if not asked.zones:
            return Outcome.unknown(f"no zone that is configured lists {evaluate.PLURAL[kind]}")
        proofs, tested = await self._prover.prove(asked.zones, kind, world)
        usable = [zone for zone in asked.zones if proofs[zone.name].good]
        due = [zone for zone in usable if self._prover.spend(zone, world)]
        answers = await self._answers(asked, due, world)
        if world.confirming:
            await self._prove_again(asked, answers, proofs, tested, world)
        looks = tuple(
            _look(asked, zone, proofs[zone.name], answers.get(zone.name)) for zone in asked.zones
        )
        return Outcome(
            looks, samples=(*self._samples(asked, looks, world), *_queries(answers, tested))
        )

    def asks(self, target: Listable) -> tuple[Asks, ...]:
        """One question to each zone that lists such targets; their test entries come on top."""
        kind = kind_of(_listable(target))
        return tuple(Asks(z.name, 1, z.queries_a_day) for z in self._zones if kind in z.kinds)

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
        names = [query_name(asked.subject, zone.origin) for zone in zones]
        records = await world.dns.ask_many([Question(name, "A") for name in names])
        read_answers = {
            zone.name: Answered(zone, answer, read(answer.records, zone.codes))
            for zone, answer in zip(zones, records, strict=True)
        }
        listing = [a for a in read_answers.values() if a.state == State.LISTED]
        texts = await world.dns.ask_many([Question(a.answer.question.name, "TXT") for a in listing])
        for said, text in zip(listing, texts, strict=True):
            read_answers[said.zone.name] = said.with_text(text.records)
        for said in read_answers.values():
            if said.state in {State.REFUSED, State.NONSENSE}:
                self._prover.doubt(said.zone, asked.kind, said.trouble, world)
        return read_answers

    async def _prove_again(
        self,
        asked: _Asked,
        answers: dict[str, Answered],
        proofs: dict[str, Proof],
        tested: Counter[str],
        world: World,
    ) -> None:
        listing = [a.zone for a in answers.values() if a.state == State.LISTED]
        fresh, more = await self._prover.prove(listing, asked.kind, world, no_older=FRESH_SECONDS)
        proofs.update(fresh)
        tested.update(more)

    def _samples(self, asked: _Asked, looks: Sequence[Look], world: World) -> Iterable[Sample]:
        states = Counter(map(evaluate.state_label, filter(_was_due, looks)))
        for state in ("listed", "clean", "unknown"):
            yield Sample("blocklist_zones", float(states[state]), {"state": state})
        for zone in asked.zones:
            usable = self._prover.usable(zone, world)
            if usable is not None:
                labels = {"zone": zone.name, "severity": zone.severity.value}
                yield Sample("blocklist_zone_usable", float(usable), labels)


def _look(asked: _Asked, zone: Zone, proof: Proof, said: Answered | None) -> Look:
    if not proof.good:
        return Look.unknown(zone.name, proof.trouble, weight=zone.weight)
    if said is None:
        return Look.not_due(zone.name, weight=zone.weight)
    if not said.answer.known:
        reason = f"the zone does not answer: {blindness(zone, said.answer)}"
        return Look.unknown(zone.name, reason, weight=zone.weight)
    if said.trouble:
        return Look.unknown(zone.name, said.trouble, weight=zone.weight)
    return evaluate.known(said, asked.subject)


def _was_due(look: Look) -> bool:
    return look.state is not LookState.NOT_DUE


def _queries(answers: dict[str, Answered], tested: Counter[str]) -> Iterable[Sample]:
    counts = Counter((said.zone.name, said.state) for said in answers.values())
    counts.update({(name, "proof"): questions for name, questions in tested.items()})
    for (name, outcome), number in counts.items():
        labels = {"zone": name, "outcome": outcome}
        yield Sample("blocklist_zone_queries_total", float(number), labels)
