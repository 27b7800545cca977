"""What every request and answer goes through: security headers, errors, time limits, and an orderly end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from monitor.web.replies import refusal

log = structlog.get_logger()

SEND_SECONDS: Final = 30.0
"""How long a client may take to read an answer."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: under that a browser sends `Origin: null` with our own forms too
    # (Fetch standard §3.2), and they could not be told from another site's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "deliverability-monitor",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """The outermost middleware, and the count of requests under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, whatever the handler does, and send the answer within its time limit."""
        self._under_way += 1
        self._idle.clear()
        try:
            response = await _answer(request, handler)
            for name, value in SECURITY_HEADERS.items():
                response.headers[name] = value
            response.headers.setdefault("Cache-Control", "no-store")
            await _send(request, response)
            return response
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def finished(self, seconds: float) -> bool:
        """Wait for the requests under way, `seconds` at most; whether all of them are finished."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def refuse_other_sites(request: web.Request) -> None:
    """Let programs and our own pages through, not what another site makes a browser send.

    Raises:
        web.HTTPForbidden: the request comes from another site.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise web.HTTPForbidden(text="requests from other sites are refused")
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise web.HTTPForbidden(text="requests from other sites are refused")


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refused:
        headers = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else None
        response = refusal(request.path, refused.status, _reason(refused), headers)
        if isinstance(refused, web.HTTPRequestTimeout | web.HTTPRequestEntityTooLarge):
            # The rest of the body is still on its way.
            response.force_close()
        return response
    except ConnectionError:
        raise
    except Exception:
        resource = request.match_info.route.resource
        log.exception("web.failed", route=resource.canonical if resource else "")
        return refusal(request.path, 500, "the monitor failed to answer; its log says why")


def _reason(refused: web.HTTPException) -> str:
    match refused:
        case web.HTTPNotFound() if refused.text == f"404: {refused.reason}":
            return "there is no such page"
        case web.HTTPMethodNotAllowed():
            return f"{refused.method} is not allowed here"
        case web.HTTPRequestEntityTooLarge():
            return "the body is too large"
    return refused.text or refused.reason


async def _send(request: web.Request, response: web.StreamResponse) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        # A client that does not read holds the whole answer in memory; closing politely would wait for it.
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client does not read its answer") from None
