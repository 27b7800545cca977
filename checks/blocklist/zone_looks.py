"""What the monitor says of the zones themselves: which cannot be believed, why, and whether that is our fault."""

from collections.abc import Collection, Mapping, Sequence

from checks.blocklist.catalogue import Zone
from checks.blocklist.proof import Trouble
from monitor.check import ZoneState
from monitor.model import Finding, Look, Sample, Severity
from monitor.protocol.dnsbl import PROOF_ENTRIES, query_name
from monitor.protocol.public_resolvers import operator_of

RESOLVER = "resolver"
"""The subject that stands for the resolver through which zones are asked."""

CODES: Mapping[ZoneState, str] = {
    ZoneState.REFUSED: "zone_refused",
    ZoneState.SILENT: "zone_silent",
    ZoneState.LISTS_EVERYONE: "zone_lists_everyone",
    ZoneState.DEAD: "zone_dead",
}
"""The code of the finding about a zone in this state."""

_BLIND_SHARE = 0.5
_BLIND_ZONES = 2
_OWN_RESOLVER = (
    "ask through a recursive resolver of your own, such as the compose file's unbound, from an address whose "
    "reverse name is yours, and set resolver.nameservers to it"
)


def looks(
    zones: Sequence[Zone], troubles: Mapping[str, Trouble], nameservers: Sequence[str]
) -> tuple[Look, ...]:
    """A look at each zone, and one at our resolver, which explains what it is to blame for.

    `troubles` by the zone's name; a zone without trouble can be believed.
    """
    blamed = [zone for zone in zones if zone.name in troubles and troubles[zone.name].ours]
    finding = _blind(zones, blamed, troubles, nameservers)
    if finding is None and shared(nameservers):
        # One that is silent says nothing of whom it refuses.
        spoke = [zone for zone in blamed if troubles[zone.name].state is not ZoneState.SILENT]
        blamed = [zone for zone in spoke if _refuses_shared(zone)]
        finding = _public(blamed, nameservers) if blamed else None
    explained = {zone.name for zone in blamed} if finding else set()
    return (
        Look.known(RESOLVER, (finding,) if finding else ()),
        *(_look(zone, troubles.get(zone.name), explained) for zone in zones),
    )


def shared(nameservers: Sequence[str]) -> str:
    """Those of our nameservers that strangers share, in words; "" where none is known as such."""
    named = ((address, operator_of(address)) for address in nameservers)
    return ", ".join(f"{address} ({operator})" for address, operator in named if operator)


def _refuses_shared(zone: Zone) -> bool:
    return not zone.needs_key and zone.public_resolvers == "refused"


def _blind(
    zones: Sequence[Zone],
    blamed: Sequence[Zone],
    troubles: Mapping[str, Trouble],
    nameservers: Sequence[str],
) -> Finding | None:
    """Most of what matters is unusable at once: so many zones do not fail together."""
    weight = sum(zone.weight for zone in zones)
    if len(blamed) < _BLIND_ZONES or _weight(blamed) <= _BLIND_SHARE * weight:
        return None
    through = shared(nameservers) or ", ".join(nameservers) or "our resolver"
    return Finding(
        "zones_blind",
        f"{len(blamed)} of {len(zones)} blocklists do not serve us through {through}: listings there go unseen",
        fix=f"{_either(_ways_to_be_served(blamed))}.",
        evidence=", ".join(f"{zone.name} ({troubles[zone.name].state})" for zone in blamed),
    )


def _public(refusing: Sequence[Zone], nameservers: Sequence[str]) -> Finding:
    return Finding(
        "resolver_public",
        f"We ask through a resolver that strangers share, {shared(nameservers)}, which these refuse: "
        f"{_names(refusing)}; listings there go unseen",
        fix=f"{_either(_ways_to_be_served(refusing))}.",
        evidence=_names(refusing),
    )


def _ways_to_be_served(zones: Sequence[Zone]) -> list[str]:
    """What makes zones answer that refuse us, the least trouble first."""
    keys = dict.fromkeys(zone.keyed_variant for zone in zones if zone.keyed_variant)
    free = [
        f"take the free key for checks.blocklist.keys.{key}, whose zones then take the place of the public ones "
        "and answer whatever resolver asks"
        for key in keys
    ]
    registered = "".join(
        f" (for {zone.name} register that address at {zone.registration})"
        for zone in zones
        if zone.registration
    )
    return [*free, f"{_OWN_RESOLVER}{registered}"]


def _look(zone: Zone, trouble: Trouble | None, explained: Collection[str]) -> Look:
    if trouble is None:
        return Look.known(zone.name, weight=zone.weight)
    if trouble.state not in CODES:
        return Look.unknown(zone.name, trouble.reason, weight=zone.weight)
    if zone.name in explained:
        # What is wrong is told once, of our resolver; the status is that finding's.
        return Look.unknown(zone.name, f"{trouble.reason} (see `{RESOLVER}`)", weight=0)
    severity = Severity.INFO if zone.severity is Severity.INFO else Severity.WARNING
    code = CODES[trouble.state]
    finding = Finding(
        code,
        f"The blocklist {zone.name} {_SAYS[trouble.state]}: listings there go unseen",
        fix=_fix(zone, trouble.state),
        evidence=zone.redacted(trouble.reason),
        severity=severity,
    )
    labels = {"zone": zone.name, "code": f"blocklist.{code}", "severity": severity.value}
    fault = Sample("blocklist_zone_fault", 1.0, labels)
    return Look.known(zone.name, (finding,), samples=(fault,), weight=zone.weight)


_SAYS: Mapping[ZoneState, str] = {
    ZoneState.REFUSED: "refuses to answer us",
    ZoneState.SILENT: "does not answer",
    ZoneState.LISTS_EVERYONE: "lists everyone",
    ZoneState.DEAD: "does not list its own test entries",
}


def _fix(zone: Zone, state: ZoneState) -> str:
    without = (
        f"leave it out: name under checks.blocklist.zones those that you want, without {zone.name}"
    )
    terms = f" Its terms: {zone.terms}" if zone.terms else ""
    match state:
        case ZoneState.REFUSED if zone.needs_key:
            key = f"compare checks.blocklist.keys.{zone.needs_key} with what the operator's site shows of your account"
            return f"{_either([key, without])}.{terms}"
        case ZoneState.LISTS_EVERYONE:
            return f"Wait until its operator has mended it; where that takes days, {without}."
        case ZoneState.SILENT:
            ways = "; or ".join(_ways_to_be_served([zone]))
            ask = f"Ask it by hand (dig +short {_by_hand(zone)})"
            return f"{ask}. Where it answers elsewhere, {ways}; where it answers nobody, {without}."
        case _:
            return f"{_either([*_ways_to_be_served([zone]), without])}.{terms}"


def _by_hand(zone: Zone) -> str:
    kind = zone.kinds[0]
    entries = zone.proofs[kind] or PROOF_ENTRIES[kind]
    key = "KEY." if zone.needs_key else ""
    return f"{query_name(entries.listed, key + zone.name)} A"


def _either(ways: Sequence[str]) -> str:
    text = "; or ".join(ways)
    return text[:1].upper() + text[1:]


def _names(zones: Sequence[Zone]) -> str:
    return ", ".join(zone.name for zone in zones)


def _weight(zones: Sequence[Zone]) -> float:
    return sum(zone.weight for zone in zones)
