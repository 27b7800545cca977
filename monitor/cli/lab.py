"""`lab`: the small world on loopback, alone in the foreground, and its incidents by name."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.cli.command import CONTEXT_SETTINGS, Command, Problem
from monitor.cli.log_format import log_format_option, start_log
from monitor.cli.options import host_and_port

DIRECTORY = Path("var/lab")

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Place:
    directory: Path


@click.group(invoke_without_command=True, context_settings=CONTEXT_SETTINGS)
@click.option(
    "--directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=DIRECTORY,
    show_default=True,
    help="Where the lab keeps what it makes.",
)
@click.option(
    "--scenario",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A world of your own. Default: the bundled one.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=host_and_port,
    help="Where the daemon listens that the lab's senders report to. Default: 127.0.0.1:9825.",
)
@click.option("--with-parent", is_flag=True, hidden=True, help="End when stdin ends.")
@log_format_option
@click.pass_context
def lab(
    ctx: click.Context,
    directory: Path,
    scenario: Path | None,
    listen: str | None,
    log_format: str | None,
    *,
    with_parent: bool,
) -> None:
    """Run the lab alone, or start its incidents.

    The lab is a small Internet on loopback: DNS, blocklists, mail servers and senders.
    """
    ctx.obj = _Place(directory)
    if ctx.invoked_subcommand is None:
        start_log(log_format)
        if with_parent:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        _run(directory, scenario, listen)


def _run(directory: Path, scenario: Path | None, listen: str | None) -> None:
    try:
        from monitor.lab import (
            DEFAULT_LISTEN,
            DEFAULT_SCENARIO,
            LabSettings,
            ScenarioError,
            run_lab,
        )
    except ModuleNotFoundError as error:
        raise Problem(
            f"{error.name} is not installed: pip install 'deliverability-monitor[lab]'"
        ) from error
    refuse_second_lab(directory)
    settings = LabSettings(
        directory=directory,
        scenario=scenario or DEFAULT_SCENARIO,
        listen=listen or DEFAULT_LISTEN,
    )
    try:
        asyncio.run(run_lab(settings))
    except ScenarioError as error:
        raise Problem(error.problems, bad_input=True) from error
    except OSError as error:
        raise Problem(f"the lab cannot start in {directory}: {error}") from error


def refuse_second_lab(directory: Path) -> None:
    """Two labs would write the same files.

    Raises:
        Problem: one runs in `directory`.
    """
    from monitor.lab import LabNotRunningError, list_incidents

    try:
        asyncio.run(list_incidents(directory))
    except LabNotRunningError:
        return
    raise Problem(
        f"a lab runs in {directory} already: stop it, or look at the daemon that watches it; "
        f"where none does, `deliverability run --config {directory / 'config.yaml'}` starts one"
    )


def _end_with_stdin() -> None:
    """End this process when whoever started it is gone, however it went."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@lab.command(cls=Command)
@click.argument("name")
@click.option("--end", is_flag=True, help="End it instead of starting it.")
@click.pass_obj
def incident(place: _Place, name: str, *, end: bool) -> None:
    """Start the incident NAME in the lab that runs, or end it."""
    from monitor.lab import control_incident

    _asked(control_incident(place.directory, name, "end" if end else "start"))
    click.echo(f"{name} has {'ended' if end else 'started'}")


@lab.command(cls=Command)
@click.pass_obj
def incidents(place: _Place) -> None:
    """List the incidents of the lab that runs."""
    from monitor.lab import list_incidents

    states = _asked(list_incidents(place.directory))
    width = max((len(state.name) for state in states), default=0)
    for state in states:
        click.echo(f"{'on ' if state.on else 'off'}  {state.name:{width}}  {state.description}")


def _asked(question: Coroutine[Any, Any, _Result]) -> _Result:
    from monitor.lab import IncidentRefusedError, LabNotRunningError

    try:
        return asyncio.run(question)
    except LabNotRunningError as error:
        raise Problem(f"{error}: start one with `deliverability lab`") from error
    except IncidentRefusedError as error:
        raise Problem(str(error)) from error
