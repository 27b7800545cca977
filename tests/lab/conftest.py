from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.lab import Lab
from monitor.lab.ports import free_port


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """A lab in which nobody changes anything; no daemon listens where its events go."""
    directory: Path = tmp_path_factory.mktemp("lab")
    silent = free_port([IPv4Address("127.0.0.1")])
    async with Lab(directory=directory, listen=f"127.0.0.1:{silent}") as running:
        yield running
