"""`check TARGET`: one look, now, for a person or for a program."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.command import PluginCommand, Problem
from monitor.cli.options import duration
from monitor.cli.source import checks_installed, config_option, found_file, loaded

if TYPE_CHECKING:
    from monitor.cli.oneshot import Progress, Task
    from monitor.cli.report import Report
    from monitor.config.valid import ValidConfig

LONGEST_SECONDS = 15.0
WRITING_SECONDS = 0.4
"""Kept back for the answer itself."""

_ANY_DOMAIN = "example.com"
_NO_STATE = "sqlite:///never-opened.db"


@click.command(cls=PluginCommand)
@click.argument("target")
@config_option
@click.option("--only", metavar="CHECK", multiple=True, help="Only this check; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="JSON for programs.")
@click.option(
    "--timeout",
    metavar="DURATION",
    default="15s",
    show_default=True,
    callback=duration,
    help="The limit of all of it; at most 15s. What gives no answer by then is unknown.",
)
@click.pass_context
def check(
    ctx: click.Context,
    target: str,
    config: Path | None,
    only: tuple[str, ...],
    timeout: float,
    *,
    as_json: bool,
) -> None:
    """Look once, now, at a domain, an address, or host:port.

    Exits 0 ok, 1 warning, 2 critical, 3 unknown, as monitoring plugins do.
    """
    if not 0 < timeout <= LONGEST_SECONDS:
        raise click.UsageError(f"--timeout is at most {LONGEST_SECONDS:.0f}s, and more than 0")
    from monitor.cli import report
    from monitor.cli.log_format import start_log
    from monitor.cli.main import STARTED

    start_log("console", level=logging.DEBUG if ctx.meta.get("debug") else logging.CRITICAL)
    task = _task(target, config, only)
    found = _looked(task, until=STARTED + timeout - WRITING_SECONDS)
    # What a person waited for, not only what the looks took.
    found = replace(found, seconds=time.monotonic() - STARTED)
    if as_json:
        click.echo(json.dumps(report.as_json(found), indent=2))
    else:
        from monitor.cli.table import print_report

        print_report(found, sys.stdout, os.environ)
    sys.exit(report.EXIT_CODES[found.status])


def _task(text: str, config: Path | None, only: tuple[str, ...]) -> "Task":
    from monitor.cli.oneshot import named_target, task_of
    from monitor.config.errors import did_you_mean

    try:
        target = named_target(text)
    except ValueError as error:
        raise Problem(f"{error}", bad_input=True) from None
    known = checks_installed()
    for name in only:
        if name not in known:
            raise Problem(
                f"--only: there is no check {name!r}{did_you_mean(name, known)}", bad_input=True
            )
    task = task_of(target, _configuration(config, os.environ), only)
    if not task.jobs:
        raise Problem(
            f"{', '.join(only) or 'no enabled check'}: does not look at such a target, "
            "or only while the daemon runs, or is not enabled",
            bad_input=True,
        )
    return task


def _configuration(config: Path | None, environ: Mapping[str, str]) -> "ValidConfig":
    path = found_file(config)
    if path is not None:
        return loaded(path)
    from monitor.config.errors import ConfigErrors
    from monitor.config.load import for_domain

    try:
        # The domain is replaced by the target, and the state is never opened.
        return for_domain(_ANY_DOMAIN, checks_installed(), store_url=_NO_STATE, environ=environ)
    except ConfigErrors as errors:
        raise Problem(str(errors), bad_input=True) from errors


def _looked(task: "Task", *, until: float) -> "Report":
    from monitor.cli.progress import shown_progress

    with shown_progress(task.target.name) as progress:
        return asyncio.run(_look(task, until, progress))


async def _look(task: "Task", until: float, progress: "Progress") -> "Report":
    from monitor.cli.oneshot import NothingKept, look
    from monitor.world.build import build_world
    from monitor.world.clock import SystemClock

    clock, nothing = SystemClock(), NothingKept()
    worlds = build_world(task.config, windows=nothing, results=nothing, clock=clock)
    try:
        left = max(until - time.monotonic(), 0.0)
        return await look(task, worlds, clock, seconds=left, progress=progress)
    finally:
        await worlds.aclose()
