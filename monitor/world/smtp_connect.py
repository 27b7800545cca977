"""Connecting to mail hosts: past the guard, from the configured address, noting what it proves of our way out."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from monitor.check import SmtpFailure
from monitor.model import Address
from monitor.world.connect import connect_trouble, handshake_trouble, open_socket
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.smtp_guest import GuestProtocol, MisbehavedError

IMPLICIT_TLS_PORT = 465
READY = 220
DONE = 250

_QUIT_SECONDS = 2.0


class EndedError(Exception):
    """A conversation cannot go on."""

    def __init__(self, failure: SmtpFailure, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.code = code


class Connector:
    """Opens connections to mail hosts.

    Args:
        source_address: the address to connect from, for servers of its family.
        seconds: the limit of connecting.
    """

    def __init__(
        self,
        *,
        guard: AddressGuard,
        evidence: EgressEvidence,
        source_address: Address | None,
        seconds: float,
    ) -> None:
        self._guard = guard
        self._evidence = evidence
        self._source = source_address
        self._seconds = seconds

    def permit(self, address: str) -> None:
        """Raises EndedError where no connection to the address may leave."""
        refusal = self._guard.permit(address)
        if refusal is not None:
            raise EndedError(SmtpFailure.FORBIDDEN, refusal)

    async def connect(self, address: str, port: int) -> socket.socket:
        """A connected socket.

        Raises:
            EndedError: the address is forbidden, or nobody answers there.
        """
        self.permit(address)
        try:
            async with asyncio.timeout(self._seconds):
                connection = await open_socket(address, self._guard.port(port), self._source)
        except OSError as error:  # TimeoutError is one
            self._evidence.note(port, connected=False)
            cause = connect_trouble(error, self._seconds)
            reason = f"no connection to {address} port {port}: {cause}"
            raise EndedError(SmtpFailure.CONNECT, reason) from None
        self._evidence.note(port, connected=True)
        return connection


@contextmanager
def explained_handshake(seconds: float) -> Iterator[None]:
    """Turns what a TLS handshake raises into EndedError; `seconds` was its limit."""
    try:
        yield
    except ConnectionAbortedError:
        reason = f"the TLS handshake was not finished within {seconds:g} s"
        raise EndedError(SmtpFailure.TIMEOUT, reason) from None
    except (OSError, ValueError) as error:
        raise EndedError(SmtpFailure.TLS, handshake_trouble(error)) from None


@contextmanager
def explained_reply(seconds: float, what: str, phase: str) -> Iterator[None]:
    """Turns what waiting for a reply raises into EndedError; `seconds` was its limit."""
    try:
        yield
    except TimeoutError:
        reason = f"no complete reply within {seconds:g} s after {what}"
        raise EndedError(SmtpFailure.TIMEOUT, reason) from None
    except MisbehavedError as error:
        reason = f"the server {error} (after {what}, phase {phase})"
        raise EndedError(SmtpFailure.PROTOCOL, reason) from None


async def banner(guest: GuestProtocol, seconds: float) -> str:
    """The greeting's text, within `seconds`.

    Raises:
        EndedError: there is none, or it is no welcome.
    """
    with explained_reply(seconds, "connecting", "banner"):
        code, text = await guest.reply(seconds)
    return await expect(guest, code, text, READY, "as its banner")


async def expect(guest: GuestProtocol, code: int, text: str, expected: int, where: str) -> str:
    """The reply's text; where its code is another than expected, takes leave.

    Raises:
        EndedError: it is another.
    """
    if code == expected:
        return text
    await leave(guest)
    raise EndedError(SmtpFailure.REPLY, f"the server said {code} {where}: {text[:200]}", code)


async def leave(guest: GuestProtocol) -> None:
    """Say goodbye, whatever the answer."""
    with suppress(TimeoutError, MisbehavedError):
        await guest.command("QUIT", seconds=_QUIT_SECONDS)


def extensions_of(reply: str) -> dict[str, str]:
    """The keywords behind the greeting line of an EHLO reply (RFC 5321 §4.1.1.1)."""
    found = {}
    for line in reply.split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword:
            found[keyword.upper()] = parameters.strip()
    return found


def full_host_name() -> str:
    """This machine's name; "" where it has no full one."""
    name = socket.gethostname()
    return name if "." in name.strip(".") else ""


def address_literal(guest: GuestProtocol) -> str:
    """Our end of the connection, for a machine without a full name (RFC 5321 §4.1.3)."""
    address = own_address(guest) or "127.0.0.1"
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def own_address(guest: GuestProtocol) -> str:
    """The address of our end of the connection; "" where it is gone."""
    if guest.transport is None:
        return ""
    return str(guest.transport.get_extra_info("sockname")[0])
