"""`/probe`: one run of one check on one target, in blackbox_exporter's manner, and a page that explains it."""

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from monitor.model import Look, LookState, Status
from monitor.web.backend import Backend, NoSuchTargetError, Probe
from monitor.web.operations import TEXT_FORMAT
from monitor.web.pages import Pages
from monitor.web.replies import html_reply, text_reply
from monitor.web.text import one_line, visible
from monitor.web.view import FindingView, State, by_severity, result

_AT_ONCE: Final = 4
"""Whoever reaches this port makes us ask other people's servers: a few at a time."""

_OWN_METRICS: Final = """\
# HELP probe_success 1 where the check could look and found nothing critical.
# TYPE probe_success gauge
probe_success {success}
# HELP probe_duration_seconds How long the run took.
# TYPE probe_duration_seconds gauge
probe_duration_seconds {seconds}
"""


@dataclass(frozen=True, slots=True)
class LookView:
    """What a look at a subject came to: a state or a finding's severity, and its reason or codes."""

    subject: str
    state: str
    said: str


class Prober:
    """`/probe?check=&target=&debug=`."""

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/probe", self.probe, allow_head=False)]

    async def probe(self, request: web.Request) -> web.Response:
        """The run's metrics; with `debug=true` a page (`format=text`: plain text) that explains the run."""
        check, target = (_parameter(request, name) for name in ("check", "target"))
        try:
            async with self._at_once:
                found = await self._backend.probe(check, target)
        except NoSuchTargetError as error:
            raise web.HTTPBadRequest(text=one_line(str(error))) from None
        if request.query.get("debug") not in {"true", "1"}:
            return web.Response(body=metrics(found).encode(), headers={"Content-Type": TEXT_FORMAT})
        if request.query.get("format") == "text":
            return text_reply(self._page("probe.txt", found))
        return html_reply(self._page("probe.html", found))

    def _page(self, template: str, found: Probe) -> str:
        snapshot = self._backend.snapshot()
        shown = result(found.kept, snapshot)
        return self._pages.render(
            template,
            snapshot,
            shown.state,
            probe=found,
            findings=by_severity(shown.findings),
            looks=[_look(look, shown.findings) for look in found.outcome.looks],
            failure=one_line(found.outcome.failure or ""),
            log=[one_line(line) for line in found.log],
            settings=visible(found.settings, limit=10_000),
            metrics=metrics(found),
        )


def metrics(found: Probe) -> str:
    """The run's samples with `probe_success` and `probe_duration_seconds`, as text."""
    success = found.kept.status not in {Status.CRITICAL, Status.UNKNOWN}
    return found.metrics + _OWN_METRICS.format(
        success=int(success), seconds=round(found.seconds, 6)
    )


def _parameter(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        raise web.HTTPBadRequest(text=f"the parameter {name} is missing")
    return value


def _look(look: Look, findings: tuple[FindingView, ...]) -> LookView:
    subject = one_line(look.subject)
    match look.state:
        case LookState.UNKNOWN:
            return LookView(subject, State.UNKNOWN, one_line(look.reason))
        case LookState.NOT_DUE:
            return LookView(subject, State.WAITING, "not asked this time")
    own = by_severity(one for one in findings if one.subject == subject)
    return LookView(
        subject, own[0].severity if own else State.OK, ", ".join(one.code for one in own)
    )
