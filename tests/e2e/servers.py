"""The real consumers, each from its Debian package, in a private folder on a loopback port."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

PROJECT = Path(__file__).parents[2]
COMMAND = PROJECT / ".venv" / "bin" / "deliverability"
RULES = PROJECT / "deploy" / "prometheus" / "deliverability.rules.yaml"

KEEP_FIRING = "8s"
"""In place of the rules' quarter of an hour: longer than a restart, short enough to wait for."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: `make servers` as root on Debian brings it")


async def until(what: str, condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll `condition` (may be async) until it gives something true; the text says what was waited for."""
    last: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                last = condition()
                if asyncio.iscoroutine(last):
                    last = await last
                if last:
                    return last
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"not within {seconds:g} s: {what} (last seen: {last!r})")


@dataclass
class Running:
    """A child process with its output in a file."""

    process: asyncio.subprocess.Process
    output: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def stopped(self, seconds: float = 15.0) -> int:
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    def log(self) -> str:
        return self.output.read_text(errors="replace")


@asynccontextmanager
async def running(
    *command: str | Path, output: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    with output.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=output.parent,
            env={**os.environ, **(env or {})},
        )
    try:
        yield Running(process, output)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@dataclass
class Site:
    """An HTTP server to ask."""

    url: str
    session: aiohttp.ClientSession

    async def text(self, path: str) -> str:
        async with self.session.get(self.url + path) as answer:
            return await answer.text()

    async def json(self, path: str) -> Any:
        async with self.session.get(self.url + path) as answer:
            return await answer.json()

    async def status(self, path: str) -> int:
        """The status code; 0 where nobody listens."""
        try:
            async with self.session.get(self.url + path) as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0

    async def series(self) -> dict[str, float]:
        """Every series of /metrics, as `name{labels}` -> value."""
        lines = (line for line in (await self.text("/metrics")).splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@dataclass
class Daemon(Site):
    """The product under test, as users start it."""

    config: Path
    process: Running

    async def matching(self, name: str, **labels: str) -> dict[str, float]:
        """The series of one metric that carry these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return {
            key: value
            for key, value in (await self.series()).items()
            if re.match(rf"{name}(\{{|$)", key) and all(want in key for want in wanted)
        }

    async def open_codes(self, domain: str) -> set[str]:
        """The codes of a domain's open findings that page."""
        found = await self.matching("deliverability_findings", domain=domain, severity="critical")
        return {re.findall(r'code="([^"]+)"', key)[0] for key in found}


@asynccontextmanager
async def daemon(config: Path, directory: Path) -> AsyncIterator[Daemon]:
    """A daemon on a configuration, once it is ready."""
    listen = yaml.safe_load(config.read_text())["server"]["listen"]
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
        running(
            COMMAND,
            "run",
            "--config",
            config,
            "--log-format",
            "json",
            output=directory / "daemon.log",
        ) as process,
    ):
        found = Daemon(f"http://{listen}", session, config, process)
        await until(
            f"the daemon is ready\n{process.log()[-3000:]}",
            lambda: _is(200, found, "/-/ready", process),
            seconds=20,
        )
        yield found


async def _is(status: int, site: Site, path: str, process: Running) -> bool:
    if process.process.returncode is not None:
        pytest.fail(f"ended with {process.process.returncode}:\n{process.log()[-3000:]}")
    return await site.status(path) == status


@dataclass
class Pages:
    """What arrived at the webhook receiver, in order: ("firing" or "resolved", alert's labels)."""

    url: str
    received: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def count(self, status: str, **labels: str) -> int:
        return sum(
            state == status and labels.items() <= found.items() for state, found, _ in self.received
        )

    def alerts(self, severity: str) -> set[str]:
        return {
            found["alertname"]
            for state, found, _ in self.received
            if state == "firing" and found.get("severity") == severity
        }


@asynccontextmanager
async def receiver() -> AsyncIterator[Pages]:
    """Whoever is paged."""
    pages = Pages(f"http://127.0.0.1:{free_port()}/")

    async def receive(request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            pages.received.append((alert["status"], alert["labels"], alert["annotations"]))
        return web.Response()

    application = web.Application()
    application.router.add_post("/", receive)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(pages.url.rstrip("/").rpartition(":")[2])).start()
    try:
        yield pages
    finally:
        await runner.cleanup()


@dataclass
class Paging:
    """A real Prometheus and a real Alertmanager that watch the daemon, and whoever is paged."""

    prometheus: Site
    pages: Pages

    async def firing(self) -> set[str]:
        answer = await self.prometheus.json("/api/v1/alerts")
        return {
            alert["labels"]["alertname"]
            for alert in answer["data"]["alerts"]
            if alert["state"] == "firing"
        }

    async def query(self, expr: str) -> list[Any]:
        async with self.prometheus.session.get(
            f"{self.prometheus.url}/api/v1/query", params={"query": expr}
        ) as answer:
            return list((await answer.json())["data"]["result"])


def quick_rules(text: str) -> str:
    """The rendered rules with their waits cut short, so that a test need not wait a quarter of an hour."""
    # The grace of DeliverabilityCheckOverdue, which is for intervals of minutes; what a look at a host
    # that has stalled takes is less than that minute, and more than this.
    text = re.sub(r"\+ 60\b", "+ 5", text)
    text = re.sub(r"keep_firing_for: \S+", f"keep_firing_for: {KEEP_FIRING}", text)
    return re.sub(r"(\s)for: \S+", r"\1for: 1s", text)


@asynccontextmanager
async def paging(listen: str, directory: Path) -> AsyncIterator[Paging]:
    need("prometheus", "prometheus-alertmanager")
    rules = directory / "rules.yaml"
    rules.write_text(quick_rules(RULES.read_text()))
    ports = free_port(), free_port()
    async with AsyncExitStack() as stack:
        pages = await stack.enter_async_context(receiver())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        alertmanager = directory / "alertmanager.yml"
        alertmanager.write_text(
            json.dumps(
                {
                    "route": {
                        "receiver": "test",
                        "group_by": ["..."],
                        "group_wait": "0s",
                        "group_interval": "1s",
                        "repeat_interval": "1h",
                    },
                    "receivers": [
                        {
                            "name": "test",
                            "webhook_configs": [{"url": pages.url, "send_resolved": True}],
                        }
                    ],
                }
            )
        )
        prometheus = directory / "prometheus.yml"
        prometheus.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(rules)],
                    "alerting": {
                        "alertmanagers": [
                            {"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}
                        ]
                    },
                    "scrape_configs": [
                        {
                            "job_name": "deliverability",
                            "static_configs": [{"targets": [listen]}],
                        }
                    ],
                }
            )
        )
        await stack.enter_async_context(
            running(
                "prometheus-alertmanager",
                f"--config.file={alertmanager}",
                f"--storage.path={directory / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{ports[1]}",
                "--cluster.listen-address=",
                output=directory / "alertmanager.log",
            )
        )
        process = await stack.enter_async_context(
            running(
                "prometheus",
                f"--config.file={prometheus}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{ports[0]}",
                output=directory / "prometheus.log",
            )
        )
        site = Site(f"http://127.0.0.1:{ports[0]}", session)
        await until("Prometheus is ready", lambda: _is(200, site, "/-/ready", process))
        yield Paging(site, pages)
