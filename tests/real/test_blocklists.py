"""Debian's rbldnsd and unbound stand in for the world's blocklists and the resolver in front of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from monitor.lab import Lab
from tests.checks.debian_servers import rbldnsd
from tests.cli.commands import deliverability
from tests.e2e.servers import free_port
from tests.real.dns_servers import unbound, zone_files
from tests.real.looking import Looking, findings, looking

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

LISTED_4, CLEAN_4 = "192.0.2.10", "192.0.2.11"
LISTED_6, CLEAN_6 = "2001:db8::10", "2001:db8::11"

EVERYONE = ("127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24")
"""As far as anybody asks here."""

SERVED = {
    "good.rbl.example": {
        "ip4set": f"127.0.0.2 :2:Test entry\n{LISTED_4} :2:listed",
        "ip6trie": f"::ffff:7f00:2 :2:Test entry\n{LISTED_6} :2:listed",
    },
    "names.rbl.example": {"dnset": "test :2:Test entry\nshop.example :127.0.1.2:listed"},
    "untested.rbl.example": {"ip4set": f"{LISTED_4} :2:listed"},
    "refusing.rbl.example": {
        "ip4set": "\n".join(f"{network} :127.255.255.254:Another resolver" for network in EVERYONE)
    },
    "world.rbl.example": {"ip4set": "\n".join(EVERYONE)},
    "empty.rbl.example": {"ip4set": f"{LISTED_4} :2:no test entry where one must be"},
}
UNSERVED = "unserved.rbl.example"
"""Delegated to rbldnsd, which refuses (REFUSED) what it does not serve: unbound then fails (SERVFAIL)."""

PAGE = {"127.0.0.2": {"meaning": "spam", "severity": "page"}}
OF_IP4 = {"listed": "127.0.0.2", "clean": "127.0.0.1"}  # RFC 5782 §5
OF_IP6 = {"listed": "::ffff:7f00:2", "clean": "::ffff:7f00:1"}
OF_NAMES = {"listed": "test", "clean": "invalid"}
CATALOGUE: list[dict[str, Any]] = [
    {
        "zone": "good.rbl.example",
        "kinds": ["ip4", "ip6"],
        "codes": PAGE,
        "test": {"ip4": OF_IP4, "ip6": OF_IP6},
    },
    {
        "zone": "names.rbl.example",
        "kinds": ["domain"],
        "codes": {"127.0.1.2": {"meaning": "spam", "severity": "page"}, **PAGE},
        "test": {"domain": OF_NAMES},
    },
    {"zone": "untested.rbl.example", "kinds": ["ip4"], "codes": PAGE, "test": {"ip4": None}},
    *(
        {"zone": zone, "kinds": ["ip4"], "codes": PAGE, "test": {"ip4": OF_IP4}}
        for zone in ("refusing.rbl.example", "world.rbl.example", "empty.rbl.example", UNSERVED)
    ),
]
STATES = {
    "good.rbl.example": "usable",
    "names.rbl.example": "usable",
    "untested.rbl.example": "usable",
    "refusing.rbl.example": "refused",
    "world.rbl.example": "lists_everyone",
    "empty.rbl.example": "dead",
    UNSERVED: "silent",
}


@dataclass(frozen=True)
class Served:
    """A configuration whose resolver is unbound, with rbldnsd and the lab's DNS behind it."""

    config: Path
    eyes: Looking


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder: Path = tmp_path_factory.mktemp("blocklists")
    recursive = free_port()
    async with Lab(directory=folder / "lab", listen=f"127.0.0.1:{free_port()}") as lab:
        config = configuration(lab, folder, recursive)
        with rbldnsd(SERVED) as port:
            stubs = dict.fromkeys(zone_files(lab.world), lab.ports.dns)
            stubs |= {f"{zone}.": port for zone in (*SERVED, UNSERVED)}
            async with unbound(stubs, folder / "unbound", recursive), looking(config) as eyes:
                yield Served(config, eyes)


def configuration(lab: Lab, folder: Path, port: int) -> Path:
    """The lab's, with our zones and an address that nobody lists."""
    document: dict[str, Any] = yaml.safe_load(lab.config_path.read_text())
    document["resolver"]["nameservers"] = [f"127.0.0.1:{port}"]
    document["checks"]["blocklist"] |= {"catalogue": CATALOGUE, "zones": list(STATES)}
    document["senders"] = [
        {
            "name": "mta",
            "domains": ["shop.example"],
            "addresses": [LISTED_4, CLEAN_4, LISTED_6, CLEAN_6],
        }
    ]
    document.pop("events")
    document["store"]["url"] = f"sqlite:///{folder}/state.db"
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


async def told(served: Served, target: str) -> tuple[dict[str, str], set[str]]:
    """The severity of each listing by its zone, and the zones of which nothing is known."""
    result = await served.eyes.at("blocklist", target)
    listed = {
        subject: finding.severity
        for subject in result.kept.subjects
        for finding in findings(result, subject)
    }
    return listed, {name for name, subject in result.kept.subjects.items() if not subject.known}


NOT_BELIEVED = {"refusing.rbl.example", "world.rbl.example", "empty.rbl.example", UNSERVED}


@pytest.mark.parametrize(
    ("target", "listed", "unknown"),
    [
        (
            LISTED_4,
            # What cannot prove that it lists what it should never pages.
            {"good.rbl.example": "critical", "untested.rbl.example": "warning"},
            NOT_BELIEVED,
        ),
        (CLEAN_4, {}, NOT_BELIEVED),
        (LISTED_6, {"good.rbl.example": "critical"}, set()),
        (CLEAN_6, {}, set()),
        ("shop.example", {"names.rbl.example": "critical"}, set()),
        ("news.example", {}, set()),
    ],
)
async def test_listings_are_found_and_zones_that_cannot_be_believed_are_unknown(
    served: Served, target: str, listed: dict[str, str], unknown: set[str]
) -> None:
    assert await told(served, target) == (listed, unknown)


async def test_every_zone_is_tried_through_unbound(served: Served, tmp_path: Path) -> None:
    # On a thread: the lab's DNS is in this process.
    arguments = ("zones", "--test", "--json", "-c", served.config)
    ended = await asyncio.to_thread(deliverability, *arguments, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    found = json.loads(ended.stdout)
    assert found["own_trouble"] == ""
    assert {one["zone"]: one["state"] for one in found["zones"]} == STATES
