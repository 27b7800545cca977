"""The exposition: what is kept and nothing else, valid in both text formats."""

import subprocess
from dataclasses import replace
from shutil import which
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from monitor.check import About, Code, Gauge
from monitor.model import (
    AddressTarget,
    Domain,
    DomainTarget,
    Finding,
    Sample,
    Sender,
    Severity,
    Status,
)
from monitor.publish.exposition import Exposition
from monitor.publish.meters import Meters
from monitor.publish.series import series
from monitor.publish.standing import standing_series
from monitor.store.kept import Baseline, Kept, KeptFinding, KeptSubject

DMARC = About(
    name="dmarc",
    title="DMARC",
    targets=DomainTarget,
    interval=300,
    codes=(Code("policy_weakened", Severity.CRITICAL, "Weakened"),),
    gauges=(
        Gauge("dmarc_age", "Own."),
        Gauge("dmarc_policy", "Shared.", ("domain", "policy")),
        Gauge("dmarc_zones", "Adds up.", ("domain", "state"), total=True),
        Gauge("dmarc_queries_total", "Counts.", ("zone",), counter=True),
    ),
)
ADDRESSES = replace(DMARC, name="blocklist", targets=AddressTarget, gauges=())
WEAKENED = KeptFinding(
    Finding("policy_weakened", "weaker"), "dmarc.policy_weakened", "critical", 50
)
KEPT = Kept(
    check="dmarc",
    target="example.com",
    domain="example.com",
    status=Status.CRITICAL,
    status_since=50.0,
    looked_at=100.0,
    known_at=100.0,
    subjects={"record": KeptSubject("record", 90.0, (WEAKENED,), record="b")},
)


def exposed(*kept: Kept, baselines: tuple[Baseline, ...] = (), now: float = 120.0) -> dict:
    exposition = Exposition()
    exposition.configure([DMARC, ADDRESSES])
    for one in kept:
        exposition.update(one, baselines)
    return read(exposition, now=now)


def read(exposition: Exposition, *, now: float = 120.0) -> dict:
    text = exposition.render((), now=now, openmetrics=False)
    return {
        (sample.name.removeprefix("deliverability_"), *sample.labels.values()): sample.value
        for family in prometheus(text)
        for sample in family.samples
    }


def test_a_finding_with_its_age_and_its_beginning() -> None:
    found = exposed(KEPT)
    assert found["findings", "example.com", "dmarc", "dmarc.policy_weakened", "critical"] == 1
    assert found["finding_age_seconds", "example.com", "dmarc", "dmarc.policy_weakened"] == 30
    since = "finding_since_timestamp_seconds"
    assert found[since, "example.com", "dmarc", "dmarc.policy_weakened"] == 50


def test_one_status_of_four() -> None:
    found = exposed(KEPT)
    statuses = {key[-1]: value for key, value in found.items() if key[0] == "check_status"}
    assert statuses == {"ok": 0, "warning": 0, "critical": 1, "unknown": 0}


def test_never_known_is_absent() -> None:
    found = exposed(replace(KEPT, status=Status.UNKNOWN, known_at=None, subjects={}))
    assert not [key for key in found if key[0] == "check_last_known_timestamp_seconds"]


def test_an_address_that_is_ok_has_no_series_of_its_own() -> None:
    kept = replace(KEPT, check="blocklist", target="192.0.2.1", status=Status.OK, subjects={})
    assert exposed(kept) == {}
    assert exposed(replace(kept, status=Status.UNKNOWN)) != {}


def test_a_target_that_left_takes_its_series_with_it() -> None:
    exposition = Exposition()
    exposition.configure([DMARC])
    exposition.update(KEPT, ())
    exposition.remove("dmarc", "example.com")
    assert read(exposition) == {}


def test_an_update_replaces_what_the_target_said_before() -> None:
    exposition = Exposition()
    exposition.configure([DMARC])
    exposition.update(KEPT, ())
    exposition.update(replace(KEPT, status=Status.OK, subjects={}), ())
    assert not [key for key in read(exposition) if key[0] == "findings"]


def sampled(target: str, *samples: Sample) -> Kept:
    return replace(KEPT, target=target, subjects={}, samples=samples)


def test_samples_of_several_targets_add_up_where_the_gauge_says_so() -> None:
    clean = Sample("dmarc_zones", 3, {"state": "clean"})
    found = exposed(sampled("a.example.com", clean), sampled("b.example.com", clean))
    assert found["dmarc_zones", "example.com", "clean"] == 6


def test_findings_of_several_targets_of_a_domain_add_up() -> None:
    found = exposed(KEPT, replace(KEPT, target="other"))
    assert found["findings", "example.com", "dmarc", "dmarc.policy_weakened", "critical"] == 2


def test_a_series_that_several_targets_speak_for_says_what_the_last_one_said() -> None:
    found = exposed(
        sampled("a", Sample("dmarc_policy", 1, {"policy": "none"})),
        sampled("b", Sample("dmarc_policy", 0, {"policy": "none"})),
    )
    assert found["dmarc_policy", "example.com", "none"] == 0


