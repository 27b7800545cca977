"""`healthcheck` and `version`: started often, so they import next to nothing."""

import json
import os
import signal
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import version as installed_version
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

import click

from monitor.cli.command import Command, Problem
from monitor.cli.source import config_option, found_file

LIMIT_SECONDS = 2.7
"""Of the whole question, so that an answer of ours is there within 3 s."""

DEFAULT_LISTEN = "127.0.0.1:9825"
DISTRIBUTION = "deliverability-monitor"

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - not bound here


@click.command(cls=Command)
def version() -> None:
    """Print the version."""
    click.echo(installed_version(DISTRIBUTION))


@click.command(cls=Command)
@config_option
@click.option("--url", metavar="URL", help="The daemon's address. Default: the configuration's.")
def healthcheck(config: Path | None, url: str | None) -> None:
    """Ask the daemon whether it lives: exit 0 or 1, within 3 s."""
    address = url or f"http://{listen_address(found_file(config), os.environ)}"
    status = _asked(f"{address.rstrip('/')}/-/healthy")
    if status != 200:  # noqa: PLR2004
        raise Problem(f"{address}: answers {status}")
    click.echo(f"{address}: healthy")


def listen_address(path: Path | None, environ: Mapping[str, str]) -> str:
    """Where the daemon of this configuration is reached, as `host:port`.

    Reads one key and leaves it to the daemon to judge the file.
    """
    return reachable(_listen_of_environment(environ) or _listen_of_file(path) or DEFAULT_LISTEN)


def reachable(listen: str) -> str:
    """Where a server is reached that listens at `host:port`, perhaps at every address."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    host = _EVERYWHERE.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_of_environment(environ: Mapping[str, str]) -> str:
    by_name = {name.upper(): value for name, value in environ.items()}
    if listen := by_name.get("DELIVERABILITY_SERVER__LISTEN"):
        return listen
    try:
        return str(json.loads(by_name.get("DELIVERABILITY_SERVER", "{}")).get("listen", ""))
    except (ValueError, AttributeError):
        return ""


def _listen_of_file(path: Path | None) -> str:
    if path is None:
        return ""
    import yaml

    try:
        server = (yaml.safe_load(path.read_bytes()) or {}).get("server") or {}
        return str(server.get("listen", ""))
    except OSError as error:
        raise Problem(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, AttributeError):
        raise Problem(f"{path}: is no configuration") from None


def _asked(url: str) -> int:
    """The status of an answer that came within the limit."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    signal.signal(signal.SIGALRM, _too_late)
    # Limits of single reads would let a server that drips keep us for ever.
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        connection = kind(parts.netloc)
        connection.request("GET", parts.path)
        return connection.getresponse().status
    except (OSError, HTTPException, ValueError) as error:
        raise Problem(f"{url}: {error}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_late(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"no answer within {LIMIT_SECONDS:g} s")
