"""The machine's own clock."""

import time


class SystemClock:
    """Implements `monitor.check.Clock` with the system's clocks."""

    def now(self) -> float:
        """Seconds since the epoch (UTC); steps when the machine's clock is set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean something."""
        return time.monotonic()
