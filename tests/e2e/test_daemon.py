"""The running daemon: what it shows soon, how it reloads, ends, and what a kill leaves behind."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from monitor.lab import Lab
from tests.e2e.servers import Daemon, daemon, free_port, until

REAL_RESULTS_WITHIN = 15.0
RATES_WITHIN = 30.0


async def test_real_results_and_rates_are_there_soon(lab: Lab, tmp_path: Path) -> None:
    started = time.monotonic()
    async with daemon(lab.config_path, tmp_path) as running:

        async def ok(check: str) -> bool:
            found = await running.matching(
                "deliverability_check_status", check=check, domain="shop.example", status="ok"
            )
            return any(found.values())

        for check in ("dmarc", "spf", "dkim", "mx", "ns", "smtp"):
            await until(check, lambda check=check: ok(check), seconds=REAL_RESULTS_WITHIN)
        assert time.monotonic() - started < REAL_RESULTS_WITHIN
        clean = await running.matching(
            "deliverability_blocklist_zones", domain="shop.example", state="clean"
        )
        assert sum(clean.values()) > 0
        expiry = await running.matching("deliverability_certificate_not_after_timestamp_seconds")
        assert any('target="mx1.shop.example:25"' in key for key in expiry)
        await until(
            "rates",
            lambda: running.matching("deliverability_ratio", domain="shop.example", window="1h"),
            seconds=RATES_WITHIN - (time.monotonic() - started),
        )
        assert "daemon.listening" in running.process.log()


def changed(lab: Lab, **keys: object) -> Path:
    """The lab's configuration with some top-level keys replaced."""
    document = yaml.safe_load(lab.config_path.read_text())
    document.update(keys)
    lab.config_path.write_text(yaml.safe_dump(document))
    return lab.config_path


async def test_a_reload_takes_effect_and_loses_nothing(lab: Lab, watched: Daemon) -> None:
    await until("the spf record", lambda: watched.matching("deliverability_spf_dns_lookups"))
    before = await watched.matching("deliverability_events_total", domain="shop.example")
    domains = yaml.safe_load(lab.config_path.read_text())["domains"]
    names = {domain["name"] for domain in domains}
    assert {"weak.example", "parked.example"} <= names
    changed(lab, domains=[d for d in domains if d["name"] != "weak.example"])
    watched.process.signal(signal.SIGHUP)

    async def gone() -> bool:
        return not await watched.matching("deliverability_.*", domain="weak.example")

    await until("what left vanished at once", gone)
    assert await watched.matching("deliverability_domain_info", domain="shop.example")
    after = await watched.matching("deliverability_events_total", domain="shop.example")
    assert all(after[key] >= value for key, value in before.items())


async def test_a_reload_blinds_no_look_that_runs(lab: Lab, watched: Daemon) -> None:
    names = {domain["name"] for domain in yaml.safe_load(lab.config_path.read_text())["domains"]}

    async def all_looked_at() -> bool:
        async with watched.session.post(watched.url + "/-/reload") as answer:
            assert answer.status == 200
        looked = await watched.matching("deliverability_check_status", check="dmarc", status="ok")
        return len(looked) == len(names)

    await until("every domain was looked at between reloads", all_looked_at)
    assert "closed meanwhile" not in watched.process.log()


async def test_an_invalid_file_changes_nothing_and_says_where(lab: Lab, watched: Daemon) -> None:
    good = lab.config_path.read_text()
    lab.config_path.write_text(good.replace("domains:", "domain:", 1))
    async with watched.session.post(watched.url + "/-/reload") as answer:
        assert answer.status == 400
        text = await answer.text()
    assert "domain: unknown key" in text
    assert "did you mean 'domains'" in text
    series = await watched.series()
    assert series["deliverability_config_last_reload_successful"] == 0
    assert await watched.matching("deliverability_domain_info", domain="shop.example")
    lab.config_path.write_text(good)
    async with watched.session.post(watched.url + "/-/reload") as answer:
        assert answer.status == 200
    assert (await watched.series())["deliverability_config_last_reload_successful"] == 1


