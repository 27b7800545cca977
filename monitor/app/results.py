"""The last results of all checks, as a check may read them."""

from collections.abc import Sequence

from monitor.check import PastResult
from monitor.store.kept import Kept
from monitor.store.store import Store


class StoredResults:
    """Implements `monitor.check.Results` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_domain(self, domain: str) -> Sequence[PastResult]:
        """What is kept about one domain."""
        return [past_result(kept) for kept in self._store.of_domain(domain)]


def past_result(kept: Kept) -> PastResult:
    """What is kept, as other checks may read it."""
    by_subject = {
        subject.subject: tuple(sorted({finding.code for finding in subject.findings}))
        for subject in kept.subjects.values()
        if subject.findings
    }
    return PastResult(
        check=kept.check,
        target=kept.target,
        status=kept.status,
        codes=tuple(sorted({code for codes in by_subject.values() for code in codes})),
        by_subject=by_subject,
        blind=frozenset(s.subject for s in kept.subjects.values() if not s.known),
    )
