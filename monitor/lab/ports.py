"""Free ports: one number that is free at every address of a kind of server."""

import random
import socket
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address

# Below what Linux gives to outgoing connections, so that none of them takes a port while a host of the
# lab is down.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the lab's servers; 0 is any that is free."""

    dns: int = 0
    smtp: int = 0
    smtps: int = 0
    submission: int = 0
    https: int = 0
    control: int = 0


def free_port(addresses: Collection[IPv4Address], *, taken: Collection[int] = ()) -> int:
    """Return a port at which nothing listens at any of the addresses, by UDP or TCP.

    Raises:
        OSError: when none was found.
    """
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, _HIGHEST)  # noqa: S311 - nothing secret
        if port not in taken and _is_free(addresses, port):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST}")


def _is_free(addresses: Iterable[IPv4Address], port: int) -> bool:
    with ExitStack() as stack:
        for address in addresses:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                candidate = stack.enter_context(socket.socket(socket.AF_INET, kind))
                if kind == socket.SOCK_STREAM:
                    # As asyncio's servers do: a conversation that just ended does not count.
                    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    candidate.bind((str(address), port))
                except OSError:
                    return False
        return True
