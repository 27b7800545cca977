"""The JSON API. `openapi.yaml` describes exactly what is here."""

import asyncio
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from aiohttp import web

from monitor.check import ZoneStanding
from monitor.model import Sender, Severity, Status
from monitor.store.error import StoreError
from monitor.store.kept import Course, KeptSubject
from monitor.web.backend import Backend, Snapshot, StaleDriftError
from monitor.web.bodies import read_body
from monitor.web.drift_api import (
    Filters,
    accept_request,
    drift_json,
    history_json,
    records_json,
)
from monitor.web.guard import refuse_other_sites
from monitor.web.overview import Row, overview
from monitor.web.replies import json_reply
from monitor.web.text import iso, one_line, visible
from monitor.web.view import FindingView, ResultView, State, by_severity, gone, results
from monitor.web.zones import zones_json

_RECORD: Final = ("check", "target", "subject")
_CHOICES: Final = {
    "status": tuple(Status),
    "severity": tuple(Severity),
    "standing": tuple(ZoneStanding),
}


class Api:
    """`/api/v1/…`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/api/v1/status", self._listing(status_json)),
            web.get("/api/v1/results", self._listing(results_json, "check", "domain", "status")),
            web.get(
                "/api/v1/findings", self._listing(findings_json, "domain", "check", "severity")
            ),
            web.get("/api/v1/domains", self._listing(domains_json)),
            web.get("/api/v1/senders", self._listing(senders_json)),
            web.get("/api/v1/zones", self._listing(zones_json, "standing")),
            web.get("/api/v1/drift", self._listing(drift_json, *_RECORD)),
            web.get("/api/v1/drift/records", self._listing(records_json, *_RECORD)),
            web.get("/api/v1/drift/history", self.record_history),
            web.post("/api/v1/drift/accept", self.accept_drift),
            web.get("/api/v1/openapi.json", self.openapi),
        ]

    async def record_history(self, request: web.Request) -> web.Response:
        """What changed in the records of one target of a check; 404 where none is watched."""
        chosen = _filters(request, _RECORD)
        if not {"check", "target"} <= chosen.keys():
            raise web.HTTPBadRequest(text="whose history? Name check and target")
        try:
            found = await self._backend.record_history([(chosen["check"], chosen["target"])])
        except StoreError as error:
            return json_reply({"error": one_line(str(error))}, status=503)
        histories = {
            key: history
            for key, history in found.items()
            if chosen.get("subject", key[2]) == key[2]
        }
        if not histories:
            raise web.HTTPNotFound(text="no such record is watched")
        return await asyncio.to_thread(lambda: json_reply(history_json(histories)))

    async def accept_drift(self, request: web.Request) -> web.Response:
        """Accept what is seen; 409 where something else is seen by now."""
        refuse_other_sites(request)
        if request.content_type != "application/json":
            # Another site's form cannot send this type without asking first.
            raise web.HTTPUnsupportedMediaType(text="the body must be application/json")
        wanted, acceptance = accept_request(await read_body(request))
        try:
            await self._backend.accept_drift(**wanted, acceptance=acceptance)
        except StaleDriftError as stale:
            return json_reply({"error": one_line(str(stale))}, status=409)
        return json_reply({"accepted": True})

    async def openapi(self, _request: web.Request) -> web.Response:
        """The description of this API."""
        return json_reply(openapi())

    def _listing(
        self, content: Callable[[Snapshot, Filters], Any], *filters: str
    ) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.Response:
            chosen = _filters(request, filters)
            snapshot = self._backend.snapshot()
            # On a thread: a large organisation's results take a while, and hooks must not wait.
            return await asyncio.to_thread(lambda: json_reply(content(snapshot, chosen)))

        return handler


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document."""
    text = files("monitor.web").joinpath("openapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def status_json(snapshot: Snapshot, _filters: Filters) -> dict[str, Any]:
    """The organisation at a glance."""
    view = overview(snapshot)
    findings = (*view.findings, *view.own_findings)
    return {
        "organisation": snapshot.organisation,
        "version": snapshot.version,
        "at": iso(snapshot.at),
        "status": view.state,
        "headline": view.headline,
        "results": {state: view.counts.get(state, 0) for state in State},
        "findings": {one: sum(f.severity == one for f in findings) for one in Severity},
        "domains": [_row(row) for row in view.rows],
        "monitor": view.own_state,
        "waiting": [
            {"check": check, "target": target, "domain": domain}
            for check, target, domain in snapshot.waiting
        ],
    }


def results_json(snapshot: Snapshot, filters: Filters) -> dict[str, Any]:
    """Every result, or those that the filters leave."""
    return {
        "results": [
            _result(result)
            for result in results(snapshot)
            if _passes(filters, check=result.kept.check, domain=result.kept.domain)
            and filters.get("status", result.state) == result.state
        ]
    }


def findings_json(snapshot: Snapshot, filters: Filters) -> dict[str, Any]:
    """Every open finding, or those that the filters leave; the worst first."""
    found = by_severity(f for result in results(snapshot) for f in result.findings)
    return {
        "findings": [
            _finding(one)
            for one in found
            if _passes(filters, check=one.check, domain=one.domain, severity=one.severity)
        ]
    }


def domains_json(snapshot: Snapshot, _filters: Filters) -> dict[str, Any]:
    """The configured domains."""
    return {
        "domains": [
            _row(row) | {"owner": row.domain.owner, "team": row.domain.team}
            for row in overview(snapshot).rows
        ]
    }


def senders_json(snapshot: Snapshot, _filters: Filters) -> dict[str, Any]:
    """The configured senders."""
    return {"senders": [_sender(sender) for sender in snapshot.senders]}


def _filters(request: web.Request, known: tuple[str, ...]) -> Filters:
    """The filters of a request.

    Raises:
        web.HTTPBadRequest: one that is not known, or a value that it never has.
    """
    for name, value in request.query.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise web.HTTPBadRequest(text=f"unknown filter {one_line(name)}; there is {listed}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise web.HTTPBadRequest(text=f"{name} must be one of {', '.join(_CHOICES[name])}")
    return dict(request.query)


def _passes(filters: Filters, **values: str) -> bool:
    return all(filters.get(name, value) == value for name, value in values.items())


def _row(row: Row) -> dict[str, Any]:
    return {
        "domain": row.domain.name,
        "role": row.domain.role,
        "status": row.state,
        "checks": {name: cell.state for name, cell in row.cells.items()},
    }


def _result(result: ResultView) -> dict[str, Any]:
    kept = result.kept
    findings: dict[str, list[FindingView]] = {}
    for finding in result.findings:
        findings.setdefault(finding.subject, []).append(finding)
    return {
        "check": kept.check,
        "target": kept.target,
        "domain": kept.domain,
        "status": result.state,
        "since": iso(kept.status_since),
        "last_run": iso(kept.looked_at),
        "last_known": None if kept.known_at is None else iso(kept.known_at),
        "failure": one_line(kept.failure),
        "clean": kept.clean,
        "subjects": [
            _subject(subject, findings.get(one_line(subject.subject), []))
            for subject in kept.subjects.values()
        ],
        "gone": [_gone(course) for course in gone(kept)],
    }


def _gone(course: Course) -> dict[str, Any]:
    return {
        "code": course.code,
        "subject": one_line(course.subject),
        "first_seen": iso(course.first_seen),
        "last_seen": iso(course.last_seen),
        "returns": course.returns,
    }


def _subject(subject: KeptSubject, findings: list[FindingView]) -> dict[str, Any]:
    return {
        "subject": one_line(subject.subject),
        "known": subject.known,
        "reason": one_line(subject.unknown_reason),
        "last_known": None if subject.known_at is None else iso(subject.known_at),
        "record": None if subject.record is None else visible(subject.record),
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(one: FindingView) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity,
        "summary": one.summary,
        "evidence": one.evidence,
        "fix": one.fix,
        "check": one.check,
        "target": one.target,
        "domain": one.domain,
        "subject": one.subject,
        "since": iso(one.since),
        "last_seen": iso(one.last_seen),
        "first_seen": iso(one.first_seen),
        "returns": one.returns,
        "flaps": one.flaps,
        "story": one.story,
    }


def _sender(sender: Sender) -> dict[str, Any]:
    return {
        "sender": sender.name,
        "owner": sender.owner,
        "team": sender.team,
        "purpose": sender.purpose,
        "platform": sender.platform,
        "class": sender.platform_class,
        "pool": sender.pool,
        "domains": list(sender.domains),
        "addresses": [*sender.addresses, *sender.ranges],
        "dkim_selectors": list(sender.dkim_selectors),
        "streams": [
            {
                "stream": stream.name,
                "trigger": stream.trigger,
                "audience": stream.audience,
                "owner": stream.owner,
            }
            for stream in sender.streams
        ],
    }