def test_whose_look_is_newer_decides_not_the_order_in_which_a_restart_tells_them() -> None:
    older = sampled("z", Sample("dmarc_policy", 1, {"policy": "none"}))
    newer = replace(
        sampled("a", Sample("dmarc_policy", 0, {"policy": "none"})), looked_at=older.looked_at + 1
    )
    failed = replace(older, looked_at=older.looked_at + 2, failure="timeout")
    for kept in ((older, newer), (newer, older), (newer, failed)):
        assert exposed(*kept)["dmarc_policy", "example.com", "none"] == 0


def test_counters_add_up_and_are_not_shown_as_kept() -> None:
    exposition = Exposition()
    exposition.configure([DMARC])
    for _ in range(2):
        exposition.count("dmarc", [Sample("dmarc_queries_total", 5, {"zone": "zen"})])
    assert read(exposition) == {("dmarc_queries_total", "zen"): 10}


def test_a_check_that_left_takes_its_counters_with_it() -> None:
    exposition = Exposition()
    exposition.configure([DMARC])
    exposition.count("dmarc", [Sample("dmarc_queries_total", 5, {"zone": "zen"})])
    exposition.configure([ADDRESSES])
    assert read(exposition) == {}


def test_events_of_what_left_the_configuration_are_not_shown() -> None:
    config: Any = SimpleNamespace(
        domains=(Domain("example.com"),), senders=(Sender("shop", ("example.com",)),), checks={}
    )
    named = {
        (sender, "", domain, "gmail", "bounced"): 1
        for sender in ("shop", "gone")
        for domain in ("example.com", "other", "gone.example")
    }
    hooks: Any = SimpleNamespace(requests={}, last_event_at={})
    shown = standing_series(config=config, totals=named, hooks=hooks, store_up=True, kept=())
    events = [dict(s.labels) for s in shown if s.name == "deliverability_events_total"]
    assert [(e["sender"], e["domain"]) for e in events] == [
        ("shop", "example.com"),
        ("shop", "other"),
    ]


def test_drift_that_nobody_saw_for_too_long_goes_with_its_finding() -> None:
    weaker = Baseline("dmarc", "example.com", "record", "a", 1, "b", 60, "weakened", "why")
    dropped = KeptSubject("record", None, record="b", unknown_reason="timeout")
    found = exposed(replace(KEPT, subjects={"record": dropped}), baselines=(weaker,))
    assert not [key for key in found if key[0] == "record_drift"]


def test_drift_is_shown_until_it_is_accepted() -> None:
    weaker = Baseline("dmarc", "example.com", "record", "a", 1, "b", 60, "weakened", "why")
    found = exposed(KEPT, baselines=(weaker,))
    assert found["record_drift", "example.com", "dmarc", "weakened"] == 1
    assert found["record_last_change_timestamp_seconds", "example.com", "dmarc"] == 60
    found = exposed(KEPT, baselines=(replace(weaker, classification=""),))
    assert not [key for key in found if key[0] == "record_drift"]


def test_text_from_outside_never_reaches_the_exposition() -> None:
    hostile = replace(WEAKENED, finding=Finding("policy_weakened", 'x"} 1\n', evidence="\x1b[31m"))
    subject = KeptSubject('"}\n', 90.0, (hostile,), unknown_reason="\u202e")
    exposition = Exposition()
    exposition.configure([DMARC])
    exposition.update(replace(KEPT, subjects={'"}\n': subject}), ())
    text = exposition.render((), now=1, openmetrics=False)
    assert "x" not in {line[:1] for line in text.splitlines()}
    assert all(char == "\n" or char.isprintable() for char in text)


@given(value=st.text(), number=st.floats(allow_nan=False))
@settings(max_examples=200)
def test_any_label_value_is_read_back_as_it_was(value: str, number: float) -> None:
    exposition = Exposition()
    exposition.configure([DMARC])
    one = series("dmarc_policy", number, domain=value, policy="p")
    for text, parse in (
        (exposition.render([one], now=1, openmetrics=False), prometheus),
        (exposition.render([one], now=1, openmetrics=True) + "# EOF\n", openmetrics),
    ):
        (family,) = parse(text)
        assert [(s.labels["domain"], s.value) for s in family.samples] == [(value, number)]


def test_the_whole_is_valid_in_both_formats_and_promtool_is_silent() -> None:
    exposition, meters = Exposition(), Meters("1.0")
    exposition.configure([DMARC])
    exposition.update(KEPT, ())
    exposition.count("dmarc", [Sample("dmarc_queries_total", 5, {"zone": "zen"})])
    meters.started("dmarc", lateness=0.1)
    meters.run_finished("dmarc", 0.1)
    meters.run_counted("dmarc", Status.OK)
    meters.config_loaded(successful=True, at=1.0)
    events = [
        series("events_total", 3, sender="a", stream="", domain="b", provider="gmail", event="x")
    ]
    text = (
        exposition.render(events, now=1, openmetrics=False)
        + meters.render(openmetrics=False).decode()
    )
    assert list(prometheus(text))
    strict = (
        exposition.render(events, now=1, openmetrics=True)
        + meters.render(openmetrics=True).decode()
    )
    assert {"deliverability_events", "deliverability_check_runs"} <= {
        f.name for f in openmetrics(strict)
    }
    if which("promtool") is None:
        pytest.skip("promtool is not installed")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
