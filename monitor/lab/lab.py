"""The lab put together: servers, senders, incidents, control."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import astuple, dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

import structlog

from monitor.lab.certificates import open_authority
from monitor.lab.config import write_configuration
from monitor.lab.control import Controls, serve_control
from monitor.lab.credentials import open_credentials
from monitor.lab.dns import DnsServer
from monitor.lab.egress import SilentWays
from monitor.lab.https import HttpsSites
from monitor.lab.ports import Ports, free_port
from monitor.lab.scenario import Burst, Incident, Scenario
from monitor.lab.scenario_file import DEFAULT_SCENARIO, ScenarioFile
from monitor.lab.smtp import SmtpHosts
from monitor.lab.traffic import Flow

DEFAULT_LISTEN = "127.0.0.1:9825"
ANY_PORTS = Ports()

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LabSettings:
    """How a lab is run: its directory, its scenario, where the daemon listens, and its ports."""

    directory: Path
    scenario: Path = DEFAULT_SCENARIO
    listen: str = DEFAULT_LISTEN
    ports: Ports = ANY_PORTS


class UnknownIncidentError(LookupError):
    """No incident has this name."""


class Lab:
    """A small world on loopback, open as long as the context lasts.

    The directory gets `ca.pem`, `config.yaml` (for the daemon), the hooks' secrets and `lab.json`
    (where all listens; gone when the lab has stopped).
    """

    def __init__(
        self,
        scenario: Path = DEFAULT_SCENARIO,
        *,
        directory: Path,
        listen: str = DEFAULT_LISTEN,
        ports: Ports = ANY_PORTS,
    ) -> None:
        """Read the scenario; nothing listens yet.

        Raises:
            ScenarioError: when the scenario cannot be used.
        """
        self._file = ScenarioFile(scenario)
        self._active: dict[str, Incident] = {}
        self._change = asyncio.Lock()
        self._stack = AsyncExitStack()
        self.world: Scenario = self._file.base
        self.directory = directory.resolve()
        self.listen = listen
        self.ports = ports

    async def __aenter__(self) -> Self:
        """Start every server and sender.

        Raises:
            OSError: when the directory cannot be written or a given port is taken.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ports = _choose(self.ports, self.world)
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        log.info(
            "lab.started",
            scenario=self.world.name,
            overview=f"{self.control_url}/",
            config=str(self.config_path),
            dns=f"127.0.0.1:{self.ports.dns}",
            daemon=f"http://{self.listen}/",
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        log.info("lab.stopped")

    @property
    def config_path(self) -> Path:
        """The configuration for the daemon."""
        return self.directory / "config.yaml"

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed the hosts' certificates."""
        return self.directory / "ca.pem"

    @property
    def resolver(self) -> tuple[str, int]:
        """Address and port of the resolver."""
        return "127.0.0.1", self.ports.dns

    @property
    def control_url(self) -> str:
        """Where the lab is controlled."""
        return f"http://127.0.0.1:{self.ports.control}"

    @property
    def incidents(self) -> Mapping[str, Incident]:
        """Every incident of the scenario, and those that were given while it ran and are on."""
        return {**self._file.base.incidents, **self._active}

    def is_on(self, name: str) -> bool:
        """Whether an incident is on."""
        return name in self._active

    async def start_incident(self, name: str, incident: Incident | None = None) -> None:
        """Start an incident of the scenario, or the one given. One that is on stays as it is.

        Raises:
            UnknownIncidentError: when the scenario has none of that name and none is given.
            ScenarioError: when it does not fit into the world as it is now; nothing has changed.
        """
        incident = incident or self._file.base.incidents.get(name)
        if incident is None:
            raise UnknownIncidentError(name)
        async with self._change:
            if name not in self._active:
                await self._become({**self._active, name: incident})
                self._burst(incident.on_start)
                log.info("lab.incident_started", incident=name)

    async def end_incident(self, name: str) -> None:
        """End an incident. One that is not on stays so.

        Raises:
            UnknownIncidentError: when there is none of that name.
            ScenarioError: when the world without it is not valid; nothing has changed.
        """
        if name not in self.incidents:
            raise UnknownIncidentError(name)
        async with self._change:
            incident = self._active.get(name)
            if incident is not None:
                await self._become({k: v for k, v in self._active.items() if k != name})
                self._burst(incident.on_end)
                log.info("lab.incident_ended", incident=name)

    async def _become(self, active: dict[str, Incident]) -> None:
        self.world = self._file.world(active.values())
        self._active = active
        self._dns.load(self.world)
        for flow in self._flows.values():
            flow.load(self.world)
        self._silent.give_way(self.world)
        await self._hosts.load(self.world)
        await self._sites.load(self.world)
        self._silent.fall_silent(self.world)

    def _burst(self, bursts: Mapping[str, Burst]) -> None:
        for flow, burst in bursts.items():
            self._flows[flow].burst(burst)

    async def _start(self, stack: AsyncExitStack) -> None:
        self._dns = DnsServer(self.world, port=self.ports.dns)
        stack.push_async_callback(self._dns.stop)
        await self._dns.start()
        mapped = {25: self.ports.smtp, 465: self.ports.smtps, 587: self.ports.submission}
        authority = open_authority(self.directory)
        self._hosts = SmtpHosts(authority, mapped)
        stack.push_async_callback(self._hosts.stop)
        await self._hosts.load(self.world)
        self._sites = HttpsSites(authority, self.ports.https)
        stack.push_async_callback(self._sites.stop)
        await self._sites.load(self.world)
        self._silent = SilentWays({**mapped, 443: self.ports.https})
        stack.callback(self._silent.stop)
        self._silent.fall_silent(self.world)
        credentials = {
            name: open_credentials(self.directory, name, traffic)
            for name, traffic in self.world.traffic.items()
        }
        write_configuration(
            self.world,
            self.directory,
            ports=self.ports,
            listen=self.listen,
            secrets={name: each.secret for name, each in credentials.items()},
        )
        self._flows = {
            name: Flow(name, self.world, url=f"http://{self.listen}/hooks/{name}", credentials=each)
            for name, each in credentials.items()
        }
        await serve_control(self._controls(), stack, port=self.ports.control)
        for flow in self._flows.values():
            stack.push_async_callback(_end, asyncio.create_task(flow.run()))

    def _controls(self) -> Controls:
        return Controls(
            lab=self,
            description={
                "scenario": self.world.name,
                "pid": os.getpid(),
                "control": self.control_url,
                "daemon": f"http://{self.listen}",
                "config": str(self.config_path),
                "ca": str(self.ca_file),
                "resolver": f"127.0.0.1:{self.ports.dns}",
                "ports": {
                    "25": self.ports.smtp,
                    "465": self.ports.smtps,
                    "587": self.ports.submission,
                    "443": self.ports.https,
                    "53": self.ports.dns,
                },
            },
        )


async def run_lab(settings: LabSettings) -> None:
    """Run a lab until SIGTERM or SIGINT.

    Raises:
        ScenarioError: when the scenario cannot be used.
        OSError: when the directory cannot be written or a given port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Lab(
        settings.scenario,
        directory=settings.directory,
        listen=settings.listen,
        ports=settings.ports,
    ):
        await stop.wait()


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; what went wrong in it before is raised."""
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


def _choose(ports: Ports, world: Scenario) -> Ports:
    """Replace every 0 by a port that is free at all addresses where it is needed."""
    taken: set[int] = set(astuple(ports))

    def choose(port: int, addresses: set[IPv4Address]) -> int:
        chosen = port or free_port(addresses, taken=taken)
        taken.add(chosen)
        return chosen

    hosts = SmtpHosts.addresses(world)
    return Ports(
        dns=choose(ports.dns, DnsServer.addresses(world)),
        smtp=choose(ports.smtp, hosts),
        smtps=choose(ports.smtps, hosts),
        submission=choose(ports.submission, hosts),
        https=choose(ports.https, hosts | HttpsSites.addresses(world)),
        control=choose(ports.control, {IPv4Address("127.0.0.1")}),
    )
