"""The lab's HTTPS sites: each at its own address, with documents by path, or with bad manners."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import trustme
from aiohttp import web

from monitor.lab.certificates import tls_context
from monitor.lab.scenario import FROM_NOW, Document, Scenario, Site, SiteManner, seconds

_HUGE_OCTETS = 5_000_000_000
_SMALL_OCTETS = 60_000
_HELD_BACK_OCTETS = 1000
_PART = b"mx: mx.hostile.example\r\n" * 2500
_PAUSE_SECONDS = 0.01

Answer = Callable[[web.BaseRequest, Site], Awaitable[web.StreamResponse]]


async def _normal(request: web.BaseRequest, site: Site) -> web.StreamResponse:
    document = site.documents.get(request.path)
    if document is None:
        return web.Response(status=404, text="404: not found\n")
    headers = {"Content-Type": document.type}
    if document.location:
        headers["Location"] = document.location
    body = _octets(document, datetime.now(UTC))
    return web.Response(status=document.status, headers=headers, body=body)


async def _endless(request: web.BaseRequest, _site: Site) -> web.StreamResponse:
    """Send a body of chunks of which none is the last."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    return await _flood(request, response)


async def _huge(request: web.BaseRequest, _site: Site) -> web.StreamResponse:
    """Say that there are gigabytes, and send them."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.content_length = _HUGE_OCTETS
    return await _flood(request, response)


async def _flood(
    request: web.BaseRequest,
    response: web.StreamResponse,
    *,
    part: bytes = _PART,
    pause: float = _PAUSE_SECONDS,
) -> web.StreamResponse:
    """Send the same again and again, until the client leaves."""
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(part)
            await asyncio.sleep(pause)
    return response


async def _liar(request: web.BaseRequest, site: Site) -> web.StreamResponse:
    """Announce more than is sent, and hang up."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    body = _octets(site.documents.get(request.path, Document()), datetime.now(UTC))
    response.content_length = len(body) + _HELD_BACK_OCTETS
    response.force_close()
    await response.prepare(request)
    await response.write(body)
    return response


async def _stalled(_request: web.BaseRequest, _site: Site) -> web.StreamResponse:
    """Take the request and say nothing, until the client leaves."""
    await asyncio.Event().wait()
    raise ConnectionResetError


async def _tarpit(request: web.BaseRequest, _site: Site) -> web.StreamResponse:
    """Give the body at one octet a second, and never finish it."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.content_length = _SMALL_OCTETS
    return await _flood(request, response, part=b"v", pause=1)


_ANSWERS: dict[SiteManner, Answer] = {
    SiteManner.NORMAL: _normal,
    SiteManner.ENDLESS: _endless,
    SiteManner.HUGE: _huge,
    SiteManner.LIAR: _liar,
    SiteManner.STALLED: _stalled,
    SiteManner.TARPIT: _tarpit,
}


def _octets(document: Document, now: datetime) -> bytes:
    if isinstance(document.body, bytes):
        return document.body
    return FROM_NOW.sub(lambda match: _timestamp(now, match[1]), document.body).encode()


def _timestamp(now: datetime, away: str) -> str:
    then = now + timedelta(seconds=seconds(away))
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")


class HttpsSites:
    """All sites of a world; only those whose description changed are opened anew."""

    def __init__(self, authority: trustme.CA, port: int) -> None:
        self._authority = authority
        self._port = port
        self._running: dict[str, tuple[Site, web.ServerRunner]] = {}

    @staticmethod
    def addresses(scenario: Scenario) -> set[IPv4Address]:
        """Return the addresses at which the sites of this world listen."""
        return {site.address for site in scenario.sites.values()}

    async def load(self, scenario: Scenario) -> None:
        """Make what listens match a world.

        Raises:
            OSError: when an address or the port is not to be had.
        """
        blocked = scenario.egress.get(443, "open") != "open"
        sites = {} if blocked else scenario.sites
        wanted = {name: site for name, site in sites.items() if site.listening}
        for name, (site, _) in list(self._running.items()):
            if wanted.get(name) != site:
                await self._close(name)
        for name, site in wanted.items():
            if name not in self._running:
                await self._open(name, site)

    async def stop(self) -> None:
        """Close every site."""
        for name in list(self._running):
            await self._close(name)

    async def _open(self, name: str, site: Site) -> None:
        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return await _ANSWERS[site.manner](request, site)

        server = web.Server(answer, handler_cancellation=True, access_log=None)
        # Conversations are cut, not waited for.
        runner = web.ServerRunner(server, shutdown_timeout=0)
        self._running[name] = (site, runner)
        await runner.setup()
        context = tls_context(self._authority, name, site, datetime.now(UTC))
        await web.TCPSite(runner, str(site.address), self._port, ssl_context=context).start()

    async def _close(self, name: str) -> None:
        await self._running.pop(name)[1].cleanup()
