"""One look at the lab's world, through real sockets."""

import json
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import deliverability, started, until


@pytest.mark.parametrize(
    ("target", "code", "status"),
    [
        ("shop.example", 0, "ok"),
        ("192.0.2.10", 0, "ok"),
        ("mx1.shop.example:25", 0, "ok"),
        ("tls10.hosts.example:25", 1, "warning"),
        ("weak.example", 2, "critical"),
    ],
)
def test_the_exit_code_is_the_status(
    lab: Path, tmp_path: Path, target: str, code: int, status: str
) -> None:
    """The same in JSON, and no state is opened or made."""
    ended = deliverability("check", target, "--config", lab, "--json", cwd=tmp_path)
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["target"], document["status"]) == (code, target, status)
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []
    assert not (lab.parent / "state.db").exists()


def test_a_domain_brings_its_addresses_and_mail_hosts(lab: Path, tmp_path: Path) -> None:
    """Declared and found; nothing of other domains, no events, nothing about the monitor."""
    ended = deliverability("check", "shop.example", "--config", lab, "--json", cwd=tmp_path)
    looked = {(r["check"], r["target"]) for r in json.loads(ended.stdout)["results"]}
    addresses = {"192.0.2.10", "2001:db8::10"}
    hosts = {"mx1.shop.example:25", "mx2.shop.example:25", "mx1.shop.example:587"}
    assert {target for _, target in looked} == (
        {"shop.example", "shop-mta/shop.example"} | addresses | hosts
    )
    assert addresses <= {target for check, target in looked if check == "rdns"}
    assert {target for check, target in looked if check == "smtp"} == hosts
    assert {target for check, target in looked if check == "smtp_audit"} == hosts


def test_the_monitor_itself_is_a_target(lab: Path, tmp_path: Path) -> None:
    """What checks say of ourselves, once: our canaries, and each zone by its own test entries."""
    ended = deliverability("check", "monitor", "--config", lab, "--json", cwd=tmp_path)
    results = {r["check"]: r for r in json.loads(ended.stdout)["results"]}
    assert (set(results), ended.returncode) == ({"self", "blocklist"}, 1)
    assert {r["target"] for r in results.values()} == {"monitor"}
    assert results["self"]["status"] == "ok"
    [refused] = results["blocklist"]["findings"]
    assert refused["code"] == "blocklist.zone_refused"
    assert "refusing.lab.example" in refused["summary"]


