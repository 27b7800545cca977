"""The watched records that differ from what was accepted: asked of the daemon, else read from its file."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from monitor.cli.command import Problem
from monitor.cli.daemon_api import NotRunningError, RefusedError, ask_daemon
from monitor.web.text import iso

if TYPE_CHECKING:
    from monitor.store.kept import Baseline
    from monitor.store.store import Store

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Differing:
    """One record that differs. `accepted` and `seen` are untrusted text, whole; times as ISO text."""

    check: str
    target: str
    subject: str
    classification: str
    reason: str
    accepted: str
    accepted_at: str
    seen: str
    changed_at: str


class Records(Protocol):
    """Where the records are."""

    def differing(self) -> list[Differing]:
        """All that differ now."""
        ...

    def accept(self, records: Sequence[Differing]) -> None:
        """Accept what is seen.

        Raises:
            Problem: something else is seen by now.
        """
        ...


@dataclass(frozen=True, slots=True)
class DaemonRecords:
    """Those of the daemon that runs."""

    url: str

    def differing(self) -> list[Differing]:
        """All that differ now.

        Raises:
            NotRunningError: nobody answers there.
        """
        try:
            answer = ask_daemon(self.url, "/api/v1/drift")
            return [Differing(**one) for one in answer["drift"]]
        except (RefusedError, KeyError, TypeError) as error:
            raise Problem(f"{self.url}: {error}") from error

    def accept(self, records: Sequence[Differing]) -> None:
        """Accept what is seen; each is looked at again at once."""
        for one in records:
            body = {
                "check": one.check,
                "target": one.target,
                "subject": one.subject,
                "seen": one.seen,
            }
            try:
                ask_daemon(self.url, "/api/v1/drift/accept", body)
            except (NotRunningError, RefusedError) as error:
                raise Problem(str(error)) from error


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """Those of a state file that no daemon has open."""

    url: str

    def differing(self) -> list[Differing]:
        """All that differ now."""
        return self._with_store(
            lambda store: [_differing(one) for one in store.baselines() if one.classification]
        )

    def accept(self, records: Sequence[Differing]) -> None:
        """Accept what was seen last; its finding goes with it."""
        from monitor.cli.source import checks_installed
        from monitor.runner.merge import without_drift
        from monitor.world.clock import SystemClock

        installed = checks_installed()

        def change(store: "Store") -> None:
            for one in records:
                baseline = store.baseline(one.check, one.target, one.subject)
                if baseline is None or baseline.seen != one.seen:
                    raise Problem(f"{one.check} {one.target} {one.subject} changed: look again")
                now = SystemClock().now()
                store.set_baseline(
                    replace(
                        baseline,
                        accepted=baseline.seen,
                        accepted_at=now,
                        classification="",
                        reason="",
                    )
                )
                kept, check = store.kept(one.check, one.target), installed.get(one.check)
                if kept is not None and check is not None:
                    store.keep(without_drift(kept, one.subject, check.about, at=now))

        self._with_store(change)

    def _with_store(self, use: "Callable[[Store], _Result]") -> _Result:
        from monitor.store.error import StoreError
        from monitor.store.store import Store
        from monitor.world.clock import SystemClock

        async def opened() -> _Result:
            store = await Store.open(self.url, clock=SystemClock())
            try:
                return use(store)
            finally:
                await store.close()

        try:
            return asyncio.run(opened())
        except StoreError as error:
            raise Problem(str(error)) from error


def where_records_are(url: str, store_url: str | None) -> tuple[Records, list[Differing]]:
    """The daemon's records where it runs, else those of its file; and what differs now.

    Raises:
        Problem: there is neither.
    """
    daemon = DaemonRecords(url)
    try:
        return daemon, daemon.differing()
    except NotRunningError:
        pass
    if store_url is None:
        raise Problem(f"no daemon answers at {url}; name its configuration (--config) or --url")
    path = Path(store_url.removeprefix("sqlite:///"))
    if not path.exists():
        raise Problem(f"no daemon answers at {url}, and there is no state at {path}")
    stored = StoredRecords(store_url)
    return stored, stored.differing()


def _differing(one: "Baseline") -> Differing:
    return Differing(
        check=one.check,
        target=one.target,
        subject=one.subject,
        classification=one.classification,
        reason=one.reason,
        accepted=one.accepted,
        accepted_at=iso(one.accepted_at),
        seen=one.seen,
        changed_at=iso(one.changed_at),
    )
