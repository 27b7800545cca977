"""Keeps the proofs of zones, asks each once for all targets, and counts what zones are asked."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence

import structlog

from checks.blocklist import budget, proof
from checks.blocklist.catalogue import Zone
from checks.blocklist.proof import Proof, Trouble
from monitor.check import World, ZoneState
from monitor.protocol.dnsbl import Kind

log = structlog.get_logger()

_REMEMBERED = 2 * 86400.0
SILENCES = 5
"""So many questions in a row without an answer, whoever they are about, and a zone is in quarantine."""


class Prover:
    """What all targets of the check share. Proofs are in the world's memory, gone at a restart."""

    def __init__(self) -> None:
        # Targets run at the same time; the first to need a proof asks for all.
        self._asking: defaultdict[Kind, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._silences: Counter[tuple[str, Kind]] = Counter()

    async def prove(
        self,
        zones: Sequence[Zone],
        kind: Kind,
        world: World,
        *,
        since: float = float("-inf"),
    ) -> tuple[dict[str, Proof], Counter[str]]:
        """The proofs by zone, and how often each was asked now.

        `since` (monotonic seconds): zones were asked after it, however good or bad they were before.
        """
        asked: Counter[str] = Counter()
        if _stale(zones, kind, world, since):
            async with self._asking[kind]:
                # Somebody else may have asked while we waited.
                asked = await self._ask(_stale(zones, kind, world, since), kind, world)
        return {zone.name: _proved(zone, kind, world, since) for zone in zones}, asked

    def doubt(self, zone: Zone, kind: Kind, trouble: Trouble, world: World) -> None:
        """Remember that a zone that had proved itself now refuses, is silent or talks nonsense."""
        self._silences.pop((zone.name, kind), None)
        self._keep(zone, kind, trouble, world)

    def heard(self, zone: Zone, kind: Kind) -> None:
        """An answer came."""
        self._silences.pop((zone.name, kind), None)

    def fell_silent(self, zone: Zone, kind: Kind) -> bool:
        """No answer came; whether that was one time too many in a row."""
        self._silences[zone.name, kind] += 1
        return self._silences[zone.name, kind] >= SILENCES

    async def _ask(self, zones: Sequence[Zone], kind: Kind, world: World) -> Counter[str]:
        asked: Counter[str] = Counter()
        allowed = await budget.provable(zones, kind, world)
        for zone in zones:
            if zone not in allowed and not _is_proved(zone, kind, world):
                self._keep(zone, kind, budget.used_up(zone), world)
        at = world.clock.monotonic()
        entries = {zone.name: proof.test_entries(zone, kind) for zone in allowed}
        questions = [q for zone in allowed for q in proof.questions(zone, entries[zone.name])]
        answers = iter(await world.zones.ask_many(questions) if questions else [])
        for zone in allowed:
            own = [next(answers) for _ in entries[zone.name]]
            asked[zone.name] = len(own)
            self._keep(zone, kind, proof.trouble(zone, entries[zone.name], own), world, at=at)
        return asked

    @staticmethod
    def _keep(
        zone: Zone, kind: Kind, trouble: Trouble | None, world: World, *, at: float | None = None
    ) -> None:
        previous = _proof(zone, kind, world)
        now = world.clock.monotonic()
        new = proof.next_proof(previous, trouble, at=now if at is None else at, now=now)
        world.memory.put(_key(zone, kind), new, _REMEMBERED)
        if trouble and (previous is None or previous.good):
            log.warning(
                "blocklist.zone_unusable",
                zone=zone.name,
                kind=kind.value,
                state=trouble.state.value,
                reason=trouble.reason,
            )
        elif new.good and previous is not None and not previous.good:
            log.info("blocklist.zone_usable", zone=zone.name, kind=kind.value)


def _stale(zones: Sequence[Zone], kind: Kind, world: World, since: float) -> list[Zone]:
    now = world.clock.monotonic()
    proofs = ((zone, _proof(zone, kind, world)) for zone in zones)
    return [zone for zone, kept in proofs if kept is None or not kept.holds(now, since)]


def _is_proved(zone: Zone, kind: Kind, world: World) -> bool:
    kept = _proof(zone, kind, world)
    return kept is not None and kept.good and kept.holds(world.clock.monotonic(), kept.at)


def _key(zone: Zone, kind: Kind) -> str:
    return f"proof {zone.name} {kind}"


def _proof(zone: Zone, kind: Kind, world: World) -> Proof | None:
    kept = world.memory.get(_key(zone, kind))
    return kept if isinstance(kept, Proof) else None


def _proved(zone: Zone, kind: Kind, world: World, since: float) -> Proof:
    kept = _proof(zone, kind, world)
    if kept is None:
        # The memory is bounded: with very many zones it may have dropped what was just put there.
        return Proof(Trouble(ZoneState.UNKNOWN, "its proof was forgotten"), at=0.0, until=0.0)
    if kept.good and kept.at < since:
        # It holds for others; whoever needs a fresh one could not have it.
        return Proof(budget.used_up(zone), at=kept.at, until=kept.until)
    return kept
