"""The catalogue of blocklists, and what the configuration may add to it."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from checks.blocklist.catalogue import Zone, built_in, chosen, dead, merged, obituary
from checks.blocklist.check import BlocklistCheck
from checks.blocklist.entries import OwnZoneEntry, ZoneEntry, ZonesFile
from checks.blocklist.reading import CatalogueError, read
from checks.blocklist.settings import BlocklistSettings
from monitor.config.errors import ConfigErrors
from monitor.config.installed import installed_checks
from monitor.config.load import load
from monitor.model import AddressTarget, Severity
from monitor.protocol import dnsbl
from monitor.protocol.dnsbl import Kind, Scope, State
from monitor.world.fake import FakeWorld

ZEN = "zen.spamhaus.org"
PBL = "127.0.0.10"


def zone(name: str) -> Zone:
    entry = built_in()[name]
    return next(iter(chosen(built_in(), [name], {entry.key: "key"} if entry.key else {})))


# --- which zones --------------------------------------------------------------------------------------


def names(**values: Any) -> list[str]:
    made = BlocklistSettings.model_validate(values)
    keys = dict.fromkeys(made.keys, "key")
    return [zone.name for zone in chosen(built_in(), made.zones, keys)]


def test_a_dozen_zones_need_neither_key_nor_registration_and_are_asked_by_default() -> None:
    usual = names()
    assert {ZEN, "dbl.spamhaus.org", "bl.spamcop.net", "multi.surbl.org"} <= set(usual)
    free = [name for name in usual if not (zone(name).needs_key or zone(name).registration)]
    assert len(free) == 12
    assert [name for name in usual if name not in free] == ["b.barracudacentral.org"]
    assert {kind for name in usual for kind in zone(name).kinds} == set(Kind)


def test_those_that_are_named_are_asked_instead() -> None:
    assert names(zones=["bl.blocklist.de", ZEN]) == ["bl.blocklist.de", ZEN]


def test_a_key_alone_puts_the_keyed_zones_in_place_of_the_public_ones() -> None:
    keyed = names(keys={"spamhaus_dqs": "k3y", "abusix": "k3y"})
    assert {"zen.dq.spamhaus.net", "dbl.dq.spamhaus.net", "combined.mail.abusix.zone"} <= set(keyed)
    assert not {ZEN, "dbl.spamhaus.org", "black.mail.abusix.zone"} & set(keyed)


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ([ZEN, "sbl.spamhaus.org", "pbl.spamhaus.org"], [ZEN]),
        (["sbl.spamhaus.org", "pbl.spamhaus.org"], ["sbl.spamhaus.org", "pbl.spamhaus.org"]),
        (["xbl.spamhaus.org", "zen.dq.spamhaus.net", ZEN], ["zen.dq.spamhaus.net"]),
        (
            ["fresh.spameatingmonkey.net", "fresh30.spameatingmonkey.net"],
            ["fresh30.spameatingmonkey.net"],
        ),
    ],
)
def test_a_zone_that_another_one_contains_is_not_asked_beside_it(
    named: list[str], asked: list[str]
) -> None:
    assert [z.name for z in chosen(built_in(), named, {"spamhaus_dqs": "key"})] == asked


def test_zones_that_page_weigh_more_than_all_others() -> None:
    zones = chosen(built_in(), None, {})
    assert {z.weight for z in zones if z.severity is Severity.CRITICAL} == {1.0}
    assert sum(z.weight for z in zones if z.severity is not Severity.CRITICAL) < 1.0


# --- what the catalogue says ----------------------------------------------------------------------------


def test_how_much_is_known() -> None:
    assert len(built_in()) >= 60
    assert len(dead()) >= 40
    for kind in Kind:
        assert len([entry for entry in built_in().values() if kind in entry.kinds]) >= 15


@pytest.mark.parametrize("name", built_in())
def test_an_entry_says_all_that_a_person_needs(name: str) -> None:
    entry = built_in()[name]
    assert entry.sources
    assert entry.operator
    assert entry.used_by.endswith(".")
    assert entry.terms.endswith(".")
    assert re.fullmatch(r"https://[a-z0-9.-]+/\S*", entry.delist)
    assert entry.scope or {Kind.IPV4, Kind.DOMAIN} <= set(entry.kinds)
    assert not obituary(name)
    for other in (*entry.contains, *filter(None, [entry.instead_of])):
        assert set(built_in()[other].kinds) <= set(entry.kinds)


@pytest.mark.parametrize("name", built_in())
def test_a_zone_never_calls_its_clean_entry_listed_and_pages_only_where_it_is_proved(
    name: str,
) -> None:
    made = zone(name)
    assert made.name == name
    for kind in made.kinds:
        proof = made.proofs[kind]
        if proof is not None:
            assert dnsbl.kind_of(proof.listed) is dnsbl.kind_of(proof.clean) is kind
        elif kind is not Kind.IPV6:
            assert made.severity is not Severity.CRITICAL


# What a zone answers about the entry that it lists, where that is not 127.0.0.2 (RFC 5782 §5).
TEST_ANSWERS = {
    "xbl.spamhaus.org": ["127.0.0.4"],
    "pbl.spamhaus.org": ["127.0.0.10"],
    "dbl.spamhaus.org": ["127.0.1.2"],
    "dbl.dq.spamhaus.net": ["127.0.1.2"],
    "authbl.dq.spamhaus.net": ["127.0.0.20"],
    "swl.spamhaus.org": ["127.0.2.2"],
    "exploit.mail.abusix.zone": ["127.0.0.4"],
    "dynamic.mail.abusix.zone": ["127.0.0.11", "127.0.0.12"],
    "dblack.mail.abusix.zone": ["127.0.1.1"],
    "nod.mail.abusix.zone": ["127.0.1.2"],
    "white.mail.abusix.zone": ["127.0.2.1"],
    "rep.mailspike.net": ["127.0.0.10"],
    "bl.blocklist.de": ["127.0.0.15"],
    "pbl.abuse.ro": ["127.0.0.9"],
    "bl.suomispam.net": ["127.0.0.99"],
    "gl.suomispam.net": ["127.0.0.99"],
    "rhsbl.scientificspam.net": ["127.0.1.2"],
    "multi.surbl.org": ["127.0.0.254"],
    "multi.uribl.com": ["127.0.0.14"],
    "list.dnswl.org": ["127.0.10.0"],
}


@pytest.mark.parametrize("name", built_in())
def test_what_it_answers_about_its_test_entry_is_a_listing(name: str) -> None:
    """Else a living zone would be taken for a dead one."""
    made = zone(name)
    if any(made.proofs.values()):
        assert dnsbl.read(TEST_ANSWERS.get(name, ["127.0.0.2"]), made.codes).state is State.LISTED


@pytest.mark.parametrize("name", built_in())
@pytest.mark.parametrize("answer", ["127.0.0.253", "127.77.0.2"])
def test_no_zone_believes_every_code(name: str, answer: str) -> None:
    codes = zone(name).codes
    if not (codes.bits and answer.startswith("127.0.0.")):
        assert dnsbl.read([answer], codes).state is State.UNNAMED


def test_a_policy_listing_matters_only_where_mail_leaves() -> None:
    (policy,) = dnsbl.read([PBL], zone(ZEN).codes).meanings
    assert policy.severity_of(sends=True) is Severity.WARNING
    assert policy.severity_of(sends=False) is None
    assert policy.scope is Scope.RANGE


def test_an_address_from_which_no_mail_leaves_never_pages() -> None:
    for name in built_in():
        made = zone(name)
        if Kind.IPV4 in made.kinds:
            said = (*made.codes.meanings.values(), *made.codes.bits.values())
            assert all(m.severity_of(sends=False) is not Severity.CRITICAL for m in said)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("list.dnswl.org", "127.0.5.2"),
        ("swl.spamhaus.org", "127.0.2.2"),
        ("score.senderscore.com", "127.0.4.97"),
        ("wl.mailspike.net", "127.0.0.18"),
    ],
)
def test_whitelists_and_scores_are_no_findings(name: str, answer: str) -> None:
    reading = dnsbl.read([answer], zone(name).codes)
    assert reading.state is State.LISTED
    assert [meaning.severity for meaning in reading.meanings] == [None]


# --- dead ones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dnsbl.sorbs.net", "has been dead since 2024-06-05: it is empty"),
        ("new.spam.dnsbl.sorbs.net", "has been dead since 2024-06-05"),
        ("SORBS.net", "has been dead since 2024-06-05"),
        ("bl.spamcannibal.org", "has been dead since 2019-05-30: it lists everybody"),
        ("db.wpbl.info", "has been dead since before 2025-07: it is switched off"),
    ],
)
def test_to_ask_a_dead_zone_is_an_error_that_says_since_when_and_what_it_does(
    name: str, says: str
) -> None:
    for values in ({"zones": [name]}, {"catalogue": [OWN | {"zone": name.lower()}]}):
        with pytest.raises(ValidationError, match=says):
            BlocklistSettings.model_validate(values)


@pytest.mark.parametrize("name", ["notsorbs.net", "sorbs.net.example", "dnsbl.example"])
def test_others_are_not_dead(name: str) -> None:
    assert not obituary(name)


# --- what may be wrong ----------------------------------------------------------------------------------

SAID = {"meaning": "spam", "severity": "page"}
OWN = {"zone": "a.example", "kinds": ["ip4"], "test": {"ip4": None}, "codes": {"127.0.0.2": SAID}}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"zones": ["zen.spamhaus.og"]}, r"not in the catalogue \(did you mean 'zen.spamhaus.org'"),
        ({"zones": ["zen.dq.spamhaus.net"]}, r"set keys\.spamhaus_dqs"),
        ({"zones": []}, "at least 1 item"),
        ({"zones": ["zen.spamhaus.org", "ZEN.spamhaus.org."]}, "`zen.spamhaus.org` is there twice"),
        ({"zones": ["BL.SpamCannibal.org."]}, "dead since"),
        ({"keys": {"spamhaus": "x"}}, "no zone has the key `spamhaus`"),
        ({"keys": {"abusix": "a b"}}, "the key abusix is no part of a domain name"),
        ({"catalogue": 2 * [OWN]}, "`a.example` is there twice"),
        ({"catalogue": [OWN | {"contains": ["b.example"]}]}, "`b.example` is not in the catalogue"),
    ],
)
def test_bad_settings_are_named(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        BlocklistSettings.model_validate(values)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kinds": ["ip5"]}, "'ip4', 'ip6' or 'domain'"),
        ({"kinds": []}, "at least 1 item"),
        ({"zone": "a b"}, "should match pattern"),
        ({"code": {}}, "not permitted"),
        ({"bits": {3: SAID}}, "1, 2, 4, 8"),
        ({"test": {}}, "`a.example` has no test entries for ip4"),
        ({"test": {"ip4": None, "ip6": None}}, "test entries for ip6, which it does not list"),
        ({"test": {"ip4": {"listed": "::2", "clean": "127.0.0.1"}}}, "`::2` is no ip4"),
        ({"test": {"ip4": {"listed": "127.0.0.2", "clean": "127.0.0.2"}}}, "listed and clean"),
        ({"codes": {}}, "no answer of it would mean anything"),
        ({"codes": {"127.0.0.2": SAID, "127.0.0.2/32": SAID}}, "code 127.0.0.2 is there twice"),
        (
            {"codes": {"127.0.0.2/31": SAID, "127.0.0.2": SAID}},
            "127.0.0.2 .* overlaps 127.0.0.2/31",
        ),
        ({"codes": {"127.0.0.1/24": SAID}}, "valid IPv4 network"),
        ({"codes": {"192.0.2.1": SAID}}, "192.0.2.1 is outside 127.0.0.0/8"),
        ({"codes": {"127.255.255.254": SAID}}, "is a refusal at every zone"),
        ({"refused": ["127.0.0.2"]}, "127.0.0.2 under `refused` overlaps 127.0.0.2 under `codes`"),
        ({"not_listed": ["127.0.0.0/30"]}, "127.0.0.0/30 under `not_listed` overlaps 127.0.0.2"),
        ({"refused": 2 * ["127.0.0.9"]}, "127.0.0.9 under `refused` overlaps"),
        ({"bits": {2: SAID}}, "127.0.0.2 is under `codes`, but the zone adds up bits"),
        ({"other": SAID}, "not permitted"),
        ({"codes": {"127.0.0.0/28": SAID}}, "127.0.0.0/28 has 127.0.0.1 in it"),
        ({"codes": {}, "bits": {1: SAID}, "refused_bits": 3}, "bit 1 is under `bits` and in"),
        ({"key": "mine"}, "`{key}.` in front"),
        ({"codes": {"127.0.0.2": SAID | {"severity": "info", "receiving": "page"}}}, "is graver"),
    ],
)
def test_a_zone_that_makes_no_sense_is_an_error_that_names_it(
    change: dict[str, Any], problem: str
) -> None:
    OwnZoneEntry.model_validate(OWN)
    with pytest.raises(ValidationError, match=problem):
        OwnZoneEntry.model_validate(OWN | change)


BROKEN = """\
checks:
  blocklist:
    zones:
      - zen.spamhaus.org
      - dnsbl.sorbs.net
    catalogue:
      - {zone: a.example, kinds: [ip4], test: {ip4: null}, bits: {2: {meaning: spam, severity: page}}}
      - zone: b.example
        kinds: [ip4]
        codes: {127.0.0.2: {meaning: spam, severity: page}}
      - zone: c.example
        kinds: [ip4]
        test: {ip4: null}
        codes:
          127.0.0.2: {meaning: spam, severity: page}
          127.0.0.3: {meaning: spam, severity: pages}
