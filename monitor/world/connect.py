"""Opening a connection to an address, from the address that we are told to come from; why it fails."""

import asyncio
import os
import socket
import ssl
from ipaddress import IPv4Address, ip_address

from monitor.model import Address
from monitor.world.tls import ssl_words


async def open_socket(address: str, port: int, source: Address | None) -> socket.socket:
    """A connected socket that does not block; `source` counts for addresses of its family.

    Raises:
        OSError: nobody is there, or there is no way to it.
    """
    parsed = ip_address(address)
    family = socket.AF_INET if isinstance(parsed, IPv4Address) else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        if source is not None and source.version == parsed.version:
            connection.bind((str(source), 0))
        await asyncio.get_running_loop().sock_connect(connection, (str(parsed), port))
    except BaseException:
        connection.close()
        raise
    return connection


def connect_trouble(error: OSError, seconds: float) -> str:
    """Why a connection did not come about within the limit of `seconds`."""
    return os.strerror(error.errno) if error.errno else f"no answer within {seconds:g} s"


def handshake_trouble(error: OSError | ValueError) -> str:
    """Why a TLS handshake failed that asyncio made; it was not cut off by a limit."""
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed: {ssl_words(error)}"
    if isinstance(error, OSError):
        return "the server closed the connection during the TLS handshake"
    return str(error)  # a name that cannot be sent as SNI
