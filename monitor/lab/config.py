"""The daemon's configuration for the lab: what the scenario says, completed with where all listens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.lab.files import write_atomically
from monitor.lab.ports import Ports
from monitor.lab.scenario import Scenario
from monitor.lab.scenario_file import merge

# RFC 5782 §5: what every blocklist of the lab lists, and what it does not list.
_PROOFS = {
    "ip4": {"listed": "127.0.0.2", "clean": "127.0.0.1"},
    "ip6": {"listed": "::ffff:7f00:2", "clean": "::ffff:7f00:1"},
    "domain": {"listed": "test", "clean": "invalid"},
}


def write_configuration(
    scenario: Scenario, directory: Path, *, ports: Ports, listen: str, secrets: Mapping[str, str]
) -> Path:
    """Write `config.yaml` and return its path.

    `listen` is the daemon's own host:port, `secrets` the `secret` of each hook.
    """
    known = {
        "events": {
            "hooks": [
                {
                    "name": name,
                    "kind": traffic.kind,
                    "sender": traffic.sender,
                    "secret": secrets[name],
                }
                for name, traffic in scenario.traffic.items()
            ]
        },
        "checks": {"blocklist": {"catalogue": _catalogue(scenario)}},
        "resolver": {"nameservers": [f"127.0.0.1:{ports.dns}"]},
        "network": {
            "allow": ["127.0.0.0/8"],
            "ports": {
                25: ports.smtp,
                465: ports.smtps,
                587: ports.submission,
                443: ports.https,
                53: ports.dns,
            },
            "ca": str(directory / "ca.pem"),
        },
        "store": {"url": f"sqlite:///{directory / 'state.db'}"},
        "server": {"listen": listen},
    }
    path = directory / "config.yaml"
    document = merge(scenario.configuration, known)
    write_atomically(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return path


def _catalogue(scenario: Scenario) -> list[dict[str, Any]]:
    return [
        {
            "zone": zone,
            "kinds": list(blocklist.kinds),
            "test": {kind: _PROOFS[kind] for kind in blocklist.kinds},
            "codes": {
                str(code): {"meaning": meaning.meaning, "severity": meaning.severity}
                for code, meaning in blocklist.codes.items()
            },
        }
        for zone, blocklist in scenario.blocklists.items()
    ]
