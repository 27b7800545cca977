"""The last results of all checks, as a check may read them."""

from collections.abc import Sequence

from monitor.check import PastResult
from monitor.store.store import Store


class StoredResults:
    """Implements `monitor.check.Results` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_domain(self, domain: str) -> Sequence[PastResult]:
        """What is kept about one domain."""
        return [
            PastResult(
                kept.check,
                kept.target,
                kept.status,
                tuple(sorted({f.code for s in kept.subjects.values() for f in s.findings})),
            )
            for kept in self._store.all_kept()
            if kept.domain == domain
        ]
