"""Reads the bodies of requests, within limits of size and time."""

import asyncio
from typing import Final

from aiohttp import web

BODY_LIMIT: Final = 5 * 1024 * 1024
"""Bytes of a body, as sent."""

READ_SECONDS: Final = 10.0
"""How long a client may take to send a body."""


async def read_body(request: web.Request) -> bytes:
    """The body as it was sent.

    Raises:
        web.HTTPRequestEntityTooLarge: it is larger than BODY_LIMIT, or says so.
        web.HTTPRequestTimeout: it did not arrive in time.
        web.HTTPBadRequest: it is not what its framing says.
    """
    announced = request.content_length or 0
    if announced > BODY_LIMIT:
        raise web.HTTPRequestEntityTooLarge(max_size=BODY_LIMIT, actual_size=announced)
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not arrive in time") from None
    except web.RequestPayloadError:
        raise web.HTTPBadRequest(text="the body broke off") from None
