"""A daemon that looks at a hostile domain and at hosts that misbehave: it ends in time, and passes nothing on."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from monitor.app.logs import configure_logs
from monitor.config.installed import installed_checks
from monitor.lab import Lab
from tests.e2e.servers import COMMAND, Daemon, free_port, running, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOMAIN = "hostile.example"
ODD_NAMES = {
    "loop": "CNAME loop",
    "huge": "more than 300 records",
    "large-text": "spf.record_invalid",
    "many-strings": "strings",
    "void-bomb": "spf.void_lookups",
    "wrong-class": "records of another class",
    "wrong-port": "",
    "pointer-loop": "no answer from",
    "garbage": "spf.record_missing",
    "truncated": "spf.record_missing",
    "udp-only": "0 bytes read",
    "slow": "",
    "flapping": "",
    "rewritten": "spf.record_missing",
    "dropped": "no answer from",
    "refused": "answered REFUSED",
    "failing": "answered SERVFAIL",
    "long": "spf.record_long",
}
"""Domains, and the code or the reason that is told of their SPF record; none where it is all right or left to chance."""
ODD_POLICY_HOSTS = {
    "sts-endless": "the body has more than",
    "sts-huge": "the body has more than",
    "sts-redirect": "301",
    "sts-liar": "Not enough data",
    "sts-stalled": "not finished within",
    "sts-tarpit": "not finished within",
}
"""Domains, and what is told of the web server that has their policy and their logo."""
ODD_HOSTS = {
    "tarpit": "no result within",
    "endless": "smtp.protocol_error",
    "welcoming": "smtp.protocol_error",
    "gigantic": "smtp.protocol_error",
    "longline": "smtp.protocol_error",
    "busy": "asks to come later",
    "injecting": "smtp.starttls_injection",
    "stalled": "no result within",
    "buffering": "smtp_audit.starttls_injection",
}
"""Mail hosts, and the code or the reason that is told of them at port 25."""
SMTP_SECONDS = 12
MOST_MIB = 200
"""What the daemon may take in all; gigabytes are offered."""
SECONDS = 60
"""Long enough for the slowest check to reach its limit on a busy machine."""

RAW = ("\x1b", "\x00", "\x07", "\u202e", "<script>alert", "<img src=x", "[31m<b")
"""What the zones hold and nobody must be handed as it is."""


def configuration(lab: Lab, listen: str) -> dict[str, Any]:
    """The lab's, for the hostile ones only; whatever is found counts at once."""
    document: dict[str, Any] = yaml.safe_load(lab.config_path.read_text())
    hosts = [f"{name}.hosts.example:{port}" for name in ODD_HOSTS for port in (25, 465, 587)]
    document["domains"] = [
        {"name": DOMAIN, "dkim_selectors": ["s1"], "mail_hosts": hosts},
        *({"name": f"{name}.{DOMAIN}", "dkim_selectors": ["s1"]} for name in ODD_NAMES),
        *(
            {"name": f"{name}.{DOMAIN}", "tracking_hosts": [f"mta-sts.{name}.{DOMAIN}"]}
            for name in ODD_POLICY_HOSTS
        ),
        {"name": f"empty.{DOMAIN}", "role": "parked"},
    ]
    document["senders"] = [{"name": "mta", "domains": [DOMAIN], "addresses": ["203.0.113.40"]}]
    document["events"] = {}
    checks = {name: {"confirmations": 0, "interval": "1h"} for name in installed_checks()}
    checks["blocklist"] |= {
        "zones": [entry["zone"] for entry in document["checks"]["blocklist"]["catalogue"]],
        "catalogue": document["checks"]["blocklist"]["catalogue"],
    }
    checks["smtp"]["timeout"] = f"{SMTP_SECONDS}s"
    checks["smtp_audit"] |= {"enabled": True, "timeout": f"{SMTP_SECONDS}s"}
    for name in ("mta_sts", "bimi"):
        # The first looks come all at once: on a busy machine some see nothing then.
        checks[name]["interval"] = "15s"
    document["checks"] = checks
    document["server"]["listen"] = listen
    return document


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    """The daemon, with its log as people read it, once everything was looked at."""
    directory: Path = tmp_path_factory.mktemp("hostile")
    listen = f"127.0.0.1:{free_port()}"
    config = directory / "config.yaml"
    async with Lab(directory=directory / "lab", listen=f"127.0.0.1:{free_port()}") as lab:
        config.write_text(yaml.safe_dump(configuration(lab, listen)))
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            running(
                *(COMMAND, "run", "--config", config, "--log-format", "console"),
                output=directory / "daemon.log",
            ) as process,
        ):
            found = Daemon(f"http://{listen}", session, config, process)
            await until("everything was looked at", lambda: looked(found), seconds=SECONDS)
            yield found


async def looked(site: Daemon) -> bool:
    """Every target has a result, those found in DNS too."""
    if await site.status("/-/ready") != 200:
        return False
    results = (await site.json("/api/v1/results"))["results"]
    hosts = {r["target"] for r in results if r["check"] == "smtp" and r["domain"] == DOMAIN}
    waiting = (await site.json("/api/v1/status"))["waiting"]
    return not waiting and len(hosts) == 3 * len(ODD_HOSTS)


async def test_every_check_ends_in_its_time_limit_with_a_status(site: Daemon) -> None:
    results = (await site.json("/api/v1/results"))["results"]
    assert {result["check"] for result in results} == set(installed_checks())
    for result in results:
        assert result["status"] in {"ok", "warning", "critical", "unknown"}
        reasons = [result["failure"], *(subject["reason"] for subject in result["subjects"])]
        assert "the check failed" not in " ".join(reasons), result
        assert result["status"] != "unknown" or any(reasons), result
    runs = await site.matching("deliverability_check_duration_seconds_bucket", check="smtp")
    within = {float(key.split('le="')[1].split('"')[0]): n for key, n in runs.items()}
    limit = min(bound for bound in within if bound > SMTP_SECONDS)
    assert within[limit] == within[float("inf")] >= 3 * len(ODD_HOSTS)


@pytest.mark.parametrize("name", [name for name, told in ODD_NAMES.items() if told])
async def test_odd_dns_is_a_finding_or_unknown_with_the_reason(site: Daemon, name: str) -> None:
    results = (await site.json("/api/v1/results"))["results"]
    (spf,) = (r for r in results if (r["check"], r["target"]) == ("spf", f"{name}.{DOMAIN}"))
    reasons = [spf["failure"] or "", *(subject["reason"] for subject in spf["subjects"])]
    codes = {finding["code"] for subject in spf["subjects"] for finding in subject["findings"]}
    assert ODD_NAMES[name] in codes or any(ODD_NAMES[name] in reason for reason in reasons)


async def test_a_forged_answer_is_not_believed(site: Daemon) -> None:
    """It says `+all`, and comes from another port before the true one."""
    results = (await site.json("/api/v1/results"))["results"]
    (spf,) = (r for r in results if (r["check"], r["target"]) == ("spf", f"wrong-port.{DOMAIN}"))
    assert spf["status"] == "ok"


@pytest.mark.parametrize("name", ODD_HOSTS)
async def test_a_mail_host_that_misbehaves_is_a_finding_or_unknown_with_the_reason(
    site: Daemon, name: str
) -> None:
    results = (await site.json("/api/v1/results"))["results"]
    told = [r for r in results if r["target"] == f"{name}.hosts.example:25"]
    assert {result["check"] for result in told} == {"smtp", "smtp_audit"}
    subjects = [subject for result in told for subject in result["subjects"]]
    reasons = [*(r["failure"] or "" for r in told), *(s["reason"] for s in subjects)]
    codes = {finding["code"] for subject in subjects for finding in subject["findings"]}
    assert ODD_HOSTS[name] in codes or any(ODD_HOSTS[name] in reason for reason in reasons)


async def test_what_is_believed_of_odd_blocklists(site: Daemon) -> None:
    """Zones that list everyone, refuse, are silent or lead to a parking page list nobody for us."""
    listed = await site.matching("deliverability_blocklist_listed")
    assert {key.split('zone="')[1].split('"')[0] for key in listed} == {"zen.lab.example"}


@pytest.mark.parametrize(
    ("check", "code", "names"),
    [
        ("mta_sts", "mta_sts.policy_fetch_error", set(ODD_POLICY_HOSTS)),
        ("bimi", "bimi.logo_unreachable", {"sts-endless", "sts-huge", "sts-liar", "sts-stalled"}),
    ],
)
async def test_a_web_server_that_misbehaves_is_a_finding_with_the_reason(
    site: Daemon, check: str, code: str, names: set[str]
) -> None:
    async def all_told() -> bool:
        results = (await site.json("/api/v1/results"))["results"]
        found = {r["target"]: r["subjects"] for r in results if r["check"] == check}
        told = {
            name: [f for each in found[f"{name}.{DOMAIN}"] for f in each["findings"]]
            for name in names
        }
        return all(
            any(f["code"] == code and ODD_POLICY_HOSTS[name] in str(f) for f in findings)
            for name, findings in told.items()
        )

    await until(f"{code} is told of {', '.join(sorted(names))}", all_told, seconds=40)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_daemon_stays_small_among_them(site: Daemon) -> None:
    status = Path(f"/proc/{site.process.process.pid}/status").read_text()
    most = int(status.split("VmHWM:")[1].split()[0]) / 1024
    assert most < MOST_MIB


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_nothing_in_the_metrics(site: Daemon) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=await site.text("/metrics"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_both_formats_of_the_metrics_can_be_parsed(site: Daemon) -> None:
    text = await site.text("/metrics")
    names = {family.name for family in prometheus_text(text)}
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with site.session.get(f"{site.url}/metrics", headers=accept) as answer:
        assert answer.content_type == "application/openmetrics-text"
        other = {family.name for family in openmetrics(await answer.text())}
    assert "deliverability_check_status" in names & other
    assert "x" not in names | other
    assert [raw for raw in RAW if raw in text] == []


def paths(results: list[dict[str, Any]]) -> list[str]:
    """Every page and text that says something about the hostile domain."""
    probes = [
        f"/probe?check={check}&target={DOMAIN}&debug=true{more}"
        for check in ("dmarc", "spf", "dkim", "mx", "ns")
        for more in ("", "&format=text")
    ]
    names = {result["domain"] for result in results if result["domain"]}
    return ["/", *(f"/domains/{name}" for name in sorted(names)), *probes]


async def test_pages_show_what_hostile_texts_say_and_do_nothing_they_want(site: Daemon) -> None:
    results = (await site.json("/api/v1/results"))["results"]
    for path in paths(results):
        async with site.session.get(site.url + path) as answer:
            assert answer.status == 200, path
            text = await answer.text()
        if answer.content_type == "text/html":
            assert [raw for raw in RAW if raw in text] == [], path
        else:
            assert [raw for raw in RAW[:4] if raw in text] == [], path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = await site.text(f"/domains/{DOMAIN}")
    assert "{{7*7}}&lt;img src=x&gt;" in page, "the record is shown, as text"


async def test_the_api_is_json_whatever_a_zone_holds(site: Daemon) -> None:
    for name in ("status", "results", "findings", "domains", "senders", "drift"):
        async with site.session.get(f"{site.url}/api/v1/{name}") as answer:
            body = await answer.text()
        assert answer.content_type == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert json.loads(body)
        assert [raw for raw in RAW[:4] if raw in body] == [], name


async def test_the_log_moves_no_cursor(site: Daemon) -> None:
    """It is written as for a terminal, after requests that try the same."""
    for path in ("/hooks/%1b%5b31mred", "/probe?check=dmarc&target=%1b%5b31mred"):
        async with site.session.post(site.url + path, data=b"\x1b[2J") as answer:
            assert answer.status in {404, 405}
    log = site.process.output.read_bytes().decode()
    assert "daemon.listening" in log
    assert [raw for raw in RAW if raw in log] == []
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("options", "said"), [((), "something needs action now"), (("--json",), '"status"')]
)
async def test_a_look_from_the_command_line_ends_in_time_and_moves_no_cursor(
    site: Daemon, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    async with running(
        COMMAND, "check", DOMAIN, "--config", site.config, *options, output=output
    ) as process:
        assert await process.stopped(25) == 2
    text = process.log()
    assert said in text
    assert [raw for raw in RAW[:4] if raw in text] == []


@pytest.mark.parametrize("json_", [True, False])
async def test_text_from_outside_is_escaped_in_either_format_of_the_log(json_: bool) -> None:
    written = io.StringIO()
    configure_logs(json=json_, stream=written)
    try:
        structlog.get_logger().warning("zone.odd", reason="".join(RAW), answers=["\x1b[2J"])
    finally:
        structlog.reset_defaults()
    line = written.getvalue()
    assert "zone.odd" in line
    assert [raw for raw in RAW[:4] if raw in line] == []
