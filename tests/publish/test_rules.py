"""Every alert fires when it must and only then, and no rule gets in that is not complete."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.installed import installed_checks
from monitor.model import AddressTarget, MonitorTarget, SenderTarget, Severity
from monitor.publish import folder
from monitor.publish.folder import FolderError
from monitor.publish.promql import Matcher, Selector, selectors
from monitor.publish.rules import render_rules, valid_groups
from tests.publish.promtool_runs import needs_promtool, promtool, run_unit_tests

CHECKS = installed_checks()
RENDERED = Path(__file__).parents[2] / "deploy/prometheus/deliverability.rules.yaml"


@needs_promtool
@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_alerts_of_a_check_fire_as_its_unit_tests_say(name: str, tmp_path: Path) -> None:
    group = valid_groups({name: CHECKS[name]})[name]
    tests = folder.text(CHECKS[name], "alerts_test.yaml")
    ran = run_unit_tests([group], tests, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_alert_has_a_test_that_fires_it_and_one_that_does_not(name: str) -> None:
    tests = yaml.safe_load(folder.text(CHECKS[name], "alerts_test.yaml"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    alerts = {rule["alert"] for rule in valid_groups({name: CHECKS[name]})[name]["rules"]}
    assert alerts - fires == set()
    assert alerts - silent - {"DeliverabilityWatchdog"} == set()


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_critical_finding_pages_and_a_warning_is_a_ticket(name: str) -> None:
    about = CHECKS[name].about
    wanted = {Severity.CRITICAL: "page", Severity.WARNING: "ticket"}
    deaf = [
        code.name
        for code in about.codes
        if code.severity in wanted
        and wanted[code.severity] not in _heard_as(name, code.name, code.severity)
    ]
    assert deaf == []


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_whatever_severity_the_configuration_gives_a_code_somebody_hears_of_it(name: str) -> None:
    deaf = [
        (code.name, severity)
        for code in CHECKS[name].about.codes
        for severity in ("critical", "warning")
        if not _heard_as(name, code.name, severity)
    ]
    assert deaf == []


def _heard_as(name: str, code: str, severity: str) -> set[str]:
    """The severities of the alerts that an open finding fires."""
    rules = valid_groups({name: CHECKS[name]})[name]["rules"]
    return {rule["labels"]["severity"] for rule in rules if _hears(rule, name, code, severity)}


def _hears(rule: dict[str, Any], check: str, code: str, severity: str) -> bool:
    labels = {"check": check, "code": f"{check}.{code}", "severity": severity}
    return any(
        all(m.accepts(labels.get(m.label, "")) for m in selector.matchers if m.label in labels)
        for selector in selectors(rule["expr"])
        if selector.metric == "deliverability_findings"
    )


def test_the_committed_rule_file_is_what_the_folders_say() -> None:
    assert RENDERED.read_text("utf-8") == render_rules(CHECKS), "run `deliverability rules`"


@needs_promtool
def test_prometheus_accepts_the_committed_rule_file(tmp_path: Path) -> None:
    checked = promtool("check", "rules", "--lint-fatal", str(RENDERED), folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- what a folder must have, on a check of our own making ----------------------------------------

RUNBOOK = "# x\n\n## DeliverabilityDoorOpen\n\nClose it.\n\n## door.open\n\nClose it.\n"

ALERT = """
groups:
  - name: deliverability-door
    rules:
      - alert: DeliverabilityDoorOpen
        expr: deliverability_findings{check="door", code="door.open"} > 0
        keep_firing_for: 5m
        labels: {severity: page}
        annotations: {summary: A door is open, description: "{{ $value }} doors are open."}
"""


CHECK = """
from monitor.check import About, Code, Gauge
from monitor.model import DomainTarget, Severity


class DoorCheck:
    about = About(
        name="door",
        title="Doors",
        targets=DomainTarget,
        interval=60,
        codes=(Code("open", Severity.CRITICAL, "a door is open"),),
        gauges=(Gauge("doors", "Doors.", labels=("domain", "colour")),),
    )