def test_the_monitor_is_no_target_of_what_looks_at_others(lab: Path, tmp_path: Path) -> None:
    ended = deliverability("check", "monitor", "--only", "mx", "--config", lab, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith("mx: does not look at such a target")


def test_without_a_resolver_the_monitor_says_so_of_itself(tmp_path: Path) -> None:
    """There is nobody whom the trouble would have to be kept from; nothing is said against a zone."""
    (tmp_path / "deliverability.yaml").write_text(
        "domains: [{name: shop.example}]\n"
        "resolver: {nameservers: ['127.0.0.1:1'], timeout: 500ms}\n"
    )
    ended = deliverability("check", "monitor", "--json", cwd=tmp_path)
    document = json.loads(ended.stdout)
    assert ended.returncode == 3
    assert "own_trouble" not in document
    codes = {r["check"]: [f["code"] for f in r["findings"]] for r in document["results"]}
    assert codes == {"blocklist": [], "self": ["self.resolver_failing"]}


def test_only_some_checks(lab: Path, tmp_path: Path) -> None:
    """`--only` may be repeated."""
    ended = deliverability(
        "check", "weak.example", "--only", "mx", "--only", "spf", "-c", lab, "--json", cwd=tmp_path
    )
    assert [r["check"] for r in json.loads(ended.stdout)["results"]] == ["spf", "mx"]


def test_the_table_is_on_stdout_and_nothing_else_anywhere(lab: Path, tmp_path: Path) -> None:
    """No progress bar where nobody watches."""
    ended = deliverability("check", "weak.example", "--config", lab, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert "✗ critical  weak.example: something needs action now." in ended.stdout


def test_hostile_records_do_not_reach_the_terminal(lab: Path, tmp_path: Path) -> None:
    """The lab's zone has escape sequences in its TXT records."""
    ended = deliverability(
        "check", "hostile.example", "--only", "dmarc", "-c", lab, cwd=tmp_path,
        env={"COLUMNS": "140"},
    )  # fmt: skip
    assert r"\x1b]0;title" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_what_does_not_answer_in_time_is_unknown(lab: Path, tmp_path: Path) -> None:
    """A host that says a word now and then holds nobody up; what did answer is still told."""
    began = time.monotonic()
    ended = deliverability(
        "check", "hostile.example", "--only", "smtp", "--only", "mx",
        "--timeout", "4s", "-c", lab, "--json", cwd=tmp_path,
    )  # fmt: skip
    assert time.monotonic() - began < 5
    results = {r["target"]: r for r in json.loads(ended.stdout)["results"]}
    tarpit = results["tarpit.hosts.example:25"]
    assert (ended.returncode, tarpit["status"]) == (3, "unknown")
    assert "no answer within the" in tarpit["reason"]
    assert results["hostile.example"]["status"] != "unknown"


def test_without_a_resolver_it_is_us(tmp_path: Path) -> None:
    """Every look is unknown, hosts that could not be found included, and the reason is told once, first."""
    (tmp_path / "deliverability.yaml").write_text(
        "domains: [{name: shop.example}]\n"
        "resolver: {nameservers: ['127.0.0.1:1'], timeout: 500ms}\n"
    )
    ended = deliverability("check", "shop.example", cwd=tmp_path, env={"COLUMNS": "200"})
    assert ended.returncode == 3
    first, *rest = ended.stdout.strip().splitlines()
    assert first.startswith("The trouble is here, not at shop.example: ")
    assert "127.0.0.1:1" in first
    assert any("mail hosts of shop.example" in line for line in rest)
    assert "? unknown  shop.example: not everything could be looked at" in ended.stdout


def test_a_resolver_that_finds_nobody_says_nothing_of_a_domain(lab: Path, tmp_path: Path) -> None:
    """A resolver without a way out, or a filter, answers NXDOMAIN to everything: no record is missing for that."""
    nameserver = yaml.safe_load(lab.read_text())["resolver"]["nameservers"][0]
    (tmp_path / "deliverability.yaml").write_text(
        f"domains: [{{name: nowhere.example}}]\nresolver: {{nameservers: ['{nameserver}']}}\n"
    )
    ended = deliverability("check", "nowhere.example", "--json", cwd=tmp_path)
    results = json.loads(ended.stdout)["results"]
    assert (ended.returncode, {r["status"] for r in results}) == (3, {"unknown"})
    assert "mail hosts of nowhere.example" in {r["target"] for r in results}
    assert [r["findings"] for r in results if r["findings"]] == []


def test_ctrl_c_ends_it_quietly(lab: Path, tmp_path: Path) -> None:
    """Exit 130, no traceback, no half a table."""
    command = ("check", "tarpit.hosts.example:25", "--config", lab, "--json")
    with started(*command, cwd=tmp_path) as process:
        until("it talks to the tarpit", lambda: connected(process.pid))
        process.send_signal(signal.SIGINT)
        code = process.wait(10)
    assert (code, (tmp_path / "log").read_text().strip()) == (130, "")


def connected(pid: int) -> bool:
    """Whether the process has a TCP connection."""
    try:
        links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        table = Path(f"/proc/{pid}/net/tcp").read_text()
    except OSError:  # one was closed meanwhile
        return False
    rows = [line.split() for line in table.splitlines()[1:]]
    return any(f"socket:[{row[9]}]" in links for row in rows if row[3] == "01")
