"""Options that several commands have, and values that are checked while they are read."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])


def json_option(function: _Function) -> _Function:
    """`--json`."""
    option = click.option("--json", "as_json", is_flag=True, help="JSON for programs.")
    return option(function)


def host_and_port(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """`host:port` in one form.

    Raises:
        BadParameter: it is something else.
    """
    if value is None:
        return None
    from monitor.config import names

    try:
        return names.joined(*names.host_port(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def duration(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """Seconds of a duration such as `5s`.

    Raises:
        BadParameter: it is none.
    """
    from monitor.protocol.durations import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
