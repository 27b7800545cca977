"""What the runner asks of whoever builds worlds."""

from typing import Protocol

from monitor.check import Confirm, World


class Worlds(Protocol):
    """Hands out the world for a look."""

    def normal(self, check: str) -> World:
        """For an ordinary look: answers may come from the cache."""
        ...

    def confirming(self, check: str, how: Confirm) -> World:
        """For a confirming look: past every cache, or on another path."""
        ...
