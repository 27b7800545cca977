"""`zones`: the blocklist zones that are known, and whether they serve us now."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.command import PluginCommand, Problem
from monitor.cli.options import duration, json_option
from monitor.cli.source import config_option, loaded_or_default

if TYPE_CHECKING:
    from monitor.check import DeadZone, ZoneFacts
    from monitor.cli.zone_report import Trials
    from monitor.config.valid import ValidConfig
    from monitor.runner import Job
    from monitor.web.backend import ListedZones


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The zones of every check that asks some. Names are found in any case, with or without a dot at the end."""

    jobs: "tuple[Job, ...]"
    listed: "tuple[ListedZones, ...]"

    def living(self) -> "Iterator[tuple[str, ZoneFacts]]":
        """Each living zone with its check."""
        for listed in self.listed:
            yield from ((listed.check, facts) for facts in listed.living)

    def dead(self) -> "Iterator[tuple[str, DeadZone]]":
        """Each dead zone with its check."""
        for listed in self.listed:
            yield from ((listed.check, zone) for zone in listed.dead)

    def named(
        self, names: Sequence[str]
    ) -> "tuple[list[tuple[str, ZoneFacts]], list[tuple[str, DeadZone]]]":
        """The living and the dead zones of these names, a dead one under the name that was given.

        Raises:
            Problem: for each name that nobody knows, with the nearest known one.
        """
        from monitor.protocol.problem import did_you_mean

        wanted = list(dict.fromkeys(name.strip().lower().rstrip(".") for name in names))
        living = [one for one in self.living() if one[1].name in wanted]
        found = {facts.name for _check, facts in living}
        dead = [
            (check, replace(zone, name=name))
            for name in wanted
            for check, zone in self.dead()
            if name not in found and zone.names(name)
        ]
        found |= {zone.name for _check, zone in dead}
        known = [
            *(facts.name for _check, facts in self.living()),
            *(zone.name.removeprefix("*.") for _check, zone in self.dead()),
        ]
        if unknown := [name for name in wanted if name not in found]:
            raise Problem(
                (f"no zone {name!r} is known{did_you_mean(name, known)}" for name in unknown),
                bad_input=True,
            )
        return living, dead


@click.command(cls=PluginCommand)
@click.argument("names", nargs=-1, metavar="[ZONE]...")
@config_option
@click.option("--test", is_flag=True, help="Ask them now; without names those that are asked.")
@click.option("--all", "every", is_flag=True, help="With --test: also those that could be asked.")
@json_option
@click.option(
    "--timeout",
    metavar="DURATION",
    default="15s",
    show_default=True,
    callback=duration,
    help="The limit of --test. What gives no answer by then is unknown.",
)
@click.pass_context
def zones(
    ctx: click.Context,
    *,
    names: tuple[str, ...],
    config: Path | None,
    test: bool,
    every: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """List the blocklist zones, tell all of one, or ask them now.

    --test exits 0 where all are usable, 1 where some are not, and 3 where that could be told of none, as
    monitoring plugins do. It asks a zone up to three questions for each kind that it lists; they are not
    counted in the daemon's budget of a day.
    """
    if timeout <= 0:
        raise click.UsageError("--timeout must be more than 0")
    if every and (names or not test):
        raise click.UsageError("--all goes with --test, and without names")
    from monitor.cli.log_format import start_log

    start_log("console", level=logging.DEBUG if ctx.meta.get("debug") else logging.CRITICAL)
    valid = loaded_or_default(config)
    catalogue = catalogue_of(valid)
    if test:
        trials = _tried(catalogue, names, valid, every=every, seconds=timeout)
        _show_trials(trials, as_json=as_json)
        sys.exit(trials.exit_code)
    _show_known(catalogue, names, as_json=as_json)


def catalogue_of(config: "ValidConfig") -> Catalogue:
    """What the enabled checks of a configuration tell.

    Raises:
        Problem: none of them asks zones.
    """
    from monitor.app.assembly import jobs_of
    from monitor.web.zones import listed_zones

    jobs = jobs_of(config)
    listed = listed_zones(jobs)
    if not listed:
        raise Problem("no enabled check asks zones", bad_input=True)
    return Catalogue(jobs, listed)


def _show_known(catalogue: Catalogue, names: Sequence[str], *, as_json: bool) -> None:
    everything = (list(catalogue.living()), list(catalogue.dead()))
    living, dead = catalogue.named(names) if names else everything
    if as_json:
        from monitor.web.zones import dead_json, zone_json

        found = {
            "zones": [zone_json(*one) for one in living],
            "dead": [dead_json(*one) for one in dead],
        }
        click.echo(json.dumps(found, indent=2))
        return
    from monitor.cli import zone_table

    if names:
        zone_table.print_details(living, dead, sys.stdout, os.environ)
    else:
        zone_table.print_list(living, len(dead), sys.stdout, os.environ)


def _tried(
    catalogue: Catalogue,
    names: Sequence[str],
    config: "ValidConfig",
    *,
    every: bool,
    seconds: float,
) -> "Trials":
    from monitor.check import ZoneStanding
    from monitor.cli.progress import shown_progress
    from monitor.cli.zone_report import buried
    from monitor.cli.zone_trials import try_zones
    from monitor.web.text import counted

    living, dead = catalogue.named(names) if names else (list(catalogue.living()), [])
    if not names:
        standings = {ZoneStanding.ASKED, *([ZoneStanding.OFFERED] if every else [])}
        living = [one for one in living if one[1].standing in standings]
    started = time.monotonic()
    with shown_progress(counted(len(living), "zone")) as progress:
        trials = asyncio.run(
            try_zones(catalogue.jobs, living, config, seconds=seconds, progress=progress)
        )
    return trials.with_more(buried(dead), seconds=time.monotonic() - started)


def _show_trials(trials: "Trials", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(trials.as_json(), indent=2))
        return
    from monitor.cli import zone_table

    zone_table.print_trials(trials, sys.stdout, os.environ)
