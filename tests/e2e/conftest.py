"""The whole product on loopback: the lab, the daemon, a real Prometheus, a real Alertmanager."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.lab import Lab
from tests.e2e.servers import Daemon, Paging, daemon, free_port, need, paging


@dataclass
class House:
    """All of it. `shop.example` is the lab's good domain, which its incidents befall."""

    lab: Lab
    daemon: Daemon
    paging: Paging


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with Lab(directory=tmp_path / "lab", listen=f"127.0.0.1:{free_port()}") as lab:
        yield lab


@pytest.fixture
async def watched(lab: Lab, tmp_path: Path) -> AsyncIterator[Daemon]:
    """The lab with a daemon that watches it."""
    async with daemon(lab.config_path, tmp_path) as running:
        yield running


@pytest.fixture
async def house(lab: Lab, tmp_path: Path) -> AsyncIterator[House]:
    """The lab with a daemon, a Prometheus and an Alertmanager."""
    need("prometheus", "prometheus-alertmanager")
    async with daemon(lab.config_path, tmp_path) as running, paging(lab.listen, tmp_path) as paged:
        yield House(lab, running, paged)
