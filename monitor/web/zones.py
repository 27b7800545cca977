"""The zones that checks ask: what is known of each, and what came of the last proof of those that are asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitor.check import DeadZone, ListsZones, ZoneFacts, ZoneStanding
from monitor.model import MonitorTarget
from monitor.runner import Job
from monitor.store.kept import Kept
from monitor.web.backend import ListedZones, Snapshot
from monitor.web.text import iso, one_line
from monitor.web.view import FindingView, State, result, worst_state


class Proof(StrEnum):
    """What the monitor knows of a zone; the worst first."""

    UNUSABLE = "unusable"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    """Nobody asked it yet."""
    USABLE = "usable"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A living zone. `reason` says why it is not usable; times in epoch seconds, None where there is none."""

    check: str
    facts: ZoneFacts
    proof: Proof
    reason: str = ""
    since: float | None = None
    looked_at: float | None = None

    @property
    def state(self) -> State:
        """How it is coloured: a zone that is not usable is no page, whatever it lists."""
        return _STATES.get(self.proof, State.OK)


_STATES = {
    Proof.UNUSABLE: State.WARNING,
    Proof.UNKNOWN: State.UNKNOWN,
    Proof.WAITING: State.WAITING,
}


def listed_zones(jobs: Sequence[Job]) -> tuple[ListedZones, ...]:
    """Those of every check that asks zones."""
    return tuple(
        ListedZones(job.name, job.check.zones(), job.check.dead_zones())
        for job in jobs
        if isinstance(job.check, ListsZones)
    )


def zone_views(snapshot: Snapshot) -> Iterator[ZoneView]:
    """Every living zone, those that are asked first."""
    kept = _own(snapshot)
    for listed in snapshot.zones:
        for facts in listed.living:
            if facts.standing is ZoneStanding.ASKED:
                yield _proved(listed.check, facts, kept.get(listed.check))
            else:
                yield ZoneView(listed.check, facts, Proof.NOT_ASKED)


@dataclass(frozen=True, slots=True)
class ZonesPage:
    """The zones as the page has them: those that are asked with the worst first, the others by standing.

    `findings` are those of the same checks that are about no zone: our resolver's part in it.
    """

    state: State
    findings: Sequence[FindingView]
    asked: Sequence[ZoneView]
    others: Mapping[ZoneStanding, Sequence[ZoneView]]
    dead: Sequence[DeadZone]

    @property
    def usable(self) -> int:
        """How many of those that are asked serve us."""
        return sum(view.proof is Proof.USABLE for view in self.asked)


def zones_page(snapshot: Snapshot) -> ZonesPage:
    """The page's content."""
    views = list(zone_views(snapshot))
    by_standing = {
        standing: [view for view in views if view.facts.standing is standing]
        for standing in ZoneStanding
    }
    worst_first = list(Proof)
    asked = sorted(
        by_standing.pop(ZoneStanding.ASKED), key=lambda view: worst_first.index(view.proof)
    )
    return ZonesPage(
        state=worst_state(view.state for view in asked),
        findings=list(_about_no_zone(snapshot)),
        asked=asked,
        others=by_standing,
        dead=[zone for listed in snapshot.zones for zone in listed.dead],
    )


def zones_json(snapshot: Snapshot, filters: Mapping[str, str]) -> dict[str, Any]:
    """Every zone, or the living ones of one standing."""
    wanted = filters.get("standing")
    return {
        "zones": [
            zone_json(view.check, view.facts)
            | {
                "state": view.proof,
                "reason": one_line(view.reason),
                "since": None if view.since is None else iso(view.since),
                "last_run": None if view.looked_at is None else iso(view.looked_at),
            }
            for view in zone_views(snapshot)
            if wanted in {None, view.facts.standing}
        ],
        "dead": [
            dead_json(listed.check, zone)
            for listed in snapshot.zones
            for zone in listed.dead
            if wanted is None
        ],
    }


def zone_json(check: str, facts: ZoneFacts) -> dict[str, Any]:
    """What is known of a living zone."""
    return {
        "zone": facts.name,
        "check": check,
        "kinds": list(facts.kinds),
        "standing": facts.standing,
        "severity": facts.severity,
        "codes": [
            {
                "code": code.code,
                "meaning": code.meaning,
                "severity": code.severity,
                "receiving": code.receiving,
                "scope": code.scope,
            }
            for code in facts.codes
        ],
        "refusals": list(facts.refusals),
        "not_listed": list(facts.not_listed),
        "test_entries": [
            {"kind": entry.kind, "listed": entry.listed, "clean": entry.clean}
            for entry in facts.entries
        ],
        "queries_a_day": facts.queries_a_day,
        "queries_a_second": facts.queries_a_second,
        "key": facts.key,
        "to_be_asked": facts.to_be_asked,
        "instead_of": facts.instead_of,
        "contains": list(facts.contains),
        "operator": facts.operator,
        "used_by": facts.used_by,
        "whom_it_serves": facts.whom_it_serves,
        "terms": facts.terms,
        "delist": facts.delist,
        "sources": list(facts.sources),
        "notes": facts.notes,
    }


def dead_json(check: str, zone: DeadZone) -> dict[str, Any]:
    """What is known of a dead zone."""
    return {
        "zone": zone.name,
        "check": check,
        "since": zone.since,
        "does": zone.does,
        "sources": list(zone.sources),
        "notes": zone.notes,
    }


def _own(snapshot: Snapshot) -> dict[str, Kept]:
    """What is kept of each check on the monitor itself."""
    own = MonitorTarget().name
    return {one.check: one for one in snapshot.kept if one.target == own}


def _about_no_zone(snapshot: Snapshot) -> Iterator[FindingView]:
    kept = _own(snapshot)
    for listed in snapshot.zones:
        names = {facts.name for facts in listed.living}
        if listed.check in kept:
            found = result(kept[listed.check], snapshot).findings
            yield from (finding for finding in found if finding.subject not in names)


def _proved(check: str, facts: ZoneFacts, kept: Kept | None) -> ZoneView:
    if kept is None:
        return ZoneView(check, facts, Proof.WAITING)
    subject = kept.subjects.get(facts.name)
    if kept.failure or subject is None:
        # Subjects that are known and clean are not kept by name.
        proof = Proof.UNKNOWN if kept.failure else Proof.USABLE
        return ZoneView(check, facts, proof, kept.failure, looked_at=kept.looked_at)
    if subject.findings:
        worst = subject.findings[0]
        reason = worst.finding.evidence or worst.finding.summary
        return ZoneView(check, facts, Proof.UNUSABLE, reason, worst.since, kept.looked_at)
    proof = Proof.USABLE if subject.known else Proof.UNKNOWN
    return ZoneView(check, facts, proof, subject.unknown_reason, looked_at=kept.looked_at)
