"""Keeps the proofs of zones, asks each once for all targets, and counts what zones are asked."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from checks.blocklist import proof
from checks.blocklist.catalogue import Zone
from checks.blocklist.proof import Proof
from monitor.check import World
from monitor.protocol.dnsbl import Kind

log = structlog.get_logger()

DAY = 86400.0
_REMEMBERED = 2 * DAY


@dataclass(slots=True)
class _Spent:
    """Questions to one zone since the day began."""

    questions: int = 0


class Prover:
    """What all targets of the check share. Proofs are in the world's memory, gone at a restart."""

    def __init__(self) -> None:
        # Targets run at the same time; the first to need a proof asks for all.
        self._asking: defaultdict[Kind, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prove(
        self,
        zones: Sequence[Zone],
        kind: Kind,
        world: World,
        *,
        no_older: float = proof.GOOD_SECONDS,
    ) -> tuple[dict[str, Proof], Counter[str]]:
        """The proofs by zone, good ones not older than `no_older` seconds, and how often each was asked now."""
        asked: Counter[str] = Counter()
        if self._stale(zones, kind, world, no_older):
            async with self._asking[kind]:
                stale = self._stale(zones, kind, world, no_older)
                asked = await self._ask(stale, kind, world)
        return {zone.name: _kept(zone, kind, world) for zone in zones}, asked

    def doubt(self, zone: Zone, kind: Kind, trouble: str, world: World) -> None:
        """Remember that a zone that had proved itself now refuses or talks nonsense."""
        self._keep(zone, kind, trouble, world)

    def spend(self, zone: Zone, world: World, questions: int = 1) -> bool:
        """Whether the zone's free use allows these questions now; they are counted where it does."""
        spent = world.memory.get(f"spent {zone.name}")
        if not isinstance(spent, _Spent):
            spent = _Spent()
            world.memory.put(f"spent {zone.name}", spent, DAY)
        if zone.queries_a_day is not None and spent.questions + questions > zone.queries_a_day:
            return False
        spent.questions += questions
        return True

    def usable(self, zone: Zone, world: World) -> bool | None:
        """Whether it can be believed in every kind that was tested; None where none was."""
        proofs = [p for kind in zone.kinds if (p := _proof(zone, kind, world))]
        return all(p.good for p in proofs) if proofs else None

    def _stale(
        self, zones: Sequence[Zone], kind: Kind, world: World, no_older: float
    ) -> list[Zone]:
        now = world.clock.monotonic()
        return [
            zone
            for zone in zones
            if (kept := _proof(zone, kind, world)) is None
            or now >= kept.until
            or (kept.good and now - kept.at > no_older)
        ]

    async def _ask(self, zones: Sequence[Zone], kind: Kind, world: World) -> Counter[str]:
        asked: Counter[str] = Counter()
        entries = {zone.name: proof.test_entries(zone, kind) for zone in zones}
        questions = [q for zone in zones for q in proof.questions(zone, entries[zone.name])]
        answers = iter(await world.dns.ask_many(questions) if questions else [])
        for zone in zones:
            own = [next(answers) for _ in entries[zone.name]]
            asked[zone.name] = len(own)
            self.spend(zone, world, len(own))
            self._keep(zone, kind, proof.trouble(zone, entries[zone.name], own), world)
        return asked

    @staticmethod
    def _keep(zone: Zone, kind: Kind, trouble: str, world: World) -> None:
        previous = _proof(zone, kind, world)
        new = proof.next_proof(previous, trouble, world.clock.monotonic())
        world.memory.put(_key(zone, kind), new, _REMEMBERED)
        if not new.good and (previous is None or previous.good):
            log.warning("blocklist.zone_unusable", zone=zone.name, kind=kind.value, reason=trouble)
        elif new.good and previous is not None and not previous.good:
            log.info("blocklist.zone_usable", zone=zone.name, kind=kind.value)


def _key(zone: Zone, kind: Kind) -> str:
    return f"proof {zone.name} {kind}"


def _proof(zone: Zone, kind: Kind, world: World) -> Proof | None:
    kept = world.memory.get(_key(zone, kind))
    return kept if isinstance(kept, Proof) else None


def _kept(zone: Zone, kind: Kind, world: World) -> Proof:
    kept = _proof(zone, kind, world)
    # The memory is bounded: with very many zones it may have dropped what was just put there.
    return kept or Proof("its proof was forgotten", at=0.0, until=0.0)
