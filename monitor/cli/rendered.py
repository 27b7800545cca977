"""`rules` and `dashboards`: what lies in the checks' folders, rendered for Prometheus and Grafana."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.cli.command import Command, Problem
from monitor.cli.source import checks_installed, config_option, found_file, loaded

RULES_FOLDER = Path("deploy/prometheus")
RULES_FILE = "deliverability.rules.yaml"
DASHBOARDS_FOLDER = Path("grafana/dashboards")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _output_options(default: Path) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        output = click.option(
            "--output",
            "-o",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help=f"The folder to write to. Default: {default} of this folder.",
        )
        check = click.option(
            "--check", is_flag=True, help="Write nothing; exit 1 where a file is stale."
        )
        return output(check(function))

    return decorate


@click.command(cls=Command)
@_output_options(RULES_FOLDER)
@config_option
@click.option(
    "--runbook-base",
    metavar="URL",
    help="Where the runbooks are served. Default: by the daemon, at the configuration's server.external_url.",
)
@click.option("--dashboard-base", metavar="URL", help="Where the dashboards are served.")
def rules(
    output: Path | None,
    config: Path | None,
    *,
    check: bool,
    runbook_base: str | None,
    dashboard_base: str | None,
) -> None:
    """Render the alert rules of all checks for Prometheus."""
    from monitor.publish.folder import FolderError
    from monitor.publish.rules import DASHBOARD_BASE, RUNBOOK_BASE, render_rules

    try:
        text = render_rules(
            checks_installed(),
            runbook_base=(runbook_base or _served_runbooks(config) or RUNBOOK_BASE).rstrip("/"),
            dashboard_base=(dashboard_base or DASHBOARD_BASE).rstrip("/"),
        )
    except FolderError as error:
        raise Problem(error.problems) from error
    _finish({RULES_FILE: text}, output, RULES_FOLDER, check=check)


def _served_runbooks(config: Path | None) -> str:
    """Where the configuration says that people reach the daemon's runbooks; "" where it does not."""
    path = found_file(config)
    external_url = loaded(path).config.server.external_url if path else ""
    return external_url and f"{external_url}/runbooks"


@click.command(cls=Command)
@_output_options(DASHBOARDS_FOLDER)
def dashboards(output: Path | None, *, check: bool) -> None:
    """Render the dashboards for Grafana."""
    try:
        from monitor.publish.dashboards import render_dashboards
    except ModuleNotFoundError as error:
        raise Problem(
            f"{error.name} is not installed: pip install 'deliverability-monitor[dashboards]'"
        ) from error
    from monitor.publish.folder import FolderError

    try:
        files = render_dashboards(checks_installed())
    except FolderError as error:
        raise Problem(error.problems) from error
    _finish(files, output, DASHBOARDS_FOLDER, check=check)


def _finish(files: Mapping[str, str], output: Path | None, default: Path, *, check: bool) -> None:
    folder = output or default
    if output is None and not folder.is_dir():
        raise Problem(f"there is no folder {folder} here: name one with --output")
    stale = [name for name, text in files.items() if _text(folder / name) != text]
    if check:
        if stale:
            raise Problem([f"{folder / name} is stale" for name in stale])
        click.echo(f"{folder}: up to date")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in stale:
            (folder / name).write_text(files[name], encoding="utf-8")
    except OSError as error:
        raise Problem(f"{folder}: cannot be written: {error.strerror}") from error
    for name in files:
        click.echo(f"{folder / name}{'' if name in stale else ' (unchanged)'}")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
