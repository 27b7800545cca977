import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import started, until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration of a lab that runs, as `deliverability lab` makes it."""
    cwd = tmp_path_factory.mktemp("lab")
    with started("lab", "--listen", f"127.0.0.1:{free_port()}", cwd=cwd) as process:
        until(
            f"the lab is ready\n{(cwd / 'log').read_text()}",
            lambda: (cwd / "var/lab/lab.json").exists() or process.poll() is not None,
        )
        yield cwd / "var/lab/config.yaml"
