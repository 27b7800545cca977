"""Keeps what DNS tells of the domains: MX hosts, addresses, platforms."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from monitor.check import Clock, World
from monitor.inventory import Discovery, Inventory, discover
from monitor.store.store import Store

log = structlog.get_logger()

AT_ONCE = 20
AGAIN_AFTER = 900.0
AGAIN_AFTER_TROUBLE = 30.0
"""Seconds until what DNS could not tell is asked again."""


def known_discoveries(store: Store, domains: Sequence[str]) -> dict[str, Discovery]:
    """What was discovered of these domains before; survives a restart without DNS."""
    stored = store.discoveries()
    return {name: Discovery.from_json(stored[name]) for name in domains if name in stored}


async def discover_believably(
    domain: str,
    world: World,
    clock: Clock,
    *,
    declared: Sequence[str] = (),
    previous: Discovery | None = None,
) -> Discovery | None:
    """What the DNS tells of `domain`; None where it could not, or tells news that is our resolver's own trouble.

    Otherwise the mail hosts, and the pages about them, would go when a resolver finds nobody any more.
    """
    now = clock.now()
    found = await discover(domain, world.dns, now, declared=declared, previous=previous)
    if found is None or (previous and replace(found, at=previous.at) == previous):
        return found
    return found if await world.canaries.resolver() is None else None


async def discover_all(
    domains: Mapping[str, Sequence[str]], *, world: World, store: Store, clock: Clock
) -> bool:
    """Ask for every domain and its declared names, and store what is known; True where every domain could be told."""
    at_once = asyncio.Semaphore(AT_ONCE)
    before = known_discoveries(store, tuple(domains))

    async def one(domain: str, declared: Sequence[str]) -> bool:
        async with at_once:
            found = await discover_believably(
                domain, world, clock, declared=declared, previous=before.get(domain)
            )
        if found is None:
            log.warning("discovery.unknown", domain=domain)
            return False
        store.set_discovery(domain, found.to_json())
        return True

    return all(
        await asyncio.gather(*(one(domain, declared) for domain, declared in domains.items()))
    )


def tell_left_out(before: Inventory | None, after: Inventory) -> None:
    """Log what is not looked at although something names it, once for each."""
    told = before.left_out if before else ()
    for one in after.left_out:
        if one not in told:
            log.warning("inventory.left_out", domain=one.domain, what=one.what)


def forget_others(store: Store, domains: Mapping[str, object]) -> None:
    """Drop what was discovered of domains that left the configuration."""
    for domain in tuple(store.discoveries()):
        if domain not in domains:
            store.forget_discovery(domain)
