"""Event webhooks: the raw body once to the receiver, and its reply back."""

import asyncio
from contextlib import nullcontext
from typing import Final

from aiohttp import web

from monitor.web.backend import Backend
from monitor.web.bodies import read_body
from monitor.web.replies import json_reply

_LARGE: Final = 256 * 1024
_LARGE_AT_ONCE: Final = 8
"""Nobody is authenticated before the body is here, so few large ones may be in memory together."""


class Hooks:
    """`/hooks/<name>`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.post("/hooks/{name}", self.receive),
            web.head("/hooks/{name}", self.exists),
        ]

    async def receive(self, request: web.Request) -> web.Response:
        """Events arrive; 2xx only after they are durable."""
        size = request.content_length
        large = size is None or size > _LARGE
        async with self._large if large else nullcontext():
            body = await read_body(request)
            reply = await self._backend.hook(request.match_info["name"], request.headers, body)
        return json_reply(dict(reply.body), status=reply.status, headers=reply.headers)

    async def exists(self, _request: web.Request) -> web.Response:
        """Some senders ask so before they tell their key (Mandrill), and they ask unsigned."""
        return web.Response()
