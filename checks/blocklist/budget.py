"""What zones may be asked, and which targets come first where a zone allows too few questions for all."""

from collections.abc import Iterable, Sequence

from checks.blocklist import proof
from checks.blocklist.catalogue import Zone
from checks.blocklist.proof import Trouble
from monitor.check import Asks, Limits, Urgency, World, ZoneState
from monitor.model import AddressTarget, DomainTarget, NamedDomainTarget
from monitor.protocol.dnsbl import Kind

MUCH_MAIL = 1000
"""Messages of a sender in a day from which its addresses and domains come before quiet ones."""

CHECK = "blocklist"

_HOUR = 3600.0
_DAY = 86_400
_REMEMBERED = 3.0 * _DAY


def asks(zones: Iterable[Zone], questions: int = 1) -> list[Asks]:
    """So many questions to each of the zones."""
    return [Asks(zone.name, questions, _limits(zone), zone.terms) for zone in zones]


def proofs_of_a_day(zones: Iterable[Zone], kinds: Iterable[Kind]) -> list[Asks]:
    """What is asked in a day about the zones' own test entries where targets of these kinds are looked at."""
    wanted = set(kinds)
    proofs = _DAY / proof.GOOD_SECONDS
    return [
        asked
        for zone in zones
        for kind in wanted.intersection(zone.kinds)
        for asked in asks([zone], round(proofs * len(proof.test_entries(zone, kind))))
    ]


async def due(
    zones: Sequence[Zone], target: AddressTarget | DomainTarget | NamedDomainTarget, world: World
) -> list[Zone]:
    """Those of the zones that may be asked about the target now."""
    wanted = asks(zone for zone in zones if _limited(zone))
    if not wanted:
        return [*zones]
    return await _allowed(zones, target.name, wanted, await _urgency(target, world), world)


async def provable(zones: Sequence[Zone], kind: Kind, world: World) -> list[Zone]:
    """Those of the zones that may be asked about their test entries now."""
    return await _certain(zones, [len(proof.test_entries(zone, kind)) for zone in zones], world)


async def readable(zones: Sequence[Zone], world: World) -> list[Zone]:
    """Those of the zones that may be asked now for the text of a listing."""
    return await _certain(zones, [1] * len(zones), world)


async def _certain(zones: Sequence[Zone], questions: Sequence[int], world: World) -> list[Zone]:
    wanted = [
        asked
        for zone, number in zip(zones, questions, strict=True)
        for asked in asks([zone] if _limited(zone) else [], number)
    ]
    return await _allowed(zones, CHECK, wanted, Urgency.CERTAINTY, world) if wanted else [*zones]


async def _allowed(
    zones: Sequence[Zone], who: str, wanted: Sequence[Asks], urgency: Urgency, world: World
) -> list[Zone]:
    refused = {asked.party for asked in wanted} - await world.budgets.take(who, wanted, urgency)
    return [zone for zone in zones if zone.name not in refused]


def used_up(zone: Zone) -> Trouble:
    """Why a zone was not asked about its test entries."""
    number = f"{zone.queries_a_day:,} questions a day" if zone.queries_a_day else "few questions"
    return Trouble(ZoneState.UNKNOWN, f"it allows {number}, and no more now for its test entries")


def _limited(zone: Zone) -> bool:
    return zone.queries_a_day is not None or zone.queries_a_second is not None


def _limits(zone: Zone) -> Limits:
    return Limits(zone.queries_a_day, zone.queries_a_second)


async def _urgency(
    target: AddressTarget | DomainTarget | NamedDomainTarget, world: World
) -> Urgency:
    if world.confirming:
        return Urgency.CERTAINTY
    if _was_listed(target, world):
        return Urgency.TROUBLED
    for sender in _senders(target):
        if await _messages_a_day(sender, target.domain, world) >= MUCH_MAIL:
            return Urgency.BUSY
    return Urgency.QUIET


def _was_listed(target: AddressTarget | DomainTarget | NamedDomainTarget, world: World) -> bool:
    """Whether it is listed now, or was in the last days; what is kept of a domain is read once an hour."""
    key = f"listings {target.domain}"
    if world.memory.get(key) is None:
        world.memory.put(key, True, _HOUR)
        for past in world.results.of_domain(target.domain):
            if past.check == CHECK and past.codes:
                world.memory.put(f"listed lately {past.target}", True, _REMEMBERED)
    return world.memory.get(f"listed lately {target.name}") is not None


def _senders(target: AddressTarget | DomainTarget | NamedDomainTarget) -> tuple[str, ...]:
    match target:
        case AddressTarget():
            return (target.sender,) if target.sender else ()
        case DomainTarget():
            return tuple(sender.name for sender in target.senders)
        case NamedDomainTarget():
            return ()


async def _messages_a_day(sender: str, domain: str, world: World) -> int:
    """What the sender sent under the domain in the last day, as it was known at most an hour ago."""
    key = f"volume {sender} {domain}"
    known = world.memory.get(key)
    if isinstance(known, int):
        return known
    # Others who look meanwhile take it for a quiet one, instead of reading the same.
    world.memory.put(key, 0, _HOUR)
    windows = await world.windows.counts(sender, domain, [_DAY])
    counts = [of_window for by_window in windows.values() for of_window in by_window.values()]
    messages = sum(max(c.accepted, c.delivered) for c in counts)
    world.memory.put(key, messages, _HOUR)
    return messages