"""


def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("domains: [{name: a.example}]\n" + BROKEN)
    with pytest.raises(ConfigErrors) as raised:
        load(tmp_path / "c.yaml", {}, installed_checks())
    assert [(error.line, error.message[:40]) for error in raised.value.errors] == [
        (6, "zone `dnsbl.sorbs.net` has been dead sin"),
        (9, "zone `b.example` has no test entries for"),
        (17, "must be 'page', 'ticket', 'info' or 'nev"),
    ]


UNASKABLE = """\
domains: [{name: a.example}]
checks:
  blocklist:
    zones:
      - zen.spamhaus.org
      - zen.spamhaus.og
      - sorbs.net
      - zen.dq.spamhaus.net
"""


def test_each_zone_that_cannot_be_asked_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(UNASKABLE)
    with pytest.raises(ConfigErrors) as raised:
        load(tmp_path / "c.yaml", {}, installed_checks())
    assert [(error.line, error.key, error.message) for error in raised.value.errors] == [
        (
            6,
            "checks.blocklist.zones[1]",
            "zone `zen.spamhaus.og` is not in the catalogue (did you mean 'zen.spamhaus.org'?)",
        ),
        (7, "checks.blocklist.zones[2]", obituary("sorbs.net")),
        (
            8,
            "checks.blocklist.zones[3]",
            "zone `zen.dq.spamhaus.net` is asked with a key: set keys.spamhaus_dqs",
        ),
    ]


@pytest.mark.parametrize(
    ("zones", "says"),
    [("[]", ["must not be empty"]), ("[sorbs.net]", ["zone `sorbs.net` has been dead"])],
)
def test_a_list_of_zones_is_wrong_for_one_reason(
    tmp_path: Path, zones: str, says: list[str]
) -> None:
    text = f"domains: [{{name: a.example}}]\nchecks: {{blocklist: {{zones: {zones}}}}}\n"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigErrors) as raised:
        load(tmp_path / "c.yaml", {}, installed_checks())
    told = [error.message for error in raised.value.errors]
    assert [text[: len(start)] for text, start in zip(told, says, strict=True)] == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zones:\n  - zone: ]\n", "zones.yaml:2: is no YAML"),
        ("zones:\n  - zone: a.b\n    zone: c.d\n", "zones.yaml:3: the key `zone` is there twice"),
        (
            "zones:\n  - zone: a.b\n    kinds: [ip4]\n",
            "zones.yaml:2: zones.0: zone `a.b`: no answer",
        ),
        ("zones:\n  - zone: a.b\n    kinds: [ip9]\n", "zones.yaml:3: zones.0.kinds.0: "),
        (
            "zones: [{zone: a.b, kinds: [ip4], codes: {127.0.0.3: {meaning: x, severity: info}},\n refused: [127.0.0.2, 127.0.0.2]}]",
            "zones.yaml:1: zones.0: zone `a.b`: code 127.0.0.2 under `refused` overlaps",
        ),
        ("", "zones.yaml:1: "),
        ("a: &a [*a]", "zones.yaml"),
    ],
)
def test_a_broken_file_is_told_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "zones.yaml"
    file.write_text(text)
    with pytest.raises(CatalogueError, match=re.escape(says)):
        read(file, ZonesFile)
    with pytest.raises(CatalogueError, match="cannot be read"):
        read(tmp_path / "none.yaml", ZonesFile)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=100)
def test_any_file_is_read_or_told_to_be_broken(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("any") / "zones.yaml"
    file.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"^zones\.yaml"):
        read(file, ZonesFile)


def test_an_entry_of_the_configuration_takes_the_place_of_the_known_one() -> None:
    own = OWN | {"zone": ZEN, "kinds": ["ip6"], "test": {"ip6": None}}
    values = BlocklistSettings.model_validate({"catalogue": [own], "zones": [ZEN]})
    assert merged(values.catalogue)[ZEN].kinds == (Kind.IPV6,)
    assert len(merged(values.catalogue)) == len(built_in())


async def test_what_has_no_test_entry_is_asked_all_the_same() -> None:
    values = {"catalogue": [OWN], "zones": ["a.example"]}
    fake = FakeWorld(a={"1.2.0.192.a.example": "127.0.0.2"})
    made = BlocklistCheck(BlocklistSettings.model_validate(values))
    target = AddressTarget(ip_address("192.0.2.1"), "example.com")
    (look,) = (await made.run(target, fake.world())).looks
    assert [finding.severity for finding in look.findings] == [Severity.WARNING]


def test_the_schema_of_a_zone_is_documented() -> None:
    assert all(field.description for field in ZoneEntry.model_fields.values())
