"""Whether the name servers of a zone have the same version of it (RFC 1035 §3.3.13, RFC 1982). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.check import Code, ServerAnswer
from monitor.model import Finding, Look, Severity

SERIALS = "serials"
CODES = (Code("serials_differ", Severity.WARNING, "a name server has an old version of the zone"),)

_SHORTEST_PATIENCE = 600.0
_LONGEST_PATIENCE = 6 * 3600.0
_FIELDS = 7
_HALF = 2**31


@dataclass(frozen=True, slots=True)
class Version:
    """What a SOA record says of a zone.

    Attributes:
        source: primary server and mailbox: providers that serve a zone together, each from its own
            source, count each in their own way.
        refresh: seconds until secondaries look for a new version.
    """

    source: str
    serial: int
    refresh: float


Stuck = Mapping[str, tuple[int, float]]
"""Servers that were behind: the serial number that each had, and since when (epoch seconds)."""


def version_of(text: str) -> Version | None:
    """From SOA data in presentation form; None where it is none."""
    words = text.split()
    if len(words) != _FIELDS or not all(w.isascii() and w.isdecimal() for w in words[2:]):
        return None
    return Version(" ".join(words[:2]).lower(), int(words[2]) % 2**32, float(words[3]))


def later(serial: int, other: int) -> bool:
    """Whether `serial` is newer than `other` (RFC 1982 §3.2)."""
    return 0 < (serial - other) % 2**32 < _HALF


def look(
    domain: str, said: Sequence[ServerAnswer], before: Stuck, now: float
) -> tuple[Look, Stuck]:
    """A look at the serial numbers, and what to remember of them.

    Secondaries need time: one is late where it has stood still behind the others for the refresh time
    of the zone (ten minutes at least, six hours at most). Until then it is only told.
    """
    versions = {
        f"{one.server} ({one.address})": version
        for one in said
        if one.authoritative and one.answer.known and one.answer.records
        if (version := version_of(one.answer.records[0])) is not None
    }
    if not versions or before.keys() - versions.keys():
        # Who was behind and is silent now may have caught up or not.
        return Look.unknown(SERIALS, f"not every server of {domain} told its version", weight=0), {}
    stuck: dict[str, tuple[int, float]] = {}
    for server, version in versions.items():
        if any(
            v.source == version.source and later(v.serial, version.serial)
            for v in versions.values()
        ):
            serial, since = before.get(server, (version.serial, now))
            stuck[server] = version.serial, since if serial == version.serial else now
    found = (_finding(domain, versions, stuck, now),) if stuck else ()
    return Look.known(SERIALS, found), stuck


def _finding(domain: str, versions: Mapping[str, Version], stuck: Stuck, now: float) -> Finding:
    late = any(now - since > _patience(versions[server]) for server, (_, since) in stuck.items())
    return Finding(
        "serials_differ",
        f"{', '.join(stuck)} {'have' if len(stuck) > 1 else 'has'} an older version of {domain} than other servers",
        fix=(
            "See the log of that server for the zone transfer: not allowed to (allow-transfer, TSIG), not told "
            "(also-notify), or without a way to the primary; then have it transfer the zone (`rndc retransfer`, "
            "`knotc zone-retransfer`)"
        ),
        evidence="; ".join(f"{server}: {version.serial}" for server, version in versions.items()),
        severity=Severity.WARNING if late else Severity.INFO,
    )


def _patience(version: Version) -> float:
    return min(max(version.refresh, _SHORTEST_PATIENCE), _LONGEST_PATIENCE)
