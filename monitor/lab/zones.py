"""The zones of a world, compiled from a scenario, and the exact answer to a question about them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from monitor.lab.records import parse_rdata
from monitor.lab.scenario import Blocklist, Listing, Scenario

_CNAME_LIMIT = 16

# RFC 5782 §5: what a list must list to prove that it works. The opposite entries (127.0.0.1,
# ::FFFF:7F00:1, INVALID) need no record: absence is their answer.
_TEST_ENTRIES = {"ip4": "127.0.0.2", "ip6": "::ffff:7f00:2", "domain": "test"}
_TEST_LISTING = Listing(reason="Test entry (RFC 5782 section 5)")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question: response code, answer section, authority section."""

    rcode: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()


class Zones:
    """All zones of a world. The root is among them, so every name has a zone."""

    def __init__(self, scenario: Scenario) -> None:
        self._ttl = scenario.ttl
        self._origins: set[dns.name.Name] = {dns.name.root}
        self._nodes: dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rrset.RRset]] = {}
        for origin, owner, rdtype, value in _records(scenario):
            self._origins.add(origin)
            self._add(owner, parse_rdata(rdtype, value))
        for origin in self._origins:
            if dns.rdatatype.SOA not in self._nodes.get(origin, {}):
                self._add(origin, _soa(origin, scenario.ttl))
        # A name above an existing one exists too: its answer is NODATA, not NXDOMAIN (RFC 8020).
        self._existing = {above for name in self._nodes for above in _with_parents(name)}

    def zone_of(self, name: dns.name.Name) -> dns.name.Name:
        """Return the origin of the deepest zone that holds a name."""
        return next(above for above in _with_parents(name) if above in self._origins)

    def lookup(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Answer:
        """Answer a question, following aliases through all zones (RFC 1034 §4.3.2).

        A loop of aliases gives the chain, cut after 16, and no answer.
        """
        chain: list[dns.rrset.RRset] = []
        for _ in range(_CNAME_LIMIT):
            node = self._nodes.get(name, {})
            if rdtype in node:
                return Answer(dns.rcode.NOERROR, (*chain, node[rdtype]))
            alias = node.get(dns.rdatatype.CNAME)
            if alias is None:
                return self._absent(name, chain)
            if alias not in chain:
                chain.append(alias)
            name = alias[0].target
        return Answer(dns.rcode.NOERROR, tuple(chain))

    def _absent(self, name: dns.name.Name, chain: list[dns.rrset.RRset]) -> Answer:
        rcode = dns.rcode.NOERROR if name in self._existing else dns.rcode.NXDOMAIN
        soa = self._nodes[self.zone_of(name)][dns.rdatatype.SOA]
        return Answer(rcode, tuple(chain), (soa,))

    def _add(self, owner: dns.name.Name, rdata: dns.rdata.Rdata) -> None:
        node = self._nodes.setdefault(owner, {})
        if rdata.rdtype not in node:
            node[rdata.rdtype] = dns.rrset.RRset(owner, dns.rdataclass.IN, rdata.rdtype)
        node[rdata.rdtype].add(rdata, self._ttl)


_Record = tuple[dns.name.Name, dns.name.Name, str, str | bytes]


def _records(scenario: Scenario) -> Iterator[_Record]:
    """Yield (zone, owner, type, value) for all that a scenario says and implies."""
    for zone, owners in scenario.zones.items():
        origin = dns.name.from_text(zone)
        for owner, records in owners.items():
            name = origin if owner == "@" else dns.name.from_text(owner, origin)
            for rdtype, values in records.items():
                yield from ((origin, name, rdtype, value) for value in values)
    yield from _servers(scenario)
    for zone, blocklist in scenario.blocklists.items():
        yield from _listings(dns.name.from_text(zone), blocklist)


def _servers(scenario: Scenario) -> Iterator[_Record]:
    hosts = {name: server.address for name, server in (scenario.hosts | scenario.sites).items()}
    zones = [dns.name.from_text(zone) for zone in scenario.zones]
    for name, server in (hosts | scenario.nameservers).items():
        owner = dns.name.from_text(name)
        holders = [zone for zone in zones if owner.is_subdomain(zone)]
        origin = max(holders, key=len, default=dns.name.root)
        yield origin, owner, "A", str(server)
        yield _pointer(server, name)
    for address, names in scenario.pointers.items():
        yield from (_pointer(address, name) for name in names)


def _pointer(address: IPv4Address | IPv6Address, name: str) -> _Record:
    owner = dns.reversename.from_address(str(address))
    if isinstance(address, IPv4Address):
        origin = dns.reversename.ipv4_reverse_domain
    else:
        origin = dns.reversename.ipv6_reverse_domain
    return origin, owner, "PTR", name


def _listings(origin: dns.name.Name, blocklist: Blocklist) -> Iterator[_Record]:
    tests = {_TEST_ENTRIES[kind]: _TEST_LISTING for kind in blocklist.kinds}
    for entry, listing in (tests | blocklist.entries).items():
        owner = listed_name(entry, origin)
        for code in listing.codes:
            yield origin, owner, "A", str(code)
        yield origin, owner, "TXT", listing.reason


def listed_name(entry: str, origin: dns.name.Name) -> dns.name.Name:
    """Return the name to ask a blocklist about an address (reversed) or a domain (RFC 5782 §2)."""
    try:
        address = ip_address(entry)
    except ValueError:
        return dns.name.from_text(entry, origin)
    reversed_name = dns.reversename.from_address(entry)
    if isinstance(address, IPv6Address):
        # dnspython gives an IPv4-mapped address the name of the IPv4 address.
        nibbles = address.packed.hex()[::-1]
        return dns.name.from_text(".".join(nibbles), origin)
    return reversed_name.relativize(dns.reversename.ipv4_reverse_domain).derelativize(origin)


def _soa(origin: dns.name.Name, ttl: int) -> dns.rdata.Rdata:
    host = dns.name.from_text("ns", origin)
    mailbox = dns.name.from_text("hostmaster", origin)
    return parse_rdata("SOA", f"{host} {mailbox} 1 3600 600 604800 {ttl}")


def _with_parents(name: dns.name.Name) -> Iterable[dns.name.Name]:
    yield name
    while name != dns.name.root:
        name = name.parent()
        yield name
