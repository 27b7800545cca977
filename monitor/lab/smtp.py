"""The lab's SMTP hosts: listeners at each host's address for 25, 465 and 587, mapped to high ports."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session

from monitor.lab.certificates import tls_context
from monitor.lab.hostile import CONVERSATIONS
from monitor.lab.scenario import Host, Manner, Scenario

_IMPLICIT_TLS_PORT = 465
_IDLE_SECONDS = 60


class _Mailbox:
    """Takes mail for a host's own domain, or of an open relay anyone's, and throws it away."""

    def __init__(self, name: str, *, relays: bool) -> None:
        self._domain = name.partition(".")[2].lower()
        self._relays = relays

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Offer PIPELINING too, as every usual server does."""
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if not self._relays and address.rpartition("@")[2].lower() != self._domain:
            return "550 5.7.1 relaying denied"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        return "250 2.0.0 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Keep a client's trouble (a certificate that it does not trust) out of our log."""
        return f"451 4.3.0 {type(error).__name__}"


class _Listeners:
    """The open sockets of one host and the conversations on them."""

    def __init__(self, name: str, host: Host, context: ssl.SSLContext) -> None:
        self._name = name
        self._host = host
        self._context = context
        self._servers: list[asyncio.Server] = []
        self._transports: set[asyncio.BaseTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, port: int, mapped: int) -> None:
        """Listen for `port` at `mapped`, with TLS from the first octet where the port says so."""
        tls = self._context if port == _IMPLICIT_TLS_PORT else None
        address = str(self._host.address)
        if self._host.manner is Manner.NORMAL:
            server = await asyncio.get_running_loop().create_server(
                self._protocol, address, mapped, ssl=tls
            )
        else:
            server = await asyncio.start_server(self._accept, address, mapped, ssl=tls)
        self._servers.append(server)

    async def close(self) -> None:
        """Close the sockets and cut every conversation."""
        for server in self._servers:
            server.close()
        for transport in self._transports:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _protocol(self) -> SMTP:
        return _Smtp(
            _Mailbox(self._name, relays=self._host.relays),
            hostname=self._name,
            ident="ESMTP",
            tls_context=self._context if self._host.starttls else None,
            auth_require_tls=not self._host.clear_auth,
            timeout=_IDLE_SECONDS,
            transports=self._transports,
        )

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        converse = CONVERSATIONS[self._host.manner]
        try:
            with suppress(ConnectionError, ValueError, ssl.SSLError):
                await converse(reader, writer, self._name, self._context)
        finally:
            writer.close()


class _Smtp(SMTP):
    """An aiosmtpd conversation whose transport can be found when the host goes down."""

    def __init__(self, *args: Any, transports: set[asyncio.BaseTransport], **options: Any) -> None:
        super().__init__(*args, **options)
        self._open = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self.transport)
        self._open.discard(self._original_transport)
        super().connection_lost(error)


class SmtpHosts:
    """All SMTP hosts of a world; only those whose description changed are opened anew."""

    def __init__(self, authority: trustme.CA, ports: Mapping[int, int]) -> None:
        self._authority = authority
        self._ports = ports
        self._running: dict[str, tuple[Host, frozenset[int], _Listeners]] = {}

    @staticmethod
    def addresses(scenario: Scenario) -> set[IPv4Address]:
        """Return the addresses at which the hosts of this world listen."""
        return {host.address for host in scenario.hosts.values()}

    async def load(self, scenario: Scenario) -> None:
        """Make what listens match a world.

        Raises:
            OSError: when an address or a port is not to be had.
        """
        blocked = {port for port, way in scenario.egress.items() if way != "open"}
        for name in self._running.keys() - scenario.hosts.keys():
            await self._close(name)
        for name, host in scenario.hosts.items():
            ports = frozenset(host.ports - blocked if host.listening else ())
            if name in self._running and self._running[name][:2] == (host, ports):
                continue
            await self._close(name)
            await self._open(name, host, ports)

    async def stop(self) -> None:
        """Close every host."""
        for name in list(self._running):
            await self._close(name)

    async def _open(self, name: str, host: Host, ports: frozenset[int]) -> None:
        context = tls_context(self._authority, name, host, datetime.now(UTC))
        listeners = _Listeners(name, host, context)
        self._running[name] = (host, ports, listeners)
        for port in sorted(ports):
            await listeners.open(port, self._ports[port])

    async def _close(self, name: str) -> None:
        if name in self._running:
            await self._running.pop(name)[2].close()
