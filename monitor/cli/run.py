"""`run`: the daemon, on a file, on one domain, or on the lab."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.command import Command, Problem, only_cause
from monitor.cli.lab import DIRECTORY as LAB_DIRECTORY
from monitor.cli.log_format import log_format_option, start_log
from monitor.cli.options import host_and_port
from monitor.cli.source import DEFAULT_FILE, VARIABLE, checks_installed, config_option, found_file

if TYPE_CHECKING:
    from monitor.config.valid import ValidConfig

LISTEN_VARIABLE = "DELIVERABILITY_SERVER__LISTEN"

LoadConfig = Callable[[], "ValidConfig"]


@click.command(cls=Command)
@config_option
@click.option("--domain", metavar="NAME", help="Watch this domain, with no configuration file.")
@click.option("--lab", is_flag=True, help="Watch the bundled lab, which needs no network.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=host_and_port,
    help="Where to serve metrics and the status page. Default: the configuration's.",
)
@log_format_option
def run(
    config: Path | None,
    domain: str | None,
    listen: str | None,
    log_format: str | None,
    *,
    lab: bool,
) -> None:
    """Watch, until told to stop.

    SIGHUP reloads the configuration, SIGTERM and Ctrl-C drain and end.
    """
    if sum((config is not None, domain is not None, lab)) > 1:
        raise click.UsageError("--config, --domain and --lab exclude one another")
    path = None if domain or lab else found_file(config)
    if path is None and not domain and not lab:
        raise click.UsageError(
            f"nothing to watch: --config FILE (or ${VARIABLE}, or {DEFAULT_FILE} here), "
            "--domain NAME, or --lab"
        )
    start_log(log_format)
    environ = {**os.environ, **({LISTEN_VARIABLE: listen} if listen else {})}
    with ExitStack() as stack:
        if lab:
            path = stack.enter_context(_lab(environ, log_format))
        load = _of_domain(domain, environ) if domain else _of_file(path or DEFAULT_FILE, environ)
        _watch(load, hint="deliverability lab incidents" if lab else None)


def _lab(environ: Mapping[str, str], log_format: str | None) -> AbstractContextManager[Path]:
    from monitor.cli.lab_process import running_lab

    listen = environ.get(LISTEN_VARIABLE)
    return running_lab(LAB_DIRECTORY, listen=listen, log_format=log_format)


def _of_file(path: Path, environ: Mapping[str, str]) -> LoadConfig:
    from monitor.config.load import load

    return partial(load, path, environ, checks_installed())


def _of_domain(domain: str, environ: Mapping[str, str]) -> LoadConfig:
    from monitor.config import names
    from monitor.config.load import for_domain

    try:
        name = names.domain_name(domain)
    except ValueError as error:
        raise Problem(f"--domain: {error}", bad_input=True) from None
    store_url = f"sqlite:///var/{name}/state.db"
    return partial(for_domain, name, checks_installed(), store_url=store_url, environ=environ)


def _watch(load: LoadConfig, *, hint: str | None) -> None:
    from monitor.app.daemon import run_daemon
    from monitor.config.errors import ConfigErrors
    from monitor.store.error import StoreError

    version = installed_version("deliverability-monitor")
    try:
        asyncio.run(run_daemon(load, version=version, announce=partial(_announce, hint=hint)))
    except Exception as error:
        cause = only_cause(error)
        match cause:
            case ConfigErrors():
                raise Problem(str(cause), bad_input=True) from error
            case StoreError() | OSError():
                raise Problem(str(cause)) from error
        raise


def _announce(url: str, *, hint: str | None) -> None:
    """Say where to look."""
    import structlog

    places = {"status_page": f"{url}/", "metrics": f"{url}/metrics"}
    if hint:
        places["incidents"] = hint
    structlog.get_logger().info("daemon.listening", **places)
