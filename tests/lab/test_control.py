import asyncio
import json
import os
import signal
import sys
from ipaddress import IPv4Address
from pathlib import Path

import aiohttp
import pytest

from monitor.lab import (
    IncidentRefusedError,
    Lab,
    LabNotRunningError,
    control_incident,
    list_incidents,
)
from monitor.lab.ports import free_port
from tests.lab.asking import values

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_incidents_by_the_client(lab: Lab) -> None:
    await control_incident(lab.directory, "dmarc-vanished", "start")
    assert await values(lab, "_dmarc.shop.example", "TXT") == "NODATA"
    states = {state.name: state for state in await list_incidents(lab.directory)}
    assert states["dmarc-vanished"].on
    assert not states["address-listed"].on
    assert states["address-listed"].description
    await control_incident(lab.directory, "dmarc-vanished", "end")
    assert not lab.is_on("dmarc-vanished")


async def test_an_unknown_incident_is_refused_with_the_known_ones(lab: Lab) -> None:
    with pytest.raises(IncidentRefusedError, match=r"called nonsense; there are address-listed, "):
        await control_incident(lab.directory, "nonsense", "start")


async def test_no_lab_runs_in_another_directory(tmp_path: Path) -> None:
    with pytest.raises(LabNotRunningError):
        await control_incident(tmp_path, "address-listed", "start")


async def test_no_lab_runs_where_one_was_killed(tmp_path: Path) -> None:
    port = free_port([IPv4Address("127.0.0.1")])
    (tmp_path / "lab.json").write_text(json.dumps({"control": f"http://127.0.0.1:{port}"}))
    with pytest.raises(LabNotRunningError):
        await list_incidents(tmp_path)


async def test_the_control_by_http(lab: Lab) -> None:
    async with aiohttp.ClientSession(lab.control_url) as session:
        async with session.get("/healthy") as response:
            assert response.status == 200
        own = {"description": "renamed", "world": {"zones": {"shop.example": {"@": {"TXT": "x"}}}}}
        async with session.post("/incidents/renamed/start", json=own) as response:
            assert await response.json() == {"name": "renamed", "on": True}
        assert await values(lab, "shop.example", "TXT") == {'"x"'}
        async with session.get("/") as response:
            overview = await response.text()
        assert "ON  renamed" in overview
        assert "off address-listed" in overview
        assert str(lab.config_path) in overview
        async with session.post("/incidents/renamed/end") as response:
            assert response.status == 200
        async with session.post("/incidents/x/start", json={"colour": "red"}) as response:
            assert response.status == 400
        misfit = {"description": "x", "world": {"ttl": -1}}
        async with session.post("/incidents/x/start", json=misfit) as response:
            assert response.status == 409
            assert "ttl" in (await response.json())["error"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_as_a_process_it_starts_and_leaves_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor.lab", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            while b"lab.started" not in await process.stdout.readline():
                assert process.returncode is None
        assert await list_incidents(tmp_path)
        process.send_signal(number)
        output, _ = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert b"lab.stopped" in output
    assert b"Traceback" not in output
    assert not (tmp_path / "lab.json").exists()
