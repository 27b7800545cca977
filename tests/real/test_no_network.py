"""No way out: clear unknowns, one finding about ourselves, and no word against the domain."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from monitor.config.installed import installed_checks
from tests.e2e.servers import COMMAND, PROJECT, Daemon, free_port, running, until

DOMAIN = "example.com"
SECONDS = 30
"""Within this time all must be said."""

ISOLATED = "TEST_WITHOUT_NETWORK"
NOBODY_RESOLVES = {"DELIVERABILITY_RESOLVER__NAMESERVERS": f'["127.0.0.1:{free_port()}"]'}
AT_ONCE = {
    f"DELIVERABILITY_CHECKS__{name.upper()}__CONFIRMATIONS": "0" for name in installed_checks()
}
"""Whatever is found counts at once, so that a wrong finding about the domain would show."""


@asynccontextmanager
async def watching(directory: Path, environ: Mapping[str, str]) -> AsyncIterator[Daemon]:
    """`deliverability run --domain`, with no configuration file."""
    listen = f"127.0.0.1:{free_port()}"
    command = (COMMAND, "run", "--domain", DOMAIN, "--listen", listen)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
        running(
            *command, "--log-format", "json", output=directory / "daemon.log", env=environ
        ) as process,
    ):
        yield Daemon(f"http://{listen}", session, directory / "none.yaml", process)


async def told(site: Daemon) -> bool:
    """Everything was looked at, and what is our own trouble is confirmed."""
    if await site.status("/-/ready") != 200:
        return False
    status = await site.json("/api/v1/status")
    own = await site.matching("deliverability_findings", check="self")
    return not status["waiting"] and bool(own)


async def test_without_a_network_all_is_unknown_and_the_trouble_is_ours(tmp_path: Path) -> None:
    environ = AT_ONCE if ISOLATED in os.environ else AT_ONCE | NOBODY_RESOLVES
    async with watching(tmp_path, environ) as site:
        await until("all is said", lambda: told(site), seconds=SECONDS)

        findings = await site.matching("deliverability_findings")
        assert len(findings) == 1, findings
        assert 'check="self"' in next(iter(findings))
        statuses = await site.matching("deliverability_check_status", domain=DOMAIN)
        shown = {key.split('status="')[1].split('"')[0] for key, is_so in statuses.items() if is_so}
        assert shown == {"unknown"}

        for result in (await site.json(f"/api/v1/results?domain={DOMAIN}"))["results"]:
            reasons = [result["failure"], *(subject["reason"] for subject in result["subjects"])]
            assert any(reasons), result
            assert "the check failed" not in " ".join(reasons)
        status = await site.json("/api/v1/status")
        assert {status["status"], *(row["status"] for row in status["domains"])} == {"unknown"}
        page = await site.text("/")
        assert "The monitor itself" in page
        assert not re.search(r"\bok\b", visible(page), re.IGNORECASE)

        site.process.signal(signal.SIGTERM)
        assert await site.process.stopped(10) == 0
        assert "Traceback" not in site.process.log()


def visible(page: str) -> str:
    return re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(style|script|head).*?</\1>", " ", page))


@pytest.mark.skipif(
    ISOLATED in os.environ or not all(map(shutil.which, ("unshare", "ip"))),
    reason="needs unshare and ip (util-linux and iproute2)",
)
def test_on_a_machine_with_no_network_at_all(tmp_path: Path) -> None:
    """The test above with the system's own resolver, where nothing but loopback is there."""
    inside = f"ip link set lo up && exec {sys.executable} -m pytest -q {__file__}"
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", f"{inside} --basetemp {tmp_path}/isolated"],
        env=os.environ | {ISOLATED: "yes"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(f"this machine gives no namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout
