"""One look as a whole: what its checks ask, they ask together."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from monitor.cli.oneshot import NothingKept, look, named_target, task_of
from monitor.cli.source import loaded
from monitor.lab import Lab
from monitor.model import Status
from monitor.world.budgets import PacedBudgets
from monitor.world.build import build_world
from monitor.world.clock import SystemClock
from monitor.world.dns.udp import Sent, UdpChannel
from tests.e2e.servers import free_port


async def test_a_look_asks_no_question_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither our resolver nor a name server hears a question twice, whichever checks want the answer."""
    sent: Counter[tuple[str, bytes]] = Counter()

    ask = UdpChannel.ask

    def counted(
        channel: UdpChannel, query: Sent, now: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        sent[str(channel.server), query.query.wire[2:].lower()] += 1
        ask(channel, query, now, loop)

    monkeypatch.setattr(UdpChannel, "ask", counted)
    async with Lab(directory=tmp_path, listen=f"127.0.0.1:{free_port()}") as lab:
        config, nothing = loaded(lab.config_path), NothingKept()
        worlds = build_world(
            config,
            windows=nothing,
            results=nothing,
            budgets=PacedBudgets(clock=SystemClock()),
            clock=SystemClock(),
        )
        task = task_of(named_target("shop.example"), config, ())
        report = await look(
            task, worlds, SystemClock(), seconds=15, progress=lambda _done, _total, _last: None
        )
        await worlds.aclose()
    assert report.status is Status.OK, "what is wrong is looked at again, to confirm it"
    assert len(sent) > 50
    assert {question: times for question, times in sent.items() if times > 1} == {}
