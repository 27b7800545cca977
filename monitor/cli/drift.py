"""`drift list|show|accept`: watched records that differ from what was accepted."""

import getpass
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.command import CONTEXT_SETTINGS, Command, Problem
from monitor.cli.source import config_option, found_file, loaded

if TYPE_CHECKING:
    from monitor.cli.records import Records
    from monitor.protocol.record_diff import DiffTerm
    from monitor.store.kept import Baseline
    from monitor.store.records import Acceptance, RecordChange

_SYNTAX = "TARGET | CHECK TARGET [SUBJECT]"
_MOST_WORDS = 3
_SIGNS = {"kept": (" ", None), "removed": ("-", "red"), "added": ("+", "green")}

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _where_options(function: _Function) -> _Function:
    url = click.option("--url", metavar="URL", help="The daemon's address. Default: configured.")
    return config_option(url(function))


@click.group(context_settings=CONTEXT_SETTINGS)
def drift() -> None:
    """What changed in watched records, and accepting it."""


@drift.command("list", cls=Command)
@click.option("--all", "every", is_flag=True, help="List also the records that are as accepted.")
@_where_options
def list_(config: Path | None, url: str | None, *, every: bool) -> None:
    """List the records that differ from what was accepted."""
    look = (lambda records: records.watched(None)) if every else _differing
    _, found = _records(config, url, look)
    if not found:
        click.echo("no record is watched yet" if every else "every watched record is as accepted")
    for one in sorted(found, key=_order):
        click.echo(f"{_title(one)}: {_classified(one)} ({_accepted(one)})")


@drift.command(cls=Command)
@click.argument("words", metavar=_SYNTAX, nargs=-1, required=True)
@_where_options
def show(words: tuple[str, ...], config: Path | None, url: str | None) -> None:
    """Show how records differ from what was accepted, who accepted it, and their history."""
    target = words[0] if len(words) == 1 else words[1]
    where, watched = _records(config, url, lambda records: records.watched(target))
    chosen = _chosen(watched, words)
    if not chosen:
        click.echo(f"{' '.join(words)}: not watched yet")
    for one in chosen:
        _show(one)
        _show_history(where.history(one))


@drift.command(cls=Command)
@click.argument("words", metavar=_SYNTAX, nargs=-1, required=True)
@click.option("--by", metavar="NAME", help="Who accepts. Default: the user of this command.")
@click.option("--reason", metavar="TEXT", default="", help="Why, on one line.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@_where_options
def accept(
    words: tuple[str, ...],
    config: Path | None,
    url: str | None,
    *,
    by: str | None,
    reason: str,
    yes: bool,
) -> None:
    """Accept the records as they are seen now; what they were is no longer expected."""
    acceptance = _acceptance(by, reason)
    where, differing = _records(config, url, _differing)
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
    where.accept(chosen, acceptance)
    for one in chosen:
        click.echo(f"{_title(one)}: accepted")


def _acceptance(by: str | None, reason: str) -> "Acceptance":
    from monitor.store.records import Acceptance, AcceptanceError

    try:
        return Acceptance.of(_user() if by is None else by, reason)
    except AcceptanceError as error:
        raise click.UsageError(str(error)) from error


def _user() -> str:
    """Who started this command, as the system names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def _differing(records: "Records") -> "list[Baseline]":
    return records.differing()


def _records(
    config: Path | None, url: str | None, look: "Callable[[Records], list[Baseline]]"
) -> "tuple[Records, list[Baseline]]":
    from monitor.cli.health import listen_address, reachable
    from monitor.cli.log_format import start_log
    from monitor.cli.records import StoredRecords, where_records_are

    start_log("console", level=logging.CRITICAL)
    path = found_file(config)
    valid = loaded(path) if path else None
    if valid is None:
        return where_records_are(url or f"http://{listen_address(None, os.environ)}", None, look)
    stored = StoredRecords(valid.config.store.url, valid.checks)
    return where_records_are(url or f"http://{reachable(valid.config.server.listen)}", stored, look)


def _chosen(records: "Iterable[Baseline]", words: tuple[str, ...]) -> "list[Baseline]":
    if len(words) > _MOST_WORDS:
        raise click.UsageError(f"say {_SYNTAX}")
    if len(words) == 1:
        chosen = (one for one in records if one.target == words[0])
    else:
        chosen = (
            one for one in records if words == (one.check, one.target, one.subject)[: len(words)]
        )
    return sorted(chosen, key=_order)


def _order(one: "Baseline") -> tuple[bool, str, str, str]:
    """What differs first."""
    return not one.classification, one.check, one.target, one.subject


def _show(one: "Baseline") -> None:
    from monitor.web.records import NO_RECORD, shown_diff
    from monitor.web.text import iso, one_line

    click.secho(_title(one), bold=True)
    click.echo(f"  {_classified(one)}")
    click.echo(f"  {_accepted(one)}; seen since {iso(one.changed_at)}")
    longest = max(len(one.accepted), len(one.seen))
    _show_terms(shown_diff(one.accepted, one.seen, limit=longest))
    if one.classification:
        whole = one_line(one.accepted, limit=longest) or NO_RECORD
        click.echo(f"  accepted, as a whole: {whole}")


def _show_history(history: "Sequence[RecordChange]") -> None:
    from monitor.web.records import steps
    from monitor.web.text import iso

    click.echo("  history:")
    found = steps(history)
    for step in found:
        click.echo(f"  {iso(step.at)} {step.said}")
        if len(found) > 1:  # what never changed is shown already
            _show_terms(step.terms)


def _show_terms(terms: "Iterable[DiffTerm]") -> None:
    for term in terms:
        sign, colour = _SIGNS[term.state]
        click.secho(f"    {sign} {term.text}", fg=colour)


def _title(one: "Baseline") -> str:
    from monitor.web.text import one_line

    subject = "" if one.subject in {"", one.target} else f" {one.subject}"
    return one_line(f"{one.check} {one.target}{subject}")


def _classified(one: "Baseline") -> str:
    from monitor.web.text import one_line

    return f"{one.classification}: {one_line(one.reason)}" if one.classification else "as accepted"


def _accepted(one: "Baseline") -> str:
    from monitor.web.records import accepted
    from monitor.web.text import iso

    return f"{accepted(one.accepted_by, one.accepted_reason)}, {iso(one.accepted_at)}"
