"""What is kept, in memory: by check and target, and by domain."""

from collections.abc import Iterable, ValuesView
from dataclasses import replace

from monitor.store.history import TargetKey
from monitor.store.kept import Kept
from monitor.store.rosters import Rosters


class Mirror:
    """The kept results of all targets, and the rosters that they share."""

    def __init__(self, kept: Iterable[Kept]) -> None:
        self._kept: dict[TargetKey, Kept] = {}
        # Lists: most domains have few targets, and a dictionary for each would cost as much as they do.
        self._of_domain: dict[str, list[TargetKey]] = {}
        self.rosters = Rosters()
        for one in kept:
            self.put(one)
        self.rosters.changes.clear()

    def get(self, key: TargetKey) -> Kept | None:
        """What is kept of a target."""
        return self._kept.get(key)

    def all(self) -> ValuesView[Kept]:
        """All of it, in the order in which it came."""
        return self._kept.values()

    def of_domain(self, domain: str) -> list[Kept]:
        """That of one domain."""
        return [self._kept[key] for key in self._of_domain.get(domain, ())]

    def put(self, kept: Kept) -> None:
        """Replace what is kept of a target."""
        key = (kept.check, kept.target)
        before = self._kept.get(key)
        if before is None or before.domain != kept.domain:
            self._displace(key, before)
            self._of_domain.setdefault(kept.domain, []).append(key)
        shared = self.rosters.take(kept.roster)
        if before is not None:
            self.rosters.leave(before.roster)
        self._kept[key] = kept if shared is kept.roster else replace(kept, roster=shared)

    def pop(self, key: TargetKey) -> Kept | None:
        """Drop what is kept of a target, and give it; None where there is none."""
        known = self._kept.pop(key, None)
        self._displace(key, known)
        if known is not None:
            self.rosters.leave(known.roster)
        return known

    def _displace(self, key: TargetKey, kept: Kept | None) -> None:
        if kept is not None:
            self._of_domain[kept.domain].remove(key)
            if not self._of_domain[kept.domain]:
                del self._of_domain[kept.domain]
