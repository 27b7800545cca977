"""Answers as JSON, text or HTML, and the one shape of a refusal."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

_JSON_PATHS: Final = ("/api/", "/hooks/")


def json_reply(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`data` as JSON in ASCII: whatever a server sent, no raw control or bidirectional character leaves here."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False) + "\n"
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def text_reply(
    text: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Plain text in UTF-8; `text` has its own line ends."""
    return web.Response(text=text, status=status, headers=headers, content_type="text/plain")


def html_reply(text: str, *, status: int = 200) -> web.Response:
    """A whole HTML page."""
    return web.Response(text=text, status=status, content_type="text/html")


def refusal(
    path: str, status: int, reason: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A refusal with its reason: `{"error": …}` for programs' paths, a line of text elsewhere."""
    if path.startswith(_JSON_PATHS):
        return json_reply({"error": reason}, status=status, headers=headers)
    return text_reply(f"{reason}\n", status=status, headers=headers)
