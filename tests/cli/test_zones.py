"""`zones`: the zones that are known, all of one, and what comes of asking them now."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.check import ZoneState, ZoneTrial
from monitor.cli.zone_report import Trials
from monitor.cli.zone_table import print_trials
from monitor.web.api import openapi
from tests.cli.commands import deliverability

USABLE = ("zen.lab.example", "dbl.lab.example")
OF_THE_LAB = {
    "zen.lab.example": "usable",
    "dbl.lab.example": "usable",
    "refusing.lab.example": "refused",
    "dead.lab.example": "lists_everyone",
    "silent.lab.example": "silent",
    "parking.lab.example": "dead",
}
SECRET = "k3ynobodymaysee"
KEYED = ("zen.dq.spamhaus.net", "dbl.dq.spamhaus.net")


@pytest.fixture
def nobody() -> Iterator[dict[str, str]]:
    """An environment whose resolver is a port of loopback where nobody answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        yield {
            "DELIVERABILITY_RESOLVER__NAMESERVERS": json.dumps([address]),
            "DELIVERABILITY_RESOLVER__TIMEOUT": "300ms",
        }


def test_the_list_needs_no_configuration_and_asks_nobody(tmp_path: Path) -> None:
    ended = deliverability("zones", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    groups = ["Asked now", "To choose", "Want a key"]
    places = [ended.stdout.index(group) for group in groups]
    assert places == sorted(places)
    assert ended.stdout.index("zen.spamhaus.org") < places[1]
    assert ended.stdout.index("zen.dq.spamhaus.net") > places[2]


def test_all_of_one_zone(tmp_path: Path) -> None:
    """In any case, with or without the dot at the end."""
    ended = deliverability("zones", "ZEN.Spamhaus.org.", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for said in ("127.0.0.3", "127.255.255.0/24", "::ffff:7f00:2", "https://check.spamhaus.org"):
        assert said in ended.stdout


def test_json_is_what_the_api_tells_but_for_the_proof(tmp_path: Path) -> None:
    document = json.loads(deliverability("zones", "--json", cwd=tmp_path).stdout)
    schemas = openapi()["components"]["schemas"]
    of_the_proof = {"state", "reason", "since", "last_run"}
    for zone in document["zones"]:
        assert set(zone) == set(schemas["Zone"]["required"]) - of_the_proof
        assert zone["severity"] in schemas["Gravity"]["enum"]
    for zone in document["dead"]:
        assert set(zone) == set(schemas["DeadZone"]["required"])
    assert len({zone["zone"] for zone in document["zones"]}) == len(document["zones"])


def test_a_name_that_nobody_knows_is_told_with_the_nearest(tmp_path: Path) -> None:
    ended = deliverability("zones", "zen.spamhaus.or", "zen.spamhaus.org", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        "no zone 'zen.spamhaus.or' is known (did you mean 'zen.spamhaus.org'?)\n"
    )


def test_a_dead_zone_is_told_and_never_asked(nobody: dict[str, str], tmp_path: Path) -> None:
    """Also one of those that died with all under a name."""
    shown = deliverability("zones", "spam.dnsbl.sorbs.net", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for said in ("spam.dnsbl.sorbs.net", "dead", "2024-06-05"):
        assert said in shown.stdout
    arguments = ("zones", "--test", "--json", "bl.spamcannibal.org")
    ended = deliverability(*arguments, cwd=tmp_path, env=nobody)
    assert ended.returncode == 1, ended.stderr
    [tried] = json.loads(ended.stdout)["zones"]
    assert (tried["state"], tried["milliseconds"]) == ("dead", 0)
    assert tried["reason"].startswith("dead since ")


def test_the_zones_of_the_lab_are_told_apart(lab: Path, tmp_path: Path) -> None:
    """By what they really do on the wire."""
    ended = deliverability("zones", "--test", "--json", *OF_THE_LAB, "-c", lab, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    found = json.loads(ended.stdout)
    assert found["own_trouble"] == ""
    assert {one["zone"]: one["state"] for one in found["zones"]} == OF_THE_LAB
    reasons = {one["zone"]: one["reason"] for one in found["zones"]}
    assert [zone for zone, reason in reasons.items() if not reason] == list(USABLE)
    assert "127.255.255.254" in reasons["refusing.lab.example"]
    assert all(one["milliseconds"] > 0 for one in found["zones"])
    assert found["seconds"] < 15


def test_without_names_those_that_are_asked_are_tried(lab: Path, tmp_path: Path) -> None:
    ended = deliverability("zones", "--test", "--config", lab, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    states = {
        line.split()[2]: line.split()[1] for line in ended.stdout.splitlines() if ".lab." in line
    }
    assert states == {
        "zen.lab.example": "usable",
        "dbl.lab.example": "usable",
        "traps.lab.example": "usable",
        "refusing.lab.example": "refused",
    }
    assert "3 usable, 1 refused of 4 zones" in ended.stdout


def test_all_usable_exits_0(lab: Path, tmp_path: Path) -> None:
    ended = deliverability("zones", "--test", *USABLE, "--config", lab, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_is_not_done_in_time_is_unknown(lab: Path, tmp_path: Path) -> None:
    arguments = ("--test", "--timeout", "200ms", "silent.lab.example", "--config", lab)
    ended = deliverability("zones", *arguments, cwd=tmp_path)
    assert ended.returncode == 3
    assert "not done within 0.2 s" in ended.stdout


def test_our_own_trouble_is_told_first_and_no_key_is(
    nobody: dict[str, str], tmp_path: Path
) -> None:
    """While our resolver is down nothing is said against a zone; a key is part of the name that is asked."""
    env = {
        **nobody,
        "DELIVERABILITY_CHECKS__BLOCKLIST__KEYS": json.dumps({"spamhaus_dqs": SECRET}),
    }
    tried = deliverability("zones", "--test", *KEYED, "--debug", cwd=tmp_path, env=env)
    assert tried.returncode == 3, tried.stderr
    assert tried.stdout.index("The trouble is here") < tried.stdout.index(KEYED[0])
    listed = deliverability("zones", "--json", cwd=tmp_path, env=env)
    zones = {zone["zone"]: zone for zone in json.loads(listed.stdout)["zones"]}
    assert [zones[name]["standing"] for name in KEYED] == ["asked", "asked"]
    assert SECRET not in tried.stdout + tried.stderr + listed.stdout + listed.stderr


def test_a_zone_that_refuses_its_key_does_not_show_it(lab: Path, tmp_path: Path) -> None:
    """The lab knows no such zone: its answer, with the name that was asked, is told."""
    env = {"DELIVERABILITY_CHECKS__BLOCKLIST__KEYS": json.dumps({"spamhaus_dqs": SECRET})}
    arguments = ("zones", "--test", "--json", KEYED[0], "--config", lab)
    ended = deliverability(*arguments, cwd=tmp_path, env=env)
    assert ended.returncode == 1, ended.stderr
    assert json.loads(ended.stdout)["zones"][0]["reason"]
    assert SECRET not in ended.stdout + ended.stderr


def test_a_zone_without_its_key_cannot_be_tried(lab: Path, tmp_path: Path) -> None:
    arguments = ("--test", "--json", "zen.dq.spamhaus.net", "--config", lab)
    ended = deliverability("zones", *arguments, cwd=tmp_path)
    assert ended.returncode == 3
    [tried] = json.loads(ended.stdout)["zones"]
    assert tried["state"] == "unknown"
    assert "checks.blocklist.keys.spamhaus_dqs" in tried["reason"]


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ("usable usable", 0),
        ("usable refused", 1),
        ("silent silent", 1),
        ("usable unknown", 1),
        ("unknown unknown", 3),
        ("", 3),
    ],
)
def test_exit_codes(states: str, code: int) -> None:
    """As monitoring plugins have them."""
    results = [("blocklist", ZoneTrial("z.example", ZoneState(one))) for one in states.split()]
    assert Trials(tuple(results)).exit_code == code


@pytest.mark.parametrize("width", [60, 80, 120])
def test_names_and_codes_are_whole_at_every_width(width: int, tmp_path: Path) -> None:
    """A name in two pieces can be searched for no more, nor a code that ends in dots."""
    env = {"COLUMNS": str(width)}
    listed = deliverability("zones", cwd=tmp_path, env=env).stdout.splitlines()
    shown = deliverability("zones", "zen.spamhaus.org", cwd=tmp_path, env=env).stdout.splitlines()
    assert max(map(len, [*listed, *shown])) <= width
    names = {line.split()[0] for line in listed if line.split()}
    assert {"backscatter.spameatingmonkey.net", "zen.dq.spamhaus.net"} <= names
    words = {word for line in shown for word in line.split()}
    assert {"127.0.0.4/30", "127.0.0.11", "pbl_spamhaus"} <= words


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_public_resolver_is_told_before_the_zones(width: int) -> None:
    trial = ZoneTrial("zen.example.org", ZoneState.REFUSED, "it refuses \x1b[31m", 0.0123)
    trials = Trials((("blocklist", trial),), ("8.8.8.8",), ("8.8.8.8 (Google Public DNS)",))
    stream = io.StringIO()
    print_trials(trials, stream, {"COLUMNS": str(width)})
    shown = " ".join(stream.getvalue().split())
    assert shown.index("Google Public DNS") < shown.index("zen.example.org")
    assert "\x1b" not in shown
    assert "refused" in shown


@pytest.mark.parametrize(
    "arguments", [("--all",), ("--test", "--all", "bl.spamcop.net"), ("--timeout", "0s")]
)
def test_options_that_mean_nothing_together_are_told(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    ended = deliverability("zones", *arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
