"""What a check remembers of the outside between runs."""

from collections import OrderedDict

from monitor.check import Clock

MEMORY_SIZE = 100_000


class ExpiringMemory:
    """Implements `monitor.check.Memory`: at most `size` values, the oldest put go first."""

    def __init__(self, *, clock: Clock, size: int = MEMORY_SIZE) -> None:
        self._clock = clock
        self._size = size
        self._kept: OrderedDict[str, tuple[float, object]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> object | None:
        """What was put under `key` and has not expired (monotonic time)."""
        until, value = self._kept.get(key, (0.0, None))
        if value is None or until > self._clock.monotonic():
            return value
        del self._kept[key]
        return None

    def put(self, key: str, value: object, seconds: float) -> None:
        """Keep `value` for `seconds`."""
        self._kept[key] = (self._clock.monotonic() + seconds, value)
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
