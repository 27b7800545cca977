from pathlib import Path

import pytest
import yaml

from monitor.lab import ScenarioError
from monitor.lab.scenario import seconds
from monitor.lab.scenario_file import ScenarioFile, merge

GOOD = """\
name: tiny
zones:
  a.example:
    "@":
      TXT: v=spf1 -all
hosts:
  mx.a.example: {address: 127.0.1.1}
"""

BAD = {
    "unknown key": ("colour: red\n", ":8: colour: Extra inputs are not permitted"),
    "bad record": ('  b.example:\n    "@":\n      MX: [10 mx.b.example, ten]\n', None),
    "bad type": (
        "nameservers: {ns.a.example: 192.0.2.1}\n",
        ":8: nameservers.ns.a.example: Value error, a server of the lab listens on 127.0.0.0/8",
    ),
    "two at one address": (
        "nameservers: {ns.a.example: 127.0.1.1}\n",
        ":1: Value error, several servers at the same address: 127.0.1.1",
    ),
    "a host and a site": (
        "sites:\n  mx.a.example: {address: 127.0.1.2}\n",
        ":1: Value error, a host and a site of the same name: mx.a.example",
    ),
    "a path that is none": (
        "sites:\n  www.a.example: {address: 127.0.1.2, documents: {policy.txt: {}}}\n",
        ":9: sites.www.a.example.documents.policy.txt: String should match pattern '^/'",
    ),
    "a time that is none": (
        'sites:\n  www.a.example:\n    address: 127.0.1.2\n    documents:\n      /x: {body: "{in soon}"}\n',
        ":12: sites.www.a.example.documents./x.body: Value error, not a duration",
    ),
    "bad share": (
        "behaviours:\n  x:\n    suffix: a.example\n    do: drop\n    share: 2\n",
        ":12: behaviours.x.share: Input should be less than or equal to 1",
    ),
    "bad deed": (
        "behaviours:\n  x: {suffix: a.example, do: dance}\n",
        ":9: behaviours.x.do: Input should be 'drop'",
    ),
    "bad duration": (
        "behaviours:\n  x: {suffix: a.example, do: slow, delay: soon}\n",
        ":9: behaviours.x.delay: Value error, not a duration",
    ),
    "bad name": (
        "blocklists:\n  a..b: {kinds: [ip4]}\n",
        ":9: blocklists.a..b: Value error, not a domain name",
    ),
    "bad incident": (
        "incidents:\n  x:\n    description: d\n    world:\n      hosts:\n        mx.a.example: {ports: [26]}\n",
        ":13: incidents.x.world.hosts.mx.a.example.ports.0: Input should be 25, 465 or 587",
    ),
    "unknown flow": (
        "incidents:\n  x:\n    description: d\n    on_start: {shop: {messages: 3}}\n",
        ": no such flow of traffic: shop",
    ),
    "not YAML": ("x: [\n", ":9: expected the node content"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_scenario_that_cannot_be_used_says_where_and_why(tmp_path: Path, case: str) -> None:
    addition, expected = BAD[case]
    path = tmp_path / "scenario.yaml"
    if expected is None:
        path.write_text(GOOD.replace("hosts:", f"{addition}hosts:"))
        expected = ":7: zones.b.example.@: Value error, MX 'ten'"
    else:
        path.write_text(GOOD + addition)
    with pytest.raises(ScenarioError) as caught:
        ScenarioFile(path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")


def test_the_good_part_of_the_bad_ones_is_good(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(GOOD)
    assert ScenarioFile(path).base.name == "tiny"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        ScenarioFile(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [  # RFC 7396, appendix A
        ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
        ('{"a":"b"}', '{"a":null}', "{}"),
        ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
        ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
        ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
        ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
        ('["a","b"]', '["c","d"]', '["c","d"]'),
        ('{"a":"b"}', '["c"]', '["c"]'),
        ('{"a":"foo"}', "null", "null"),
        ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
        ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
        ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(document: str, patch: str, result: str) -> None:
    assert merge(yaml.safe_load(document), yaml.safe_load(patch)) == yaml.safe_load(result)


@pytest.mark.parametrize(
    ("text", "value"), [("500ms", 0.5), ("2s", 2), ("-3d", -259200), ("1.5m", 90)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value
