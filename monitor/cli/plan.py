"""`plan`: what would be asked of whom, how often, against each party's limit. Asks the DNS for hosts only."""

import asyncio
import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.command import Command
from monitor.cli.options import json_option
from monitor.cli.source import config_option, loaded, needed_file

if TYPE_CHECKING:
    from monitor.cli.planning import Plan
    from monitor.config.valid import ValidConfig
    from monitor.inventory import Discovery

AT_ONCE = 20


@click.command(cls=Command)
@config_option
@json_option
def plan(config: Path | None, *, as_json: bool) -> None:
    """Show what would be asked of whom, how often, and the limits."""
    from monitor.cli.log_format import start_log
    from monitor.cli.plan_table import print_plan

    start_log("console", level=logging.CRITICAL)
    found = asyncio.run(_planned(loaded(needed_file(config))))
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        print_plan(found, sys.stdout, os.environ)


async def _planned(config: "ValidConfig") -> "Plan":
    from monitor.app.assembly import assemble
    from monitor.cli.planning import plan_of

    discoveries, own_trouble = await _discoveries(config)
    known = {name: found for name, found in discoveries.items() if found is not None}
    undiscovered = [name for name in discoveries if name not in known]
    return plan_of(assemble(config, known), undiscovered, own_trouble)


async def _discoveries(config: "ValidConfig") -> "tuple[dict[str, Discovery | None], str]":
    """What the DNS tells of each domain, and what keeps it from telling that is our own trouble; else ""."""
    from monitor.app.discovery import discover_believably
    from monitor.cli.oneshot import opened_worlds
    from monitor.inventory import names_to_resolve
    from monitor.world.clock import SystemClock

    clock, at_once = SystemClock(), asyncio.Semaphore(AT_ONCE)
    names = names_to_resolve(config)
    async with opened_worlds(config, clock) as worlds:

        async def one(name: str) -> "Discovery | None":
            async with at_once:
                world = worlds.normal("discovery")
                return await discover_believably(name, world, clock, declared=names[name])

        found = await asyncio.gather(*map(one, names))
        own_trouble = await worlds.canaries.resolver() if None in found else None
    return dict(zip(names, found, strict=True)), own_trouble or ""
