"""The last results of all checks, as a check may read them."""

from collections.abc import Sequence

from monitor.check import PastResult
from monitor.store.kept import past_result
from monitor.store.store import Store


class StoredResults:
    """Implements `monitor.check.Results` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_domain(self, domain: str) -> Sequence[PastResult]:
        """What is kept about one domain."""
        return [past_result(kept) for kept in self._store.of_domain(domain)]
