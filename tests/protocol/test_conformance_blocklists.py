"""What rspamd's rules make of blocklists' answers, for each of its zones; a difference is explained in the catalogue."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.blocklist.catalogue import built_in, chosen
from monitor.protocol.dnsbl import State, read

SET = Path(__file__).parents[3] / "shared" / "conformance" / "blocklists" / "rspamd.json"
HASHED = {"ebl.msbl.org", "email.rspamd.com", "hashbl.surbl.org", "uribl.rspamd.com"}
"""Zones that are asked for digests of what is in a mail: not for us."""

pytestmark = pytest.mark.skipif(
    not SET.exists(), reason=f"../shared/conformance is absent: no {SET.name}"
)


def rules() -> list[Any]:
    if not SET.exists():
        return [pytest.param({}, id="absent")]
    return [pytest.param(rule, id=rule["name"]) for rule in json.loads(SET.read_text())]


def answers(rule: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each answer that the rule knows, with its symbol. Where it names none, all are its symbol."""
    for symbol, patterns in rule["codes"].items():
        yield from ((answer, symbol) for pattern in patterns for answer in spelled(pattern))
    for symbol, bit in rule["bits"].items():
        yield f"127.0.0.{bit}", symbol
    if not rule["codes"] and not rule["bits"]:
        yield "127.0.0.2", rule["symbol"]


def spelled(pattern: str) -> Iterator[str]:
    """The addresses that a Lua pattern matches: every digit for `%d`, some numbers for `%d+`."""
    parts = re.split(r"(%d\+?)", pattern.replace("%.", "."))
    choices = {"%d": [str(n) for n in range(10)], "%d+": ["0", "1", "3", "10", "255"]}
    for chosen_parts in itertools.product(*(choices.get(part, [part]) for part in parts)):
        text = "".join(chosen_parts)
        # `.%d` after a network's dot is one digit; the data has patterns for each length.
        if re.fullmatch(r"127(\.\d{1,3}){3}", text):
            yield text


def state_of(symbol: str) -> State:
    if "BLOCKED" in symbol or "PROHIBIT" in symbol:
        return State.REFUSED
    return State.CLEAN if symbol.startswith("RWL_") else State.LISTED


@pytest.mark.parametrize("rule", rules())
def test_rspamd(rule: dict[str, Any]) -> None:
    """Listed, blocked or no listing."""
    if rule["zone"] in HASHED:
        assert rule["zone"] not in built_in()
        return
    entry = built_in()[rule["zone"]]
    (zone,) = chosen(built_in(), [entry.name], {})
    read_otherwise = {
        (answer, symbol)
        for answer, symbol in answers(rule)
        if read([answer], zone.codes).state is not state_of(symbol)
    }
    assert bool(read_otherwise) is bool(entry.differs), read_otherwise
