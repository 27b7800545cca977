"""The lab's control: a small HTTP server, and the client that the command line uses.

`GET /` says in plain text where all listens and which incidents are on, `GET /incidents` the same in
JSON, `POST /incidents/NAME/start` and `/end` change it (a body gives an incident of one's own), and
`GET /healthy` answers when the lab runs.
"""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import aiohttp
from aiohttp import web
from pydantic import ValidationError

from monitor.lab.files import write_atomically
from monitor.lab.scenario import Incident
from monitor.lab.scenario_file import ScenarioError

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class LabNotRunningError(Exception):
    """No lab runs in the directory."""


class IncidentRefusedError(Exception):
    """The lab did not do it: no such incident, or it does not fit; the message says which."""


@dataclass(frozen=True, slots=True)
class IncidentState:
    """An incident as a person sees it."""

    name: str
    description: str
    on: bool


class Steerable(Protocol):
    """What the control steers."""

    directory: Path

    @property
    def incidents(self) -> Mapping[str, Incident]:
        """Every incident that can be started or is on."""

    def is_on(self, name: str) -> bool:
        """Whether an incident is on."""

    async def start_incident(self, name: str, incident: Incident | None = None) -> None:
        """Start an incident; LookupError when there is none, ScenarioError when it does not fit."""

    async def end_incident(self, name: str) -> None:
        """End an incident; LookupError when there is none, ScenarioError when that does not fit."""


class Controls:
    """The HTTP handlers."""

    def __init__(self, *, lab: Steerable, description: Mapping[str, Any]) -> None:
        self._lab = lab
        self.description = description
        self.directory = lab.directory

    def application(self) -> web.Application:
        """Return the application with its routes."""
        application = web.Application()
        application.router.add_get("/", self._overview)
        application.router.add_get("/healthy", self._healthy)
        application.router.add_get("/incidents", self._list)
        application.router.add_post("/incidents/{name}/start", self._start)
        application.router.add_post("/incidents/{name}/end", self._end)
        return application

    def _states(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "description": incident.description, "on": self._lab.is_on(name)}
            for name, incident in self._lab.incidents.items()
        ]

    async def _overview(self, _request: web.Request) -> web.Response:
        lines = ["The deliverability lab", ""]
        lines += [f"{key:10} {value}" for key, value in self.description.items()]
        lines += [
            "",
            f"Incidents (POST {self.description['control']}/incidents/NAME/start or /end)",
        ]
        lines += [
            f"{'ON ' if state['on'] else 'off'} {state['name']:30} {state['description']}"
            for state in self._states()
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="The lab runs.\n")

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response(self._states())

    async def _start(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            incident = Incident.model_validate_json(body) if body else None
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        name = request.match_info["name"]
        return await self._changed(name, self._lab.start_incident(name, incident))

    async def _end(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return await self._changed(name, self._lab.end_incident(name))

    async def _changed(self, name: str, change: Awaitable[None]) -> web.Response:
        try:
            await change
        except LookupError:
            known = ", ".join(sorted(self._lab.incidents))
            return web.json_response(
                {"error": f"no incident is called {name}; there are {known}"}, status=404
            )
        except ScenarioError as error:
            return web.json_response({"error": str(error)}, status=409)
        return web.json_response({"name": name, "on": self._lab.is_on(name)})


async def serve_control(controls: Controls, stack: AsyncExitStack, *, port: int) -> None:
    """Serve until the stack closes, and keep `lab.json` in the directory as long.

    Raises:
        OSError: when the port is taken or the file cannot be written.
    """
    runner = web.AppRunner(controls.application(), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    path = _description_file(controls.directory)
    write_atomically(path, json.dumps(controls.description, indent=2) + "\n")
    stack.callback(path.unlink, missing_ok=True)


async def control_incident(directory: Path, name: str, action: Literal["start", "end"]) -> None:
    """Start or end an incident of the lab that runs in a directory.

    Raises:
        LabNotRunningError: when none runs there.
        IncidentRefusedError: when the lab says no, with its reason.
    """
    await _ask(directory, "POST", f"/incidents/{name}/{action}")


async def list_incidents(directory: Path) -> list[IncidentState]:
    """Return every incident of the lab that runs in a directory.

    Raises:
        LabNotRunningError: when none runs there.
    """
    states = await _ask(directory, "GET", "/incidents")
    return [IncidentState(**state) for state in states]


async def _ask(directory: Path, method: str, path: str) -> Any:
    try:
        text = await asyncio.to_thread(_description_file(directory).read_text, encoding="utf-8")
        url = json.loads(text)["control"] + path
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.request(method, url) as response,
        ):
            answer = await response.json()
    except (OSError, TimeoutError, ValueError, KeyError, aiohttp.ClientError) as error:
        raise LabNotRunningError(f"no lab runs in {directory}") from error
    if not response.ok:
        raise IncidentRefusedError(answer["error"])
    return answer


def _description_file(directory: Path) -> Path:
    return directory / "lab.json"
