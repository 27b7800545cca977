"""`check TARGET`: one look, now, for a person or for a program."""

import asyncio
import json
import logging
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.command import PluginCommand, Problem
from monitor.cli.options import duration, json_option
from monitor.cli.source import checks_installed, config_option, loaded_or_default

if TYPE_CHECKING:
    from monitor.cli.oneshot import Progress, Task
    from monitor.cli.report import Report
    from monitor.model import Status

LONGEST_SECONDS = 15.0
WRITING_SECONDS = 0.4
"""Kept back for the answer itself."""


@click.command(cls=PluginCommand)
@click.argument("target", required=False)
@click.option(
    "--file",
    "-f",
    "targets_file",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Many targets, one a line; `-` is stdin. With --json one document a line.",
)
@config_option
@click.option("--only", metavar="CHECK", multiple=True, help="Only this check; may be repeated.")
@json_option
@click.option(
    "--timeout",
    metavar="DURATION",
    default="15s",
    show_default=True,
    callback=duration,
    help="The limit of a target; at most 15s. What gives no answer by then is unknown.",
)
@click.pass_context
def check(
    ctx: click.Context,
    *,
    target: str | None,
    targets_file: Path | None,
    config: Path | None,
    only: tuple[str, ...],
    timeout: float,
    as_json: bool,
) -> None:
    """Look once, now, at a domain, an address, or host:port.

    The target `monitor` is the monitor itself: its network, its resolver, and which blocklists serve it.

    Exits 0 ok, 1 warning, 2 critical, 3 unknown, as monitoring plugins do. What it asks blocklists is not
    counted in the daemon's budget of a day.
    """
    if not 0 < timeout <= LONGEST_SECONDS:
        raise click.UsageError(f"--timeout is at most {LONGEST_SECONDS:.0f}s, and more than 0")
    from monitor.cli.log_format import start_log
    from monitor.cli.report import EXIT_CODES

    start_log("console", level=logging.DEBUG if ctx.meta.get("debug") else logging.CRITICAL)
    _known_checks(only)
    if target is not None and targets_file is None:
        status = _look_at_one(target, config, only, timeout, as_json=as_json)
    elif target is None and targets_file is not None:
        status = _look_at_all(targets_file, config, only, timeout, as_json=as_json)
    else:
        raise click.UsageError("say one TARGET, or --file with many")
    sys.exit(EXIT_CODES[status])


def _look_at_one(
    target: str, config: Path | None, only: tuple[str, ...], timeout: float, *, as_json: bool
) -> "Status":
    from monitor.cli import report
    from monitor.cli.main import STARTED

    task = _task(target, config, only)
    found = _looked(task, until=STARTED + timeout - WRITING_SECONDS)
    # What a person waited for, not only what the looks took.
    found = replace(found, seconds=time.monotonic() - STARTED)
    if as_json:
        click.echo(json.dumps(report.as_json(found), indent=2))
    else:
        from monitor.cli.table import print_report

        print_report(found, sys.stdout, os.environ)
    return found.status


def _known_checks(only: tuple[str, ...]) -> None:
    from monitor.protocol.problem import did_you_mean

    known = checks_installed()
    for name in only:
        if name not in known:
            raise Problem(
                f"--only: there is no check {name!r}{did_you_mean(name, known)}", bad_input=True
            )


def _look_at_all(
    file: Path, config: Path | None, only: tuple[str, ...], timeout: float, *, as_json: bool
) -> "Status":
    from monitor.cli.bulk import BadListError, listed, look_at_all, telling
    from monitor.world.clock import SystemClock

    try:
        with click.open_file(str(file), encoding="utf-8", errors="replace") as stream:
            targets = listed(file, stream)
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}", bad_input=True) from None
    except BadListError as error:
        raise Problem(str(error), bad_input=True) from None
    valid = loaded_or_default(config)
    started = time.monotonic()
    with telling(len(targets), as_lines=as_json) as told:
        looking = look_at_all(targets, valid, only, clock=SystemClock(), seconds=timeout, told=told)
        asyncio.run(looking)
    click.echo(told.closing(time.monotonic() - started), err=True)
    return told.status


def _task(text: str, config: Path | None, only: tuple[str, ...]) -> "Task":
    from monitor.cli.oneshot import named_target, task_of

    try:
        target = named_target(text)
    except ValueError as error:
        raise Problem(f"{error}", bad_input=True) from None
    task = task_of(target, loaded_or_default(config), only)
    if not task.jobs:
        raise Problem(
            f"{', '.join(only) or 'no enabled check'}: does not look at such a target, "
            "or only while the daemon runs, or is not enabled",
            bad_input=True,
        )
    return task


def _looked(task: "Task", *, until: float) -> "Report":
    from monitor.cli.progress import shown_progress

    with shown_progress(task.target.name) as progress:
        return asyncio.run(_look(task, until, progress))


async def _look(task: "Task", until: float, progress: "Progress") -> "Report":
    from monitor.cli.oneshot import look, opened_worlds
    from monitor.world.clock import SystemClock

    clock = SystemClock()
    async with opened_worlds(task.config, clock) as worlds:
        left = max(until - time.monotonic(), 0.0)
        return await look(task, worlds, clock, seconds=left, progress=progress)
