"""`--log-format`: text for people, JSON for machines."""

import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])


def log_format_option(function: _Function) -> _Function:
    """`--log-format console|json`."""
    return click.option(
        "--log-format",
        type=click.Choice(["console", "json"]),
        help="How the log is written to stderr. Default: console on a terminal, else json.",
    )(function)


def start_log(log_format: str | None, *, level: int = logging.INFO) -> None:
    """Set the log up: as asked, else as stderr is read."""
    from monitor.app.logs import configure_logs

    chosen = log_format or ("console" if sys.stderr.isatty() else "json")
    configure_logs(json=chosen == "json", level=level)
