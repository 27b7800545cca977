"""The watched records: asked of the daemon, else read from its file."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode

from monitor.cli.command import Problem
from monitor.cli.daemon_api import NotRunningError, RefusedError, ask_daemon
from monitor.store.kept import Baseline
from monitor.store.records import Acceptance, AcceptanceError, ChangeKind, RecordChange, accept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from monitor.config.sections import CheckConfig
    from monitor.store.store import Store

_Result = TypeVar("_Result")


class Records(Protocol):
    """Where the records are."""

    def differing(self) -> list[Baseline]:
        """All that differ now."""
        ...

    def watched(self, target: str | None) -> list[Baseline]:
        """All that are watched, of one target where it is named."""
        ...

    def history(self, record: Baseline) -> list[RecordChange]:
        """What changed in a record, and who accepted what; oldest first."""
        ...

    def accept(self, records: Sequence[Baseline], acceptance: Acceptance) -> None:
        """Accept what is seen.

        Raises:
            Problem: something else is seen by now.
        """
        ...


@dataclass(frozen=True, slots=True)
class DaemonRecords:
    """Those of the daemon that runs; each method raises NotRunningError where nobody answers there."""

    url: str

    def differing(self) -> list[Baseline]:
        """All that differ now."""
        with self._answered():
            return [_record(one) for one in ask_daemon(self.url, "/api/v1/drift")["drift"]]

    def watched(self, target: str | None) -> list[Baseline]:
        """All that are watched, of one target where it is named."""
        query = f"?{urlencode({'target': target})}" if target is not None else ""
        with self._answered():
            answer = ask_daemon(self.url, f"/api/v1/drift/records{query}")
            return [_record(one) for one in answer["records"]]

    def history(self, record: Baseline) -> list[RecordChange]:
        """What changed in a record, and who accepted what; oldest first."""
        names = {"check": record.check, "target": record.target, "subject": record.subject}
        with self._answered():
            answer = ask_daemon(self.url, f"/api/v1/drift/history?{urlencode(names)}")
            return [_change(one) for one in reversed(answer["history"])]

    def accept(self, records: Sequence[Baseline], acceptance: Acceptance) -> None:
        """Accept what is seen; each is looked at again at once."""
        for one in records:
            body = {
                "check": one.check,
                "target": one.target,
                "subject": one.subject,
                "seen": one.seen,
                "by": acceptance.by,
                "reason": acceptance.reason,
            }
            try:
                ask_daemon(self.url, "/api/v1/drift/accept", body)
            except (NotRunningError, RefusedError) as error:
                raise Problem(str(error)) from error

    @contextmanager
    def _answered(self) -> "Iterator[None]":
        try:
            yield
        except (RefusedError, KeyError, TypeError, ValueError) as error:
            raise Problem(f"{self.url}: {error}") from error


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """Those of a state file that no daemon has open, and the checks as the configuration has them."""

    url: str
    checks: Mapping[str, "CheckConfig"]

    def differing(self) -> list[Baseline]:
        """All that differ now."""
        return [one for one in self.watched(None) if one.classification]

    def watched(self, target: str | None) -> list[Baseline]:
        """All that are watched, of one target where it is named."""

        async def read(store: "Store") -> list[Baseline]:
            return [one for one in store.watched() if target in {None, one.target}]

        return self._with_store(read)

    def history(self, record: Baseline) -> list[RecordChange]:
        """What changed in a record, and who accepted what; oldest first."""

        async def read(store: "Store") -> list[RecordChange]:
            found = await store.history([(record.check, record.target)])
            return list(found[record.check, record.target, record.subject])

        return self._with_store(read)

    def accept(self, records: Sequence[Baseline], acceptance: Acceptance) -> None:
        """Accept what was seen last; its finding goes with it."""
        from monitor.runner.merge import without_drift
        from monitor.world.clock import SystemClock

        now = SystemClock().now()

        async def change(store: "Store") -> None:
            for one in records:
                self._refuse_given(one)
                before = store.baseline(one.check, one.target, one.subject)
                try:
                    store.set_baseline(accept(before, one.seen, acceptance, at=now))
                except AcceptanceError as error:
                    raise Problem(f"{one.check} {one.target} {one.subject}: {error}") from error
                kept, check = store.kept(one.check, one.target), self.checks.get(one.check)
                if kept is not None and check is not None:
                    store.keep(without_drift(kept, one.subject, check.about, at=now))

        self._with_store(change)

    def _refuse_given(self, one: Baseline) -> None:
        configured = self.checks.get(one.check)
        if configured is not None and configured.given(one.target, one.subject) is not None:
            raise Problem(
                f"checks.{one.check}.baselines of the configuration says what is accepted"
            )

    def _with_store(self, use: "Callable[[Store], Awaitable[_Result]]") -> _Result:
        from monitor.store.error import StoreError
        from monitor.store.store import Store
        from monitor.world.clock import SystemClock

        async def opened() -> _Result:
            store = await Store.open(self.url, clock=SystemClock())
            try:
                return await use(store)
            finally:
                await store.close()

        try:
            return asyncio.run(opened())
        except StoreError as error:
            raise Problem(str(error)) from error


def where_records_are(
    url: str, stored: StoredRecords | None, look: Callable[[Records], list[Baseline]]
) -> tuple[Records, list[Baseline]]:
    """The daemon's records where it runs, else those of its file; and what `look` finds there.

    Raises:
        Problem: there is neither.
    """
    daemon = DaemonRecords(url)
    try:
        return daemon, look(daemon)
    except NotRunningError:
        pass
    if stored is None:
        raise Problem(f"no daemon answers at {url}; name its configuration (--config) or --url")
    path = Path(stored.url.removeprefix("sqlite:///"))
    if not path.exists():
        raise Problem(f"no daemon answers at {url}, and there is no state at {path}")
    return stored, look(stored)


def _record(one: Mapping[str, Any]) -> Baseline:
    return Baseline(
        check=one["check"],
        target=one["target"],
        subject=one["subject"],
        accepted=one["accepted"],
        accepted_at=_seconds(one["accepted_at"]),
        seen=one["seen"],
        changed_at=_seconds(one["changed_at"]),
        classification=one["classification"],
        reason=one["reason"],
        accepted_by=one.get("accepted_by", ""),
        accepted_reason=one.get("accepted_reason", ""),
    )


def _change(one: Mapping[str, Any]) -> RecordChange:
    return RecordChange(
        at=_seconds(one["at"]),
        kind=ChangeKind(one["kind"]),
        text=one["text"],
        classification=one["classification"],
        reason=one["reason"],
        by=one["by"],
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
