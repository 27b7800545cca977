"""`plan`: what would be asked of whom."""

import io
import json
import os
from pathlib import Path

import pytest
import yaml

from monitor.app.assembly import assemble
from monitor.check import Limits
from monitor.cli.plan_table import print_plan
from monitor.cli.planning import PartyPlan, Plan, Verdict, plan_of, verdict
from monitor.config.installed import installed_checks
from monitor.config.load import load
from tests.cli.commands import deliverability

IP4 = "ip4: {listed: 127.0.0.2, clean: 127.0.0.1}"
MEANS = "codes: {127.0.0.2: {meaning: listed, severity: info}}"
TEXT = f"""\
domains: [{{name: shop.example}}, {{name: news.example}}]
resolver: {{nameservers: ["127.0.0.1:9"], timeout: 100ms}}
senders:
  - {{name: mta, domains: [shop.example], addresses: [192.0.2.10, 192.0.2.11]}}
checks:
  dmarc: {{interval: 1h}}
  blocklist:
    interval: 30m
    zones: [few.example, hasty.example, many.example]
    catalogue:
      - {{zone: few.example, kinds: [ip4], queries_a_day: 95, test: {{{IP4}}}, {MEANS}}}
      - {{zone: many.example, kinds: [ip4, domain], test: {{{IP4}, domain: null}}, {MEANS}, terms: Free for all.}}
      - {{zone: hasty.example, kinds: [domain], queries_a_second: 0.1, test: {{domain: null}}, {MEANS}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    return path


def test_looks_and_questions_add_up(config: Path) -> None:
    """Targets times looks a day; each zone gets what it lists, and proofs, against its own limits."""
    plan = plan_of(assemble(load(config, {}, installed_checks()), {}))
    checks = {check.check: check for check in plan.checks}
    assert checks["dmarc"].looks_a_day == 2 * 24
    assert checks["blocklist"].targets == {"address": 2, "domain": 2, "monitor": 1}
    assert checks["blocklist"].looks_a_day == 5 * 48
    parties = {party.party: party for party in plan.parties}
    few, many, hasty = (parties[f"{name}.example"] for name in ("few", "many", "hasty"))
    assert (few.looks_a_day, few.limits, few.verdict) == (2 * 48, Limits(95), Verdict.OVER)
    assert (many.looks_a_day, many.limits) == (4 * 48, Limits())
    assert (many.verdict, many.fits, many.terms) == (Verdict.UNLIMITED, None, "Free for all.")
    assert (hasty.looks_a_day, hasty.verdict) == (2 * 48, Verdict.WITHIN)
    assert many.proofs_a_day > few.proofs_a_day > 0
    assert few.questions_a_day == 96 + few.proofs_a_day


def test_the_interval_that_fits_leaves_room_for_everything(config: Path) -> None:
    """At every shorter usual one something would be put off, and nothing at that one."""
    plan = plan_of(assemble(load(config, {}, installed_checks()), {}))
    few = next(party for party in plan.parties if party.party == "few.example")
    assert few.fits == 3600.0
    for interval, expected in (("30m", Verdict.OVER), ("1h", Verdict.WITHIN)):
        config.write_text(TEXT.replace("interval: 30m", f"interval: {interval}"))
        plan = plan_of(assemble(load(config, {}, installed_checks()), {}))
        few = next(party for party in plan.parties if party.party == "few.example")
        assert few.verdict is expected


@pytest.mark.parametrize(
    ("limits", "questions", "peak", "expected"),
    [
        (Limits(), 10**9, 10**6, Verdict.UNLIMITED),
        (Limits(1000), 800, 1, Verdict.WITHIN),
        (Limits(1000), 801, 1, Verdict.TIGHT),
        (Limits(1000), 1001, 1, Verdict.OVER),
        (Limits(None, 1.0), 60_000, 5, Verdict.WITHIN),
        (Limits(None, 1.0), 60_000, 6, Verdict.OVER),
        (Limits(None, 1.0), 86_401, 5, Verdict.OVER),
        (Limits(None, 0.001), 60, 1, Verdict.WITHIN),
    ],
)
def test_what_limits_leave_room_for(
    limits: Limits, questions: int, peak: int, expected: Verdict
) -> None:
    assert verdict(limits, questions, peak) is expected


@pytest.mark.parametrize("width", [40, 80, 100, 120])
def test_the_table_tells_all_at_every_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    over = PartyPlan(
        check="blocklist",
        party="bl.spameatingmonkey.net",
        looks_a_day=432_000,
        proofs_a_day=18,
        limits=Limits(100_000, 5.0),
        peak_a_second=13,
        verdict=Verdict.OVER,
        fits=10_800.0,
        terms="Free below 100,000 queries a day.",
    )
    stream = io.StringIO()
    print_plan(Plan((), (over,)), stream, os.environ)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    for word in ("bl.spameatingmonkey.net", "100,000", "5", "! over", "every 3h", "Free below"):
        assert word in told
    assert "looks are put off all the time" in told
    assert "…" not in told


def test_for_programs_it_is_json(config: Path) -> None:
    ended = deliverability("plan", "--config", config, "--json", cwd=config.parent)
    assert ended.returncode == 0, ended.stderr
    few = next(p for p in json.loads(ended.stdout)["parties"] if p["party"] == "few.example")
    assert (few["limits"], few["verdict"]) == ({"a_day": 95, "a_second": None}, "over")
    assert few["fits"] == 3600.0


@pytest.mark.parametrize("canary", ["canary-1.example", "nobody.invalid"])
def test_a_resolver_that_finds_nobody_is_not_believed(
    lab: Path, tmp_path: Path, canary: str
) -> None:
    """A domain without mail hosts is counted so only where the resolver finds what surely exists."""
    nameserver = yaml.safe_load(lab.read_text())["resolver"]["nameservers"][0]
    (tmp_path / "deliverability.yaml").write_text(
        "domains: [{name: nowhere.example}]\n"
        f"resolver: {{nameservers: ['{nameserver}'], canaries: [{canary}]}}\n"
    )
    ended = deliverability("plan", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = " ".join(ended.stdout.split())
    believed = canary == "canary-1.example"
    assert ("Not counted: hosts of nowhere.example: our resolver" in told) is not believed


def test_the_table_counts_what_the_dns_tells(lab: Path, tmp_path: Path) -> None:
    """Mail hosts are found by a question, and nothing is looked at."""
    ended = deliverability("plan", "--config", lab, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    rows = {line.split()[0]: line for line in ended.stdout.splitlines() if line.split()}
    assert "7 hosts" in rows["smtp"]
    assert "3 hosts" in rows["smtp_audit"], "those under mail_hosts"
    assert list(tmp_path.iterdir()) == []
