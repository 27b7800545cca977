"""`drift list|show|accept`: watched records that differ from what was accepted."""

import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.command import CONTEXT_SETTINGS, Command, Problem
from monitor.cli.source import config_option, found_file, loaded

if TYPE_CHECKING:
    from monitor.cli.records import Differing, Records

_SYNTAX = "TARGET | CHECK TARGET [SUBJECT]"
_MOST_WORDS = 3

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _where_options(function: _Function) -> _Function:
    url = click.option("--url", metavar="URL", help="The daemon's address. Default: configured.")
    return config_option(url(function))


@click.group(context_settings=CONTEXT_SETTINGS)
def drift() -> None:
    """What changed in watched records, and accepting it."""


@drift.command("list", cls=Command)
@_where_options
def list_(config: Path | None, url: str | None) -> None:
    """List the records that differ from what was accepted."""
    _, differing = _records(config, url)
    if not differing:
        click.echo("every watched record is as accepted")
    for one in differing:
        click.echo(f"{_title(one)}: {_classified(one)}")


@drift.command(cls=Command)
@click.argument("words", metavar=_SYNTAX, nargs=-1, required=True)
@_where_options
def show(words: tuple[str, ...], config: Path | None, url: str | None) -> None:
    """Show both states of the records that differ, and what the change means."""
    _, differing = _records(config, url)
    chosen = _chosen(differing, words)
    if not chosen:
        click.echo(f"{' '.join(words)}: as accepted, or not watched yet")
    for one in chosen:
        _show(one)


@drift.command(cls=Command)
@click.argument("words", metavar=_SYNTAX, nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@_where_options
def accept(words: tuple[str, ...], config: Path | None, url: str | None, *, yes: bool) -> None:
    """Accept the records as they are seen now; what they were is no longer expected."""
    where, differing = _records(config, url)
    chosen = _chosen(differing, words)
    if not chosen:
        raise Problem(f"{' '.join(words)}: nothing differs from what is accepted")
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody to ask here: look with `drift show`, then say --yes")
        for one in chosen:
            _show(one)
        if not click.confirm("Accept what is seen now?"):
            raise Problem("nothing was accepted")
    where.accept(chosen)
    for one in chosen:
        click.echo(f"{_title(one)}: accepted")


def _records(config: Path | None, url: str | None) -> "tuple[Records, list[Differing]]":
    from monitor.cli.health import listen_address, reachable
    from monitor.cli.log_format import start_log
    from monitor.cli.records import where_records_are

    start_log("console", level=logging.CRITICAL)
    path = found_file(config)
    valid = loaded(path).config if path else None
    listen = reachable(valid.server.listen) if valid else listen_address(None, os.environ)
    address = url or f"http://{listen}"
    return where_records_are(address, valid.store.url if valid else None)


def _chosen(differing: "Iterable[Differing]", words: tuple[str, ...]) -> "list[Differing]":
    if len(words) > _MOST_WORDS:
        raise click.UsageError(f"say {_SYNTAX}")
    if len(words) == 1:
        return [one for one in differing if one.target == words[0]]
    return [one for one in differing if words == (one.check, one.target, one.subject)[: len(words)]]


def _show(one: "Differing") -> None:
    from monitor.web.text import one_line

    click.secho(_title(one), bold=True)
    click.echo(f"  {_classified(one)}")
    for sign, record, at, colour in (
        ("-", one.accepted, one.accepted_at, "red"),
        ("+", one.seen, one.changed_at, "green"),
    ):
        text = one_line(record, limit=len(record)) or "(no record)"
        click.secho(f"  {sign} {text}", fg=colour, nl=False)
        click.echo(f"  ({'accepted' if sign == '-' else 'seen since'} {at})")


def _title(one: "Differing") -> str:
    from monitor.web.text import one_line

    subject = "" if one.subject in {"", one.target} else f" {one.subject}"
    return one_line(f"{one.check} {one.target}{subject}")


def _classified(one: "Differing") -> str:
    from monitor.web.text import one_line

    return f"{one.classification}: {one_line(one.reason)}"
