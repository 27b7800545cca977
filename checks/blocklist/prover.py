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
        no_older: float = proof.GOOD_SECONDS,
        again: bool = False,
    ) -> tuple[dict[str, Proof], Counter[str]]:
        """The proofs by zone, and how often each was asked now.

        Good proofs are not older than `no_older` seconds; `again`: bad ones are from now.
        """
        stale = _stale(zones, kind, world, no_older=no_older, again=again)
        asked: Counter[str] = Counter()
        if stale:
            async with self._asking[kind]:
                # Somebody else may have asked while we waited.
                stale = _stale(stale, kind, world, no_older=no_older, again=again)
                asked = await self._ask(stale, kind, world)
        return {zone.name: _kept(zone, kind, world) for zone in zones}, asked

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
        every, zones = zones, await budget.provable(zones, kind, world)
        for zone in every:
            if zone not in zones:
                self._keep(zone, kind, budget.used_up(zone), world)
        entries = {zone.name: proof.test_entries(zone, kind) for zone in zones}
        questions = [q for zone in zones for q in proof.questions(zone, entries[zone.name])]
        answers = iter(await world.dns.ask_many(questions) if questions else [])
        for zone in zones:
            own = [next(answers) for _ in entries[zone.name]]
            asked[zone.name] = len(own)
            self._keep(zone, kind, proof.trouble(zone, entries[zone.name], own), world)
        return asked

    @staticmethod
    def _keep(zone: Zone, kind: Kind, trouble: Trouble | None, world: World) -> None:
        previous = _proof(zone, kind, world)
        new = proof.next_proof(previous, trouble, world.clock.monotonic())
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


def _stale(
    zones: Sequence[Zone], kind: Kind, world: World, *, no_older: float, again: bool
) -> list[Zone]:
    now = world.clock.monotonic()
    proofs = ((zone, _proof(zone, kind, world)) for zone in zones)
    return [
        zone
        for zone, kept in proofs
        if kept is None or kept.stale(now, no_older=no_older, again=again)
    ]


def _key(zone: Zone, kind: Kind) -> str:
    return f"proof {zone.name} {kind}"


def _proof(zone: Zone, kind: Kind, world: World) -> Proof | None:
    kept = world.memory.get(_key(zone, kind))
    return kept if isinstance(kept, Proof) else None


def _kept(zone: Zone, kind: Kind, world: World) -> Proof:
    kept = _proof(zone, kind, world)
    # The memory is bounded: with very many zones it may have dropped what was just put there.
    forgotten = Trouble(ZoneState.UNKNOWN, "its proof was forgotten")
    return kept or Proof(forgotten, at=0.0, until=0.0)
