"""What Prometheus, orchestrators and administrators ask: metrics, health, readiness, reload."""

import asyncio
import gzip
from typing import Final

from aiohttp import web

from monitor.web.backend import Backend
from monitor.web.guard import refuse_other_sites
from monitor.web.negotiation import accepts_gzip, prefers_openmetrics
from monitor.web.replies import text_reply

TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_FORMAT: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Operations:
    """`/metrics` and `/-/…`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._was_ready = False

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/metrics", self.metrics),
            web.get("/-/healthy", self.healthy),
            web.get("/-/ready", self.ready),
            web.post("/-/reload", self.reload),
            web.put("/-/reload", self.reload),
        ]

    async def metrics(self, request: web.Request) -> web.Response:
        """The exposition; 503 until the state is there, so that nothing resolves by a restart."""
        if not self._was_ready and (reason := await self._not_ready()):
            return text_reply(f"not ready: {reason}\n", status=503)
        openmetrics = prefers_openmetrics(request.headers.get("Accept", ""))
        body = self._backend.metrics(openmetrics=openmetrics)
        headers = {
            "Content-Type": OPENMETRICS_FORMAT if openmetrics else TEXT_FORMAT,
            "Vary": "Accept, Accept-Encoding",
        }
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            body = await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def healthy(self, _request: web.Request) -> web.Response:
        """The process lives and answers."""
        return text_reply("healthy\n")

    async def ready(self, _request: web.Request) -> web.Response:
        """The stored state is loaded and the store answers."""
        if reason := await self._not_ready():
            return text_reply(f"not ready: {reason}\n", status=503)
        return text_reply("ready\n")

    async def reload(self, request: web.Request) -> web.Response:
        """Take the configuration anew; 400 with one line an error where it is not valid."""
        refuse_other_sites(request)
        if errors := await self._backend.reload():
            return text_reply("".join(f"{error}\n" for error in errors), status=400)
        return text_reply("reloaded\n")

    async def _not_ready(self) -> str | None:
        reason = await self._backend.not_ready()
        self._was_ready = self._was_ready or reason is None
        return reason
