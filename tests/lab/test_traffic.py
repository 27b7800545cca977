import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from monitor.lab import Incident, Lab
from monitor.lab.mail import burst, steady
from monitor.lab.ports import free_port
from monitor.lab.scenario import Burst
from monitor.lab.scenario_file import ScenarioFile

SHOP = ScenarioFile().base.traffic["shop"]


class Daemon:
    """What receives: checks the signature as the daemon does, and keeps the events."""

    def __init__(self, directory: Path, *, unwilling: int = 0) -> None:
        self._directory = directory
        self._unwilling = unwilling
        self.events: dict[str, list[dict]] = {"shop": [], "newsletter": []}
        self.refused: list[str] = []

    def _hook(self, name: str) -> dict:
        config = yaml.safe_load((self._directory / "config.yaml").read_text())
        return next(hook for hook in config["events"]["hooks"] if hook["name"] == name)

    def _secret(self, hook: dict) -> str:
        path = Path(hook["secret"].removeprefix("file:"))
        assert path.stat().st_mode & 0o077 == 0
        return path.read_text()

    async def receive(self, request: web.Request) -> web.Response:
        if self._unwilling:
            self._unwilling -= 1
            return web.Response(status=503)
        name, body = request.match_info["name"], await request.read()
        hook = self._hook(name)
        if hook["kind"] == "generic":
            if request.headers["Authorization"] != f"Bearer {self._secret(hook)}":
                self.refused.append(name)
                return web.Response(status=401)
            assert request.content_type == "application/x-ndjson"
            self.events[name] += [json.loads(line) for line in body.splitlines()]
        else:
            stamp = request.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
            signature = request.headers["X-Twilio-Email-Event-Webhook-Signature"]
            key = load_der_public_key(base64.b64decode(hook["secret"]))
            try:
                key.verify(base64.b64decode(signature), stamp.encode() + body, ec.ECDSA(SHA256()))
            except InvalidSignature:
                self.refused.append(name)
                return web.Response(status=401)
            assert body.endswith(b"\r\n")
            self.events[name] += json.loads(body)
        return web.json_response({"accepted": 1})

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator["Daemon"]:
        application = web.Application(client_max_size=10_000_000)
        application.router.add_post("/hooks/{name}", self.receive)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield self
        finally:
            await runner.cleanup()


async def until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def port() -> int:
    return free_port([IPv4Address("127.0.0.1")])


def up_to_date(daemon: Daemon) -> bool:
    shop, news = daemon.events["shop"], daemon.events["newsletter"]
    return bool(
        shop
        and news
        and datetime.fromisoformat(shop[-1]["at"]).timestamp() > time.time() - 3
        and news[-1]["timestamp"] > time.time() - 3
    )


async def test_history_and_the_present_arrive_once_a_late_daemon_answers(
    tmp_path: Path, port: int
) -> None:
    daemon = Daemon(tmp_path, unwilling=2)
    async with Lab(directory=tmp_path, listen=f"127.0.0.1:{port}"), daemon.serve(port):
        await until(lambda: up_to_date(daemon))
    assert not daemon.refused
    shop, news = daemon.events["shop"], daemon.events["newsletter"]
    first = datetime.fromisoformat(shop[0]["at"]).timestamp()
    assert 3595 < time.time() - first < 3630
    assert 3595 < time.time() - news[0]["timestamp"] < 3630
    assert len({event["id"] for event in shop}) == len(shop)
    assert len({event["sg_event_id"] for event in news}) == len(news)
    kinds = Counter(event["event"] for event in shop)
    assert 0.004 < kinds["bounced"] / (kinds["bounced"] + kinds["delivered"]) < 0.014
    assert kinds.keys() >= {"delivered", "bounced", "deferred", "opened"}
    assert {event["event"] for event in news} >= {"delivered", "bounce", "deferred", "open"}
    assert all(event["status"].startswith("5.") for event in news if event["event"] == "bounce")
    assert {event["domain"] for event in shop} == {"shop.example"}
    assert {event["stream"] for event in shop} == {"orders"}
    providers = {event["recipient"].rpartition("@")[2] for event in shop}
    assert providers == set(SHOP.recipients)


