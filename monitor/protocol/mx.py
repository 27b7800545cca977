"""What a domain's MX records say (RFC 5321 §5.1, RFC 7505)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from monitor.protocol.names import folded, is_host_name
from monitor.protocol.problem import Problem, quoted

_RECORD = re.compile(r"([0-9]{1,5})(?: +(\S*))?")
_HIGHEST_PREFERENCE = 65535


@dataclass(frozen=True, slots=True, order=True)
class MxHost:
    """One usable record; the lowest preference is tried first."""

    preference: int
    exchange: str


@dataclass(frozen=True, slots=True)
class MxSet:
    """A judged RRset.

    Attributes:
        hosts: the usable records, best first, each name once; names in lower case, no final dot.
        null: the domain says that it takes no mail (RFC 7505).
        problems: codes ``syntax``, ``address``, ``name``, ``duplicate``, ``null_with_others``,
            ``null_preference``.
    """

    hosts: tuple[MxHost, ...] = ()
    null: bool = False
    problems: tuple[Problem, ...] = ()


def judge(records: Sequence[str]) -> MxSet:
    """Judge records as ``10 mx.example.com``; ``0 .`` is the null MX. Never raises."""
    best: dict[str, MxHost] = {}
    null_preferences: list[int] = []
    problems: list[Problem] = []
    for record in records:
        read = _read(record)
        if isinstance(read, Problem):
            problems.append(read)
        elif not read.exchange:
            null_preferences.append(read.preference)
        elif read.exchange in best:
            message = f"{quoted(read.exchange)} is named more than once"
            problems.append(Problem("duplicate", message))
            best[read.exchange] = min(best[read.exchange], read)
        else:
            best[read.exchange] = read
    if null_preferences and len(records) > 1:
        # RFC 7505 §3: "MUST NOT advertise any other MX RR"; senders then disagree what it means.
        problems.append(Problem("null_with_others", "a null MX stands beside other MX records"))
    if any(null_preferences):
        problems.append(Problem("null_preference", "a null MX must have the preference 0"))
    return MxSet(tuple(sorted(best.values())), bool(null_preferences), tuple(problems))


def _read(record: str) -> MxHost | Problem:
    found = _RECORD.fullmatch(record.strip())
    if found is None or int(found[1]) > _HIGHEST_PREFERENCE:
        return Problem("syntax", f"{quoted(record)} is no MX record")
    exchange = folded(found[2] or "")
    if not exchange or is_host_name(exchange):
        return MxHost(int(found[1]), exchange)
    if _is_address(exchange):
        # RFC 5321 §5.1: the data of an MX record is a domain name; nobody resolves an address.
        return Problem("address", f"{quoted(exchange)} is an address, an MX must name a host")
    return Problem("name", f"{quoted(exchange)} is no host name")


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
