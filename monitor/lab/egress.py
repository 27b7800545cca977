"""Ways out that are silent: connections that get no answer at all, as behind a firewall that drops."""

import socket
from collections.abc import Mapping
from ipaddress import IPv4Address

from monitor.lab.scenario import Scenario

_Place = tuple[IPv4Address, int]
_FILL_SECONDS = 5.0


class _Silence:
    """A listener whose queue is full: the kernel drops whatever wants to connect to it."""

    def __init__(self, address: IPv4Address, port: int) -> None:
        place = str(address), port
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(place)
            # A queue of none has room for one, which nobody takes out again.
            self._listener.listen(0)
            self._filler = socket.create_connection(place, timeout=_FILL_SECONDS)
        except OSError:
            self._listener.close()
            raise

    def close(self) -> None:
        self._filler.close()
        self._listener.close()


class SilentWays:
    """The ports that are silent at every host's and site's address; the others are their own."""

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._ports = ports
        self._open: dict[_Place, _Silence] = {}

    def give_way(self, scenario: Scenario) -> None:
        """End the silences that a world does not have, so that its hosts can listen."""
        for place in self._open.keys() - self._wanted(scenario):
            self._open.pop(place).close()

    def fall_silent(self, scenario: Scenario) -> None:
        """Begin the silences of a world, where nothing listens any more.

        Raises:
            OSError: when an address or a port is not to be had.
        """
        for place in self._wanted(scenario) - self._open.keys():
            self._open[place] = _Silence(*place)

    def stop(self) -> None:
        """End every silence."""
        while self._open:
            self._open.popitem()[1].close()

    def _wanted(self, scenario: Scenario) -> set[_Place]:
        silent = {port for port, way in scenario.egress.items() if way == "silent"}
        places = [(host.address, port) for host in scenario.hosts.values() for port in silent]
        places += [
            (site.address, port) for site in scenario.sites.values() for port in silent & {443}
        ]
        return {(address, self._ports[port]) for address, port in places}