async def test_sigterm_drains_within_ten_seconds(lab: Lab, tmp_path: Path) -> None:
    """Also while a check talks to a host that never finishes its banner."""
    config = yaml.safe_load(lab.config_path.read_text())
    config["checks"]["smtp"]["targets"] = ["tarpit.hosts.example:25", "stalled.hosts.example:25"]
    path = tmp_path / "tarpit.yaml"
    path.write_text(yaml.safe_dump(config))
    async with daemon(path, tmp_path) as running:
        await until("looks", lambda: running.matching("deliverability_check_status", check="dmarc"))
        started = time.monotonic()
        running.process.signal(signal.SIGTERM)
        assert await running.process.stopped(10) == 0
        assert time.monotonic() - started < 10
        assert "daemon.stopped" in running.process.log()


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_acknowledged_survives_kill_9(lab: Lab, tmp_path: Path, seed: int) -> None:
    config = yaml.safe_load(lab.config_path.read_text())
    # A port of its own, where the lab's senders do not post.
    config["server"]["listen"] = f"127.0.0.1:{free_port()}"
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(config))
    secret = (lab.directory / "shop-hook.secret").read_text().strip()
    acknowledged = 0

    async def post(running: Daemon, number: int) -> int:
        events = [
            {
                "id": f"{seed}-{number}-{n}",
                "event": "delivered",
                "at": time.time(),
                "recipient": "someone@gmail.com",
                "domain": "shop.example",
                "stream": "orders",
            }
            for n in range(10)
        ]
        async with running.session.post(
            running.url + "/hooks/shop",
            data=json.dumps(events).encode(),
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
        ) as answer:
            assert answer.status == 200
            return int((await answer.json())["accepted"])

    async with daemon(path, tmp_path) as running:
        for number in range(5 + 7 * seed):
            acknowledged += await post(running, number)
        running.process.process.kill()
        await running.process.stopped()
    async with daemon(path, tmp_path) as again:
        assert await _delivered(again) == acknowledged
        assert await post(again, 0) == 0
        assert await _delivered(again) == acknowledged


async def _delivered(running: Daemon) -> float:
    found = await running.matching(
        "deliverability_events_total", domain="shop.example", event="delivered"
    )
    return sum(found.values())


async def test_a_probe_explains_itself(watched: Daemon) -> None:
    text = await watched.text("/probe?check=dmarc&target=shop.example")
    assert "probe_success 1" in text.splitlines()
    page = await watched.text("/probe?check=dmarc&target=weak.example&debug=true")
    assert "dmarc." in page
    assert await watched.status("/probe?check=dmarc&target=localhost") == 400
    assert await watched.status("/probe?check=smtp&target=127.0.0.1:22") == 400


async def test_drift_is_accepted_through_the_command(lab: Lab, watched: Daemon) -> None:
    await until(
        "the record is known",
        lambda: watched.matching("deliverability_dmarc_policy", domain="shop.example"),
    )
    await lab.start_incident("dmarc-weakened")
    drifted = {"domain": "shop.example", "record": "dmarc", "classification": "weakened"}
    await until("drift", lambda: watched.matching("deliverability_record_drift", **drifted), 60)
    listed = await command("drift", "list", "--config", lab.config_path)
    assert "shop.example" in listed
    why = ("--by", "Alice", "--reason", "tests with another ESP")
    where = ("--yes", "--config", lab.config_path)
    await command("drift", "accept", "dmarc", "shop.example", *why, *where)

    async def accepted() -> bool:
        drift = await watched.matching("deliverability_record_drift", **drifted)
        return not drift and "dmarc.policy_weakened" not in await watched.open_codes("shop.example")

    await until("accepted", accepted)
    shown = await command("drift", "show", "dmarc", "shop.example", "--config", lab.config_path)
    assert "accepted by Alice: tests with another ESP" in shown
    assert "first seen, accepted on first sight" in shown


async def command(*words: object) -> str:
    """The output of a command that succeeds."""
    from tests.e2e.servers import COMMAND

    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *map(str, words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize(
    ("check", "target"),
    [
        ("smtp", "10.0.0.1:25"),
        ("smtp", "[::1]:25"),
        ("blocklist", "192.168.1.1"),
        ("rdns", "169.254.169.254"),
        ("rdns", "::ffff:10.0.0.1"),
        ("dmarc", "unix:/run/x"),
        ("dmarc", "0x7f000001"),
        ("rates", "example.com"),
        ("nothing", "example.com"),
    ],
)
async def test_any_public_target_may_be_probed_where_allowed_but_no_private_one(
    anything: Daemon, check: str, target: str
) -> None:
    found = await anything.status(f"/probe?check={check}&target={quote(target)}")
    assert found == 400


async def test_a_target_that_is_not_configured_may_be_probed_where_allowed(
    anything: Daemon,
) -> None:
    text = await anything.text("/probe?check=dmarc&target=hostile.example")
    assert "probe_success" in text


@pytest.fixture
async def anything(lab: Lab, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon that may probe what it does not watch."""
    config = yaml.safe_load(lab.config_path.read_text())
    config["server"]["probe_any"] = True
    lab.config_path.write_text(yaml.safe_dump(config))
    async with daemon(lab.config_path, tmp_path) as running:
        yield running
