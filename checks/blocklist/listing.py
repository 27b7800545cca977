"""The catalogue as the daemon and people see it, and one zone tried now."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network

from checks.blocklist import proof
from checks.blocklist.catalogue import Zone, chosen, dead
from checks.blocklist.entries import RANKS, ZoneEntry
from checks.blocklist.proof import Trouble
from monitor.check import (
    DeadZone,
    World,
    ZoneCode,
    ZoneEntries,
    ZoneFacts,
    ZoneStanding,
    ZoneState,
    ZoneTrial,
)
from monitor.protocol.dnsbl import PROOF_ENTRIES, Kind

_GRAVEST_FIRST: Sequence[str] = RANKS


class Listing:
    """The catalogue under one configuration; what is asked of it now stands first."""

    def __init__(
        self, catalogue: Mapping[str, ZoneEntry], asked: Sequence[Zone], keys: Mapping[str, str]
    ) -> None:
        self._catalogue = catalogue
        self._keys = keys
        self._asked = asked
        names = dict.fromkeys([zone.name for zone in self._asked])
        ordered = [*names, *(name for name in self._catalogue if name not in names)]
        self.zones = tuple(self._facts(self._catalogue[name]) for name in ordered)
        self.dead_zones = tuple(
            DeadZone(entry.zone, entry.since, entry.does, entry.notes, entry.sources)
            for entry in dead()
        )

    async def try_zone(self, name: str, world: World) -> ZoneTrial:
        """Its test entries and a stranger of each kind, asked at once; what is worst counts.

        Raises:
            KeyError: no living zone has this name.
        """
        entry = self._catalogue[name]
        if entry.key and entry.key not in self._keys:
            reason = f"it is asked with a key: {_to_set(entry)}"
            return ZoneTrial(name, ZoneState.UNKNOWN, reason)
        (zone,) = chosen(self._catalogue, [name], self._keys)
        started = world.clock.monotonic()
        tried = await asyncio.gather(*(_tried(zone, kind, world) for kind in zone.kinds))
        seconds = world.clock.monotonic() - started
        state, reason = _together(tried)
        return ZoneTrial(name, state, reason, seconds)

    def _facts(self, entry: ZoneEntry) -> ZoneFacts:
        standing = self._standing(entry)
        codes = tuple(_codes(entry))
        return ZoneFacts(
            name=entry.name,
            kinds=tuple(kind.value for kind in entry.kinds),
            standing=standing,
            severity=min(
                (code.severity for code in codes), key=_GRAVEST_FIRST.index, default="never"
            ),
            codes=codes,
            refusals=(
                *map(_written, entry.refused),
                *_bits(entry.refused_bits),
                *entry.refused_rcodes,
            ),
            not_listed=tuple(map(_written, entry.not_listed)),
            entries=tuple(_entries(entry)),
            queries_a_day=entry.queries_a_day,
            queries_a_second=entry.queries_a_second,
            key=entry.key,
            to_be_asked=self._needed(entry, standing),
            instead_of=entry.instead_of,
            contains=entry.contains,
            operator=entry.operator,
            used_by=entry.used_by,
            whom_it_serves="; ".join(_served(entry)),
            terms=entry.terms,
            delist=entry.delist,
            sources=entry.sources,
            notes=" ".join(filter(None, (entry.notes, entry.differs))),
        )

    def _needed(self, entry: ZoneEntry, standing: ZoneStanding) -> str:
        """What the configuration needs so that the zone is asked."""
        match standing:
            case ZoneStanding.ASKED:
                return ""
            case ZoneStanding.WANTS_KEY:
                return _to_set(entry)
        having = next((zone.name for zone in self._asked if entry.name in zone.contains), "")
        if having:
            return f"nothing: {having}, which is asked, has its listings"
        return "name it under checks.blocklist.zones, with all others that you want"

    def _standing(self, entry: ZoneEntry) -> ZoneStanding:
        if any(zone.name == entry.name for zone in self._asked):
            return ZoneStanding.ASKED
        keyless = entry.key and entry.key not in self._keys
        return ZoneStanding.WANTS_KEY if keyless else ZoneStanding.OFFERED


async def _tried(zone: Zone, kind: Kind, world: World) -> tuple[Kind, Trouble | None]:
    entries = proof.test_entries(zone, kind)
    answers = await world.zones.ask_many(proof.questions(zone, entries))
    return kind, proof.trouble(zone, entries, answers)


def _together(tried: Sequence[tuple[Kind, Trouble | None]]) -> tuple[ZoneState, str]:
    """What the kinds come to together; the reason names its kind where another is well."""
    troubled = [(kind, trouble) for kind, trouble in tried if trouble is not None]
    if not troubled:
        return ZoneState.USABLE, ""
    kind, trouble = troubled[0]
    alone = len(troubled) < len(tried)
    return trouble.state, f"{kind}: {trouble.reason}" if alone else trouble.reason


def _to_set(entry: ZoneEntry) -> str:
    return f"set checks.blocklist.keys.{entry.key}"


def _served(entry: ZoneEntry) -> Iterator[str]:
    if entry.public_resolvers == "refused":
        yield "refuses public resolvers"
    if entry.needs_attributable_resolver:
        yield "wants a resolver whose address has its owner's name"
    if entry.registration:
        yield f"wants the resolver's address registered: {entry.registration}"


def _codes(entry: ZoneEntry) -> Iterator[ZoneCode]:
    written = {
        **{_written(code): meant for code, meant in entry.codes.items()},
        **{f"bit {bit}": meant for bit, meant in entry.bits.items()},
    }
    for code, meant in written.items():
        yield ZoneCode(
            code,
            meant.meaning,
            meant.severity,
            receiving=meant.receiving or meant.severity,
            scope=meant.scope or entry.scope or "",
        )


def _written(code: IPv4Network) -> str:
    return str(code.network_address) if code.prefixlen == code.max_prefixlen else str(code)


def _bits(mask: int) -> Iterator[str]:
    yield from (f"bit {1 << place}" for place in range(8) if mask & (1 << place))


def _entries(entry: ZoneEntry) -> Iterator[ZoneEntries]:
    for kind in entry.kinds:
        usual = PROOF_ENTRIES[kind]
        own = entry.test.get(kind)
        if own is not None:
            yield ZoneEntries(kind.value, own.listed, own.clean)
        else:
            listed = "" if kind in entry.test else str(usual.listed)
            yield ZoneEntries(kind.value, listed, str(usual.clean))