"""


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Any]]:
    """A check in a folder of its own, complete; tests damage its files."""
    package = tmp_path / "door"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "check.py").write_text(CHECK)
    (package / "alerts.yaml").write_text(ALERT)
    (package / "runbook.md").write_text(RUNBOOK)
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("door.check").DoorCheck
    for module in ("door", "door.check"):
        del sys.modules[module]


def test_rendering_adds_runbook_dashboard_and_the_need_of_dns(door: type[Any]) -> None:
    text = render_rules({"door": door}, runbook_base="https://r", dashboard_base="https://d")
    [rule] = yaml.safe_load(text)["groups"][0]["rules"]
    assert rule["annotations"]["runbook_url"] == "https://r/door.md#deliverabilitydooropen"
    assert rule["labels"] == {"needs": "dns", "severity": "page"}
    assert text.startswith("# Rendered by ")


@needs_promtool
def test_since_when_and_the_dashboard_of_the_domain_where_there_is_one(
    door: type[Any], tmp_path: Path
) -> None:
    text = render_rules({"door": door}, runbook_base="https://r", dashboard_base="https://d")
    labels = {"check": "door", "code": "door.open", "severity": "page", "needs": "dns"}
    annotations = {
        "summary": "A door is open",
        "description": "1 doors are open. Open since 1970-01-01 00:01:00 +0000 UTC.",
        "runbook_url": "https://r/door.md#deliverabilitydooropen",
    }
    series = 'deliverability_findings{check="door", code="door.open"%s}'
    since = 'deliverability_finding_since_timestamp_seconds{check="door", code="door.open"%s}'
    board = "https://d/deliverability-"
    tests = {
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series % extra, "values": "1"},
                    {"series": since % extra, "values": "60"},
                ],
                "alert_rule_test": [
                    {
                        "alertname": "DeliverabilityDoorOpen",
                        "eval_time": "0m",
                        "exp_alerts": [
                            {
                                "exp_labels": {**labels, **domain},
                                "exp_annotations": {**annotations, "dashboard_url": board + url},
                            }
                        ],
                    }
                ],
            }
            for extra, domain, url in (
                (', domain="a.example"', {"domain": "a.example"}, "domain?var-domain=a.example"),
                ("", {}, "organisation"),
            )
        ]
    }
    ran = run_unit_tests(yaml.safe_load(text)["groups"], yaml.safe_dump(tests), tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("targets", "needs_dns"),
    [(MonitorTarget, False), (SenderTarget, False), ((AddressTarget, SenderTarget), True)],
)
def test_a_check_that_needs_no_dns_is_not_said_to_need_it(
    door: type[Any], monkeypatch: pytest.MonkeyPatch, targets: Any, needs_dns: bool
) -> None:
    monkeypatch.setattr(door, "about", replace(door.about, targets=targets))
    [rule] = yaml.safe_load(render_rules({"door": door}))["groups"][0]["rules"]
    assert ("needs" in rule["labels"]) is needs_dns


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("- alert: Deliv", "- alert: Deleverab", "must start with Deliverability"),
        ("severity: page", "severity: urgent", "severity must be page or ticket, not urgent"),
        ("severity: page", "severity: watchdog", "severity must be page or ticket"),
        ("summary: A door is open, ", "", "the annotation summary is missing"),
        ("        keep_firing_for: 5m\n", "", "a page needs keep_firing_for"),
        ("deliverability_findings{", "deliverabilty_findings{", "nothing declares the metric"),
        ("deliverability_findings{", "deliverability_doors{", "has no label check"),
        ('code="door.open"', 'code="door.shut"', "no code of the check matches"),
        ("name: deliverability-door", "name: doors", "must have one group, deliverability-door"),
        ("groups:", "groups: [", "is no YAML"),
        ("alert: DeliverabilityDoorOpen", "alert: DeliverabilityAjar", "## DeliverabilityAjar"),
    ],
)
def test_an_incomplete_rule_is_named(
    door: type[Any], tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in ALERT
    (tmp_path / "door/alerts.yaml").write_text(ALERT.replace(old, new))
    with pytest.raises(FolderError, match=problem):
        render_rules({"door": door})


def test_a_code_without_runbook_and_a_missing_file_are_named(
    door: type[Any], tmp_path: Path
) -> None:
    (tmp_path / "door/runbook.md").write_text(RUNBOOK.replace("## door.open", "## door.opened"))
    with pytest.raises(FolderError, match=r"door: runbook.md has no section `## door.open`"):
        render_rules({"door": door})
    (tmp_path / "door/alerts.yaml").unlink()
    with pytest.raises(FolderError, match=r"door: alerts.yaml is missing"):
        render_rules({"door": door})


# --- what an expression names ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("up == 0 or absent(up)", ["up", "up"]),
        ("vector(1)", []),
        (
            "sum by (job, le) (rate(a_total[5m] offset 1h)) / on (x) group_left (y) b",
            ["a_total", "b"],
        ),
        ("time() - max without (instance)(c) > bool 1e3 and on() NaN unless Inf", ["c"]),
        ('d{e="f{g} and h", i!~"j|k"} # l\n> 5', ["d"]),
        ("rate(m[$__rate_interval]) > 0x1f", ["m"]),
    ],
)
def test_series_are_found_among_all_that_looks_like_them(expr: str, names: list[str]) -> None:
    assert [selector.metric for selector in selectors(expr)] == names


def test_matchers_are_read_as_prometheus_reads_them() -> None:
    [found] = selectors(r'a{b="x", c!="y", d=~"a\\.b|c", e!~"z.*"}')
    assert found == Selector(
        "a",
        (
            Matcher("b", "=", "x"),
            Matcher("c", "!=", "y"),
            Matcher("d", "=~", r"a\.b|c"),
            Matcher("e", "!~", "z.*"),
        ),
    )
    assert [m.accepts(v) for m, v in zip(found.matchers, ("x", "x", "c", "xz"), strict=True)] == [
        True
    ] * 4
    assert [m.accepts(v) for m, v in zip(found.matchers, ("", "y", "axb", "zz"), strict=True)] == [
        False
    ] * 4
