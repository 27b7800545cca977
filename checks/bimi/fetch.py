"""Fetching what a BIMI record names, and telling our own trouble from the document's."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from monitor.check import HttpsFailure, HttpsReply, Question, World
from monitor.protocol import bimi

_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_HTTPS_PORT = 443
# Far more than a logo or a certificate may have: what is only too large is then told as that.
_MOST_FETCHED = 2**20


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, or why there is none: `trouble` lies with it, `ours` is a reason to be unknown."""

    body: bytes = b""
    trouble: str = ""
    ours: str = ""


async def fetch(url: str, world: World) -> Fetched:
    """The document at `url`; a few redirects to other https addresses are followed."""
    here = url
    for _ in range(_MOST_REDIRECTS + 1):
        reply = await world.https.get(here, limit=_MOST_FETCHED)
        if reply.failure is not None:
            return await _failed(reply, world)
        if reply.status == _OK:
            return Fetched(reply.body)
        if reply.status not in _REDIRECTS:
            return Fetched(trouble=f"{here} answers {reply.status}")
        here = _joined(here, reply.location)
        if not bimi.is_https_address(here):
            return Fetched(trouble=f"{reply.url} redirects to something that is no https address")
    return Fetched(trouble=f"{url} redirects more than {_MOST_REDIRECTS} times")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


async def _failed(reply: HttpsReply, world: World) -> Fetched:
    said = f"{reply.url}: {reply.reason}"
    if reply.failure in {HttpsFailure.FORBIDDEN, HttpsFailure.UNABLE}:
        return Fetched(ours=said)
    if reply.failure is HttpsFailure.RESOLVE:
        return await _unresolved(reply, world)
    if reply.failure in {HttpsFailure.CONNECT, HttpsFailure.TIMEOUT}:
        ours = await world.canaries.egress(_HTTPS_PORT)
        return Fetched(ours=f"{said}; {ours}") if ours else Fetched(trouble=said)
    return Fetched(trouble=said)


async def _unresolved(reply: HttpsReply, world: World) -> Fetched:
    """Without an address it is the document's trouble, without an answer nobody's that we know."""
    host = urlsplit(reply.url).hostname or ""
    answers = await world.dns.ask_many([Question(host, "A"), Question(host, "AAAA")])
    if all(answer.known and not answer.records for answer in answers):
        return Fetched(trouble=f"{host} has no address")
    blind = next((answer.blindness for answer in answers if not answer.known), "")
    return Fetched(ours=blind or f"{reply.url}: {reply.reason}")
