"""The status site: plain HTML, one style sheet, no script."""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs, quote

from aiohttp import web

from monitor.store.error import StoreError
from monitor.store.kept import Baseline
from monitor.store.records import NAME_LENGTH, REASON_LENGTH, Acceptance, AcceptanceError
from monitor.web import text
from monitor.web.backend import Backend, Snapshot, StaleDriftError
from monitor.web.bodies import read_body
from monitor.web.domain_page import Histories, digest, domain_page, record_targets
from monitor.web.guard import refuse_other_sites
from monitor.web.overview import overview
from monitor.web.pages import Pages
from monitor.web.replies import html_reply
from monitor.web.runbooks import runbook_html
from monitor.web.view import State
from monitor.web.zones import zones_page

FINDINGS_SHOWN: Final = 50


class Site:
    """`/`, `/domains/…`, `/zones`, `/runbooks/…` and the style sheet."""

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/", self.organisation),
            web.get("/domains/{name}", self.domain),
            web.post("/domains/{name}/drift/accept", self.accept_drift),
            web.get("/zones", self.zones),
            web.get("/runbooks/{check}.md", self.runbook),
            web.get("/static/site.css", self.style),
        ]

    async def organisation(self, _request: web.Request) -> web.Response:
        """Everything at a glance."""
        return await asyncio.to_thread(self._organisation, self._backend.snapshot())

    async def domain(self, request: web.Request) -> web.Response:
        """One domain."""
        name = request.match_info["name"]
        snapshot = self._backend.snapshot()
        targets = await asyncio.to_thread(record_targets, snapshot, name)
        histories: Histories
        try:
            histories = await self._backend.record_history(targets)
        except StoreError:
            histories = None
        return await asyncio.to_thread(self._domain, snapshot, name, histories)

    async def accept_drift(self, request: web.Request) -> web.Response:
        """The accept button: back to the records, or 409 where something else is seen by now."""
        refuse_other_sites(request)
        back = f"/domains/{quote(request.match_info['name'], safe='')}#records"
        form = parse_qs((await read_body(request)).decode("utf-8", "replace"))
        try:
            check, target, subject, named = (
                form[name][0] for name in ("check", "target", "subject", "digest")
            )
            by, reason = (form.get(name, [""])[0] for name in ("by", "reason"))
            acceptance = Acceptance.of(by, reason)
        except KeyError as missing:
            raise web.HTTPBadRequest(text=f"the form has no field {missing}") from None
        except AcceptanceError as error:
            raise web.HTTPBadRequest(text=text.one_line(str(error))) from None
        snapshot = self._backend.snapshot()
        key = (check, target, subject)
        seen = next((b.seen for b in snapshot.baselines if _is(b, key, named)), None)
        if seen is None:
            said = "What you saw is no longer what is seen. Look at it first."
            return self._notice(snapshot, "Not accepted", said, back, 409)
        try:
            await self._backend.accept_drift(check, target, subject, seen, acceptance)
        except StaleDriftError as stale:
            return self._notice(snapshot, "Not accepted", text.one_line(str(stale)), back, 409)
        return web.Response(status=303, headers={"Location": back})

    async def zones(self, _request: web.Request) -> web.Response:
        """The zones that checks ask, and those that they could ask."""
        return await asyncio.to_thread(self._zones, self._backend.snapshot())

    async def runbook(self, request: web.Request) -> web.Response:
        """A check's runbook; alerts link to its sections."""
        snapshot = self._backend.snapshot()
        check = request.match_info["check"]
        config = snapshot.checks.get(check)
        if config is None:
            return self._notice(snapshot, "No such runbook", "No enabled check has it.", "/", 404)
        body = runbook_html(config.check)
        return self._page("runbook.html", snapshot, State.WAITING, check=check, body=body)

    async def style(self, _request: web.Request) -> web.Response:
        """The style sheet; its address changes with it."""
        return web.Response(
            body=self._pages.style,
            content_type="text/css",
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    def _organisation(self, snapshot: Snapshot) -> web.Response:
        view = overview(snapshot)
        return self._page(
            "organisation.html", snapshot, view.state, view=view, findings_shown=FINDINGS_SHOWN
        )

    def _zones(self, snapshot: Snapshot) -> web.Response:
        view = zones_page(snapshot)
        return self._page("zones.html", snapshot, view.state, view=view)

    def _domain(self, snapshot: Snapshot, name: str, histories: Histories) -> web.Response:
        view = domain_page(snapshot, name, histories)
        if view is None:
            said = f"{text.one_line(name, limit=80)} is not configured."
            return self._notice(snapshot, "No such domain", said, "/", 404)
        limits = {"name_length": NAME_LENGTH, "reason_length": REASON_LENGTH}
        return self._page("domain.html", snapshot, view.state, view=view, **limits)

    def _notice(
        self, snapshot: Snapshot, title: str, said: str, back: str, status: int
    ) -> web.Response:
        fields = {"title": title, "text": said, "back": back}
        return self._page("notice.html", snapshot, State.UNKNOWN, status=status, **fields)

    def _page(
        self, template: str, snapshot: Snapshot, state: State, *, status: int = 200, **fields: Any
    ) -> web.Response:
        page = self._pages.render(template, snapshot, state, **fields)
        return html_reply(page, status=status)


def _is(baseline: Baseline, key: tuple[str, str, str], named: str) -> bool:
    found = (baseline.check, baseline.target, baseline.subject)
    return found == key and digest(baseline.seen) == named