async def test_a_lab_that_starts_again_tells_the_same_history(tmp_path: Path, port: int) -> None:
    told = []
    for _ in range(2):
        daemon = Daemon(tmp_path)
        async with daemon.serve(port), Lab(directory=tmp_path, listen=f"127.0.0.1:{port}"):
            await until(lambda daemon=daemon: up_to_date(daemon))
        told.append({event["id"]: event for event in daemon.events["shop"]})
    common = told[0].keys() & told[1].keys()
    assert len(common) > 0.98 * len(told[0])
    assert all(told[0][identity] == told[1][identity] for identity in common)


async def test_a_bounce_spike_comes_at_once_and_drowns_when_it_ends(
    tmp_path: Path, port: int
) -> None:
    daemon = Daemon(tmp_path)

    def recent(kind: str) -> int:
        return sum(event["event"] == kind for event in daemon.events["shop"][before:])

    async with daemon.serve(port), Lab(directory=tmp_path, listen=f"127.0.0.1:{port}") as lab:
        await until(lambda: up_to_date(daemon))
        before = len(daemon.events["shop"])
        await lab.start_incident("bounce-spike")
        await lab.start_incident("bounce-spike")
        await until(lambda: recent("bounced") >= 650)
        at_once = recent("bounced")
        assert at_once / (at_once + recent("delivered")) > 0.4
        assert at_once < 900
        # It lasts.
        await until(lambda: recent("bounced") >= at_once + 3)
        await lab.end_incident("bounce-spike")
        await until(lambda: recent("delivered") > 60_000)
        bounced = recent("bounced")
        assert bounced / (bounced + recent("delivered")) < 0.02
    events = daemon.events["shop"]
    assert len({event["id"] for event in events}) == len(events)
    burst_ages = [
        time.time() - datetime.fromisoformat(event["at"]).timestamp() for event in events[before:]
    ]
    assert max(burst_ages) < 60


@pytest.mark.parametrize("flow", ["shop", "newsletter"])
async def test_a_sender_with_the_wrong_secret_is_refused_and_loses_nothing(
    tmp_path: Path, port: int, flow: str
) -> None:
    wrong = Incident(description="wrong", world={"traffic": {flow: {"proof": "wrong"}}})
    daemon = Daemon(tmp_path)
    async with daemon.serve(port), Lab(directory=tmp_path, listen=f"127.0.0.1:{port}") as lab:
        await until(lambda: up_to_date(daemon))
        await lab.start_incident("wrong", wrong)
        await until(lambda: len(daemon.refused) > 1)
        before = len(daemon.events[flow])
        await lab.end_incident("wrong")
        await until(lambda: len(daemon.events[flow]) > before)
    assert set(daemon.refused) == {flow}


def test_the_wrong_secret_is_an_incident_of_the_newsletter() -> None:
    assert ScenarioFile().base.incidents["hook-secret-wrong"].world == {
        "traffic": {"newsletter": {"proof": "wrong"}}
    }


def test_a_second_always_gives_the_same_events_and_another_gives_others() -> None:
    def ids(second: int) -> list[str]:
        return [event.id for event in steady("shop", SHOP, seed=1, second=second)]

    assert ids(1_800_000_000) == ids(1_800_000_000)
    assert not set(ids(1_800_000_000)) & set(ids(1_800_000_001))


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0, 3.7])
def test_the_rate_is_kept_over_time(rate: float) -> None:
    traffic = SHOP.model_copy(update={"rate": rate})
    messages = {
        event.id.rpartition("-")[0]
        for second in range(1_800_000_000, 1_800_000_400)
        for event in steady("shop", traffic, seed=1, second=second)
    }
    assert abs(len(messages) - rate * 400) <= 1


def test_a_burst_has_its_share_of_bounces() -> None:
    events = burst("shop", SHOP, Burst(messages=2000, bounced=0.5), seed=1, second=1_800_000_000)
    kinds = Counter(event.kind for event in events)
    assert kinds["bounced"] + kinds["delivered"] == 2000
    assert 900 < kinds["bounced"] < 1100
