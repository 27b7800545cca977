"""Asks the daemon that runs, through its HTTP API."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

LIMIT_SECONDS: Final = 10.0
_OK: Final = 200


class NotRunningError(Exception):
    """Nobody answers there."""


class RefusedError(Exception):
    """The daemon answers, and says no; the text says why."""


def ask_daemon(url: str, path: str, body: dict[str, str] | None = None) -> Any:
    """The JSON at `path` of the daemon at `url`; with a body it is sent by POST.

    Raises:
        NotRunningError: nobody answers there.
        RefusedError: the answer is a refusal, or no JSON.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=LIMIT_SECONDS)
    try:
        if body is None:
            connection.request("GET", parts.path.rstrip("/") + path)
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", parts.path.rstrip("/") + path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, HTTPException, ValueError) as error:
        raise NotRunningError(f"{url}: {error}") from error
    finally:
        connection.close()
    try:
        document = json.loads(text)
    except ValueError:
        raise RefusedError(f"{url}: answers {answer.status}, and not as the daemon does") from None
    if answer.status != _OK:
        raise RefusedError(str(document.get("error", f"{url}: answers {answer.status}")))
    return document
