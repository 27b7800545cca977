"""The HTTPS client: one GET, from a server whose certificate is good, within limits of time and size."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from itertools import chain, zip_longest

from aiohttp import (
    BaseConnector,
    ClientError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.tracing import Trace
from yarl import URL

from monitor.check import (
    Clock,
    DnsClient,
    HttpsFailure,
    HttpsReply,
    Question,
    TlsSession,
)
from monitor.model import Address
from monitor.protocol.tls import is_outdated, names_match
from monitor.world.connect import connect_trouble, handshake_trouble, open_socket
from monitor.world.guard import AddressGuard
from monitor.world.tls import TrustStore, looking_context, moment, read_session

HTTPS_PORT = 443

_MOST_ADDRESSES = 4
_LONGEST_URL = 2048
_LONGEST_HEADER = 8190
_MOST_HEADERS = 128
_IDENTITY = f"deliverability-monitor/{version('deliverability-monitor')}"
_NO_LIMIT_OF_ITS_OWN = ClientTimeout(total=None, sock_connect=None)


_RESOLVING = "resolving the name"


class _EndedError(Exception):
    """There will be no whole reply."""

    def __init__(self, failure: HttpsFailure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason


@dataclass(slots=True)
class _Notes:
    """What the exchange under way has shown so far; `silent` is which kind of address was not told."""

    url: str
    phase: str = _RESOLVING
    silent: str = ""
    status: int | None = None
    content_type: str = ""
    location: str = ""
    body: bytes = b""
    tls: TlsSession | None = None

    def reply(self, seconds: float, end: _EndedError | None) -> HttpsReply:
        return HttpsReply(
            url=self.url,
            status=self.status,
            content_type=self.content_type,
            location=self.location,
            body=b"" if end else self.body,
            tls=self.tls,
            seconds=seconds,
            failure=end.failure if end else None,
            reason=end.reason if end else "",
        )


class _Opened(BaseConnector):
    """Gives aiohttp the one connection that was opened, and judged, before a word is said on it."""

    def __init__(self, connection: ResponseHandler) -> None:
        super().__init__(force_close=True)
        self._opened: ResponseHandler | None = connection

    async def _create_connection(
        self,
        req: ClientRequest,  # noqa: ARG002
        traces: list[Trace],  # noqa: ARG002
        timeout: ClientTimeout,  # noqa: ARG002, ASYNC109
    ) -> ResponseHandler:
        connection, self._opened = self._opened, None
        if connection is None:  # aiohttp asks a second time where the first came to nothing
            raise ServerDisconnectedError
        return connection


class HttpsGetter:
    """Implements `monitor.check.HttpsClient`.

    Follows no redirect, keeps no cookie, knows no proxy, inflates nothing. Only port 443 is spoken to, with
    TLS 1.2 or newer.

    Args:
        source_address: the address to connect from, for servers of its family.
        connect_seconds: the limit of connecting to one address.
        total_seconds: the limit of a GET, resolving the name included.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        resolver: DnsClient,
        store: TrustStore,
        clock: Clock,
        source_address: Address | None = None,
        connect_seconds: float = 3.0,
        total_seconds: float = 10.0,
    ) -> None:
        self._guard = guard
        self._resolver = resolver
        self._store = store
        self._clock = clock
        self._source = source_address
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds

    async def get(self, url: str, *, limit: int = 65536) -> HttpsReply:
        """One GET of an `https:` URL; redirects are told, not followed. `limit` is in bytes."""
        notes, started, end = _Notes(url), self._clock.monotonic(), None
        try:
            async with asyncio.timeout(self._total_seconds):
                await self._exchange(notes, limit)
        except TimeoutError:
            reason = f"not finished within {self._total_seconds:g} s ({notes.phase})"
            resolving = notes.phase == _RESOLVING
            end = _EndedError(HttpsFailure.RESOLVE if resolving else HttpsFailure.TIMEOUT, reason)
        except _EndedError as error:
            end = error
        return notes.reply(self._clock.monotonic() - started, end)

    async def _exchange(self, notes: _Notes, limit: int) -> None:
        url = _checked(notes.url)
        host = (url.raw_host or "").removesuffix(".")
        addresses = self._permitted(host, await self._addresses(host, notes))
        notes.phase = "connecting"
        transport, protocol = await self._connect(addresses, host, notes)
        try:
            notes.tls = self._judged(transport, host, notes)
            notes.phase = "waiting for the reply"
            with _explained():
                await _ask(url, protocol, notes, limit)
        finally:
            # Not closed: an orderly end of TLS would wait for the server, and read what it still sends.
            transport.abort()

    async def _addresses(self, host: str, notes: _Notes) -> list[str]:
        """A few addresses of both families, by turns."""
        if _is_address(host):
            return [host]
        answers = await self._resolver.ask_many([Question(host, "A"), Question(host, "AAAA")])
        by_turns = chain.from_iterable(zip_longest(*(answer.records for answer in answers)))
        found = [address for address in by_turns if address is not None]
        notes.silent = "; ".join(answer.blindness for answer in answers if not answer.known)
        if not found:
            reason = notes.silent or f"{host} has no address ({answers[0].status})"
            raise _EndedError(HttpsFailure.RESOLVE, reason)
        return found

    def _permitted(self, host: str, addresses: list[str]) -> list[str]:
        refusals = [self._guard.permit(address) for address in addresses]
        permitted = [address for address, no in zip(addresses, refusals, strict=True) if no is None]
        if not permitted:
            raise _EndedError(HttpsFailure.FORBIDDEN, f"{host}: {refusals[0]}")
        return permitted[:_MOST_ADDRESSES]

    async def _connect(
        self, addresses: list[str], host: str, notes: _Notes
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        failures, refused, loop = [], False, asyncio.get_running_loop()
        for address in addresses:
            try:
                async with asyncio.timeout(self._connect_seconds):
                    port = self._guard.port(HTTPS_PORT)
                    connection = await open_socket(address, port, self._source)
            except OSError as error:  # TimeoutError is one
                trouble = connect_trouble(error, self._connect_seconds)
                failures.append(f"{address}: {trouble}")
                refused = refused or isinstance(error, ConnectionRefusedError)
                continue
            notes.phase = "TLS handshake"
            try:
                return await loop.create_connection(
                    lambda: ResponseHandler(loop),
                    sock=connection,
                    ssl=looking_context(),
                    server_hostname=host,
                    ssl_handshake_timeout=self._total_seconds,
                )
            except (OSError, ValueError) as error:
                raise _EndedError(HttpsFailure.TLS, handshake_trouble(error)) from None
        reason = f"no connection to {host} port {HTTPS_PORT}: {'; '.join(failures)}"
        if notes.silent:
            # It may have another address, where it answers.
            raise _EndedError(HttpsFailure.RESOLVE, f"{notes.silent}; {reason}")
        if not refused and all(ip_address(address).version == 6 for address in addresses):  # noqa: PLR2004
            # Many networks that look have no IPv6, and the canaries tell of IPv4.
            raise _EndedError(HttpsFailure.UNABLE, f"{reason}; it has IPv6 addresses only")
        raise _EndedError(HttpsFailure.CONNECT, reason)

    def _judged(self, transport: asyncio.Transport, host: str, notes: _Notes) -> TlsSession:
        """The session where it is good enough to ask anything; noted in any case."""
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        notes.tls = session = read_session(tls, self._store, moment(self._clock.now()))
        if session.untrusted is not None and self._store.is_empty:
            raise _EndedError(HttpsFailure.UNABLE, session.untrusted)
        if session.untrusted is not None:
            raise _EndedError(HttpsFailure.TLS, session.untrusted)
        names = session.chain[0].names
        if not names_match(host, names):
            named = ", ".join(names[:10])[:200] or "no host"
            raise _EndedError(HttpsFailure.TLS, f"the certificate names {named}, not {host}")
        if is_outdated(session.protocol):
            raise _EndedError(HttpsFailure.TLS, f"the server speaks {session.protocol} at best")
        return session


def _checked(text: str) -> URL:
    """The URL, where it is one that we get."""
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise _EndedError(HttpsFailure.FORBIDDEN, f"no URL: {str(error)[:200]}") from None
    if len(text) > _LONGEST_URL:
        refusal = f"a URL longer than {_LONGEST_URL} characters"
    elif url.scheme != "https" or not url.raw_host:
        refusal = "not an https URL"
    elif url.raw_user is not None or url.raw_password is not None:
        refusal = "a URL with a user's name"
    elif port != HTTPS_PORT:
        refusal = f"a URL of another port than {HTTPS_PORT}"
    else:
        return url
    raise _EndedError(HttpsFailure.FORBIDDEN, f"{refusal} is not asked for")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _ask(url: URL, connection: ResponseHandler, notes: _Notes, limit: int) -> None:
    async with (
        ClientSession(
            connector=_Opened(connection),
            cookie_jar=DummyCookieJar(),
            timeout=_NO_LIMIT_OF_ITS_OWN,  # `get` has one for all
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
            headers={"User-Agent": _IDENTITY, "Accept": "*/*", "Accept-Encoding": "identity"},
        ) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        notes.status = response.status
        notes.content_type = _text(response, "Content-Type").partition(";")[0].strip().lower()
        notes.location = _text(response, "Location")
        notes.phase = "reading the body"
        notes.body = await _body(response, limit)


async def _body(response: ClientResponse, limit: int) -> bytes:
    coding = _text(response, "Content-Encoding").strip().lower()
    if coding not in {"", "identity"}:
        # RFC 9110 §12.5.3: we said that we take it as it is; what is packed may unpack to anything.
        reason = f"the server packed the body ({coding[:40]!a}) although it was asked not to"
        raise _EndedError(HttpsFailure.PROTOCOL, reason)
    announced = response.content_length
    body = bytearray()
    if announced is None or announced <= limit:
        async for part in response.content.iter_any():
            body += part
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise _EndedError(HttpsFailure.TOO_LARGE, f"the body has more than {limit} bytes")


def _text(response: ClientResponse, header: str) -> str:
    """A header of the server's as text that can be stored: bytes that are no UTF-8 are replaced."""
    sent = response.headers.get(header, "")
    return sent.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise
    except (ClientError, OSError, ValueError) as error:
        raise _EndedError(HttpsFailure.PROTOCOL, _words(error)) from None


def _words(error: Exception) -> str:
    """What is wrong with a reply, from what aiohttp says of it."""
    # The body's trouble has the parser's as its cause.
    told = error if isinstance(error, ClientResponseError) else error.__cause__
    if isinstance(told, ClientResponseError | HttpProcessingError):
        trouble = told.message.partition("\n")[0].rstrip(":")
    elif isinstance(error, ValueError):
        trouble = str(error)
    else:
        return "the server closed the connection before the reply was whole"
    return f"the reply is malformed: {trouble.encode('utf-8', 'replace').decode()[:200]}"
