"""Where a command's configuration comes from: the option, the variable, the file in this folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.command import Problem

if TYPE_CHECKING:
    from monitor.config.sections import Checks
    from monitor.config.valid import ValidConfig

VARIABLE = "DELIVERABILITY_CONFIG"
DEFAULT_FILE = Path("deliverability.yaml")

_ANY_DOMAIN = "example.com"
_NO_STATE = "sqlite:///never-opened.db"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def config_option(function: _Function) -> _Function:
    """`--config FILE`."""
    return click.option(
        "--config",
        "-c",
        metavar="FILE",
        type=click.Path(path_type=Path, readable=False),
        help=f"The configuration file. Default: ${VARIABLE}, else {DEFAULT_FILE} in this folder.",
    )(function)


def found_file(config: Path | None) -> Path | None:
    """The file to use: the option's, the variable's, the one in this folder; None where there is none."""
    if config is not None:
        return config
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def needed_file(config: Path | None) -> Path:
    """The same where a command cannot do without.

    Raises:
        UsageError: there is none.
    """
    if found := found_file(config):
        return found
    raise click.UsageError(
        f"no configuration: name one with --config, set ${VARIABLE}, or write {DEFAULT_FILE}"
    )


def checks_installed() -> "Checks":
    """The installed checks.

    Raises:
        Problem: one of them cannot be used.
    """
    from monitor.config.installed import BrokenCheckError, installed_checks

    try:
        return installed_checks()
    except BrokenCheckError as error:
        raise Problem(str(error)) from error


def loaded(path: Path) -> "ValidConfig":
    """The configuration of a file.

    Raises:
        Problem: with one line for each thing that is wrong; exits 2.
    """
    from monitor.config.errors import ConfigErrors
    from monitor.config.load import load

    try:
        return load(path, os.environ, checks_installed())
    except ConfigErrors as errors:
        raise Problem(str(errors), bad_input=True) from errors


def loaded_or_default(config: Path | None) -> "ValidConfig":
    """The configuration of the file to use, else all defaults: for commands that look, and keep nothing.

    Raises:
        Problem: with one line for each thing that is wrong; exits 2, or 3.
    """
    path = found_file(config)
    if path is not None:
        return loaded(path)
    from monitor.config.errors import ConfigErrors
    from monitor.config.load import for_domain

    try:
        # The domain is not looked at, and the state is never opened.
        return for_domain(_ANY_DOMAIN, checks_installed(), store_url=_NO_STATE, environ=os.environ)
    except ConfigErrors as errors:
        raise Problem(str(errors), bad_input=True) from errors
