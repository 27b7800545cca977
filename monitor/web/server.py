"""The HTTP server: its routes, its limits, its end."""

import logging
import os
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from monitor.web.api import Api
from monitor.web.backend import Backend
from monitor.web.bodies import BODY_LIMIT
from monitor.web.guard import Guard
from monitor.web.hooks import Hooks
from monitor.web.operations import Operations
from monitor.web.pages import Pages
from monitor.web.probe import Prober
from monitor.web.site import Site

FINISH_SECONDS: Final = 2.5
"""How long requests under way may finish once the server is told to close."""

_CANCEL_SECONDS: Final = 0.2

_IDLE_SECONDS: Final = 15.0
"""How long a connection may take until it has sent the whole head of its next request."""

_LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused body is read, so that its sender sees the refusal."""

_HEADER_LIMIT: Final = 8190
_HEADERS_LIMIT: Final = 64

_GUARD: Final = web.AppKey("guard", Guard)

# What this logger tells is broken HTTP from outside; failures of ours are logged by the guard.
_protocol_log = logging.getLogger("monitor.web.protocol")
_protocol_log.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Running:
    """A listening server; `url` has no path and no trailing slash."""

    url: str
    _runner: web.AppRunner = field(repr=False)
    _site: web.TCPSite = field(repr=False)
    _guard: Guard = field(repr=False)

    async def close(self) -> None:
        """Stop accepting, let requests finish (3 s at most), then cancel and close what is left."""
        await self._site.stop()
        await self._guard.finished(FINISH_SECONDS)
        await self._runner.cleanup()


def build_application(backend: Backend) -> web.Application:
    """The application that serves `backend`."""
    guard = Guard()
    application = web.Application(client_max_size=BODY_LIMIT, middlewares=[guard.handle])
    application[_GUARD] = guard
    pages = Pages()
    parts = (
        Operations(backend),
        Hooks(backend),
        Prober(backend, pages),
        Api(backend),
        Site(backend, pages),
    )
    for part in parts:
        application.add_routes(part.routes())
    return application


async def serve(application: web.Application, listen: str) -> Running:
    """Listen on `address:port` (`[address]:port` for IPv6; port 0 takes a free one).

    Raises:
        OSError: the address cannot be used.
    """
    runner = web.AppRunner(
        application,
        access_log=None,
        logger=_protocol_log,
        keepalive_timeout=_IDLE_SECONDS,
        lingering_time=_LINGER_SECONDS,
        max_line_size=_HEADER_LIMIT,
        max_field_size=_HEADER_LIMIT,
        max_headers=_HEADERS_LIMIT,
        # Signatures are over the body as it was sent.
        auto_decompress=False,
        shutdown_timeout=_CANCEL_SECONDS,
    )
    await runner.setup()
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    site = web.TCPSite(runner, host, int(port))
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        # Errors of name resolution have numbers of their own, below 0.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or str(error)
        raise OSError(
            f"cannot listen at {listen}: {reason} (server.listen, or --listen, chooses another)"
        ) from error
    return Running(_url(host, site.port), runner, site, application[_GUARD])


def _url(host: str, port: int) -> str:
    reached_at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://[{reached_at}]:{port}" if ":" in reached_at else f"http://{reached_at}:{port}"
