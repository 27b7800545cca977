"""Checks come through the entry points; the schema says what the loader takes."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from monitor.check import Check, Settings
from monitor.config.errors import ConfigErrors
from monitor.config.installed import GROUP, BrokenCheckError, check_folder, installed_checks
from monitor.config.load import load
from monitor.config.schema import json_schema
from monitor.config.sections import Checks
from monitor.model import DomainTarget


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def importable() -> list[EntryPoint]:
    """The group's checks whose module is there."""
    return [p for p in entry_points(group=GROUP) if p.name in {"dmarc", "spf"}]


def test_checks_are_found_by_their_entry_points_and_their_folders_beside_them() -> None:
    checks = installed_checks(importable())
    assert list(checks) == ["dmarc", "spf"]
    assert (check_folder(checks["dmarc"]) / "alerts.yaml").is_file()
    assert check_folder(checks["spf"]).name == "spf"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([point("gone", "no_such_module:Check")], "check gone of .* cannot be imported"),
        ([point("gone", "checks.dmarc.check:Gone")], "check gone of .* cannot be imported"),
        ([point("json", "json:JSONDecoder")], "is no class with an `about`"),
        ([point("other", "checks.dmarc.check:DmarcCheck")], "calls itself dmarc"),
        (
            [
                point("dmarc", "checks.dmarc.check:DmarcCheck"),
                point("dmarc", "json:JSONDecoder"),
            ],
            "is no class",
        ),
    ],
)
def test_a_broken_check_is_named(found: list[EntryPoint], message: str) -> None:
    with pytest.raises(BrokenCheckError, match=message):
        installed_checks(found)


def test_an_accepted_record_of_no_declared_domain_is_a_mistake(tmp_path: Path) -> None:
    """It would count for nothing, and nobody would know."""
    file = tmp_path / "c.yaml"
    file.write_text(
        "domains: [{name: example.com}]\n"
        "checks: {dmarc: {baselines: {example.com: v=DMARC1; p=reject, exampel.com: v=DMARC1}}}\n"
    )
    with pytest.raises(ConfigErrors) as raised:
        load(file, {}, installed_checks(importable()))
    (problem,) = str(raised.value).splitlines()
    assert "c.yaml:2: checks.dmarc.baselines.exampel.com: domain `exampel.com`" in problem
    assert problem.endswith("(did you mean 'example.com'?)")


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("ns: {rdap_bootstrap: 'https:///dns.json'}", "ns.rdap_bootstrap: must match `^https://"),
        ("ns: {rdap_interval: 0s}", "ns.rdap_interval: must be greater than 0"),
        ("dkim: {key_max_age: 0s}", "dkim.key_max_age: must be greater than 0"),
        (
            "mx: {reachable_networks: [10.0.0.0/8, 10.0.0.1/8]}",
            "mx.reachable_networks[1]: `10.0.0.1/8` is no range of addresses",
        ),
        (
            "bulk_sender: {providers: [gmail, proofpoint]}",
            "bulk_sender.providers: no requirements of proofpoint are known, only of gmail",
        ),
        ("bulk_sender: {providers: []}", "bulk_sender.providers: must not be empty"),
        ("smtp_audit: {relay_sender: nobody}", "smtp_audit.relay_sender: must match `^[A-Za-z0-9"),
    ],
)
def test_a_wrong_setting_of_a_check_is_one_line_in_words(
    section: str, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"domains: [{{name: example.com}}]\nchecks: {{{section}}}\n")
    with pytest.raises(ConfigErrors) as raised:
        load(file, {}, installed_checks())
    (line,) = str(raised.value).splitlines()
    assert f"c.yaml:2: checks.{problem}" in line


def test_a_broken_check_names_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    (dmarc,) = (p for p in importable() if p.name == "dmarc")
    assert dmarc.dist
    broken = EntryPoint("gone", "no_such_module:Check", GROUP)._for(dmarc.dist)
    with pytest.raises(BrokenCheckError, match="gone of deliverability-monitor"):
        installed_checks([broken])


def test_the_schema_describes_every_key(checks: Checks) -> None:
    schema = json_schema(checks)
    definitions = schema["$defs"]
    assert schema["required"] == ["domains"]
    assert schema["additionalProperties"] is False
    assert set(definitions["ChecksConfig"]["properties"]) == set(checks)
    zones = definitions["zones"]["properties"]
    assert {"enabled", "interval", "severities", "targets", "zones", "keys"} == set(zones) & {
        "enabled",
        "interval",
        "severities",
        "targets",
        "zones",
        "keys",
    }
    assert definitions["DomainConfig"]["required"] == ["name"]
    assert set(definitions["SenderConfig"]["required"]) == {"name", "domains"}
    assert "DKIM" in definitions["DomainConfig"]["properties"]["dkim_selectors"]["description"]
    assert definitions["ResolverConfig"]["properties"]["timeout"]["type"] == "string"
    assert definitions["HookConfig"]["properties"]["secret"]["anyOf"][0]["type"] == "string"


class NeedsAKey(Settings):
    key: str


class HasAnInterval(Settings):
    interval: int = 1


@pytest.mark.parametrize("wrong", [NeedsAKey, HasAnInterval])
def test_settings_have_defaults_and_no_key_that_every_check_has(
    wrong: type[Settings], make_check: Callable[..., type[Check[Any]]]
) -> None:
    with pytest.raises(TypeError, match="check wrong: "):
        json_schema({"wrong": make_check("wrong", DomainTarget, wrong)})
