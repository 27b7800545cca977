"""What our own conversations prove about our way out, so that strangers need not be asked."""

from monitor.check import Clock


class EgressEvidence:
    """When a connection to a port last came about, anywhere, and when one last failed."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._connected: dict[int, float] = {}
        self._failed: dict[int, float] = {}

    def note(self, port: int, *, connected: bool) -> None:
        """A connection to `port` (before mapping) came about, or failed."""
        (self._connected if connected else self._failed)[port] = self._clock.monotonic()

    def open(self, port: int, seconds: float) -> bool:
        """True where one came about within `seconds`, or ever and none has failed since."""
        connected = self._connected.get(port)
        if connected is None:
            return False
        recent = self._clock.monotonic() - connected <= seconds
        return recent or connected >= self._failed.get(port, connected)
