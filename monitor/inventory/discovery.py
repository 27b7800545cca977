"""What the DNS tells of a domain: mail hosts, addresses, who may send by its own SPF record, platforms."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address, ip_network
from types import MappingProxyType

from monitor.check import DnsAnswer, DnsClient, Question
from monitor.config import names
from monitor.model import Provider
from monitor.protocol import spf
from monitor.protocol.mx import judge as judge_mx
from monitor.protocol.platforms import platform_of_include, provider_of_mx
from monitor.protocol.spf import Mechanism, MechanismName, Qualifier

MAX_MX_HOSTS = 16
MAX_HOSTS = 64
"""Names of one domain whose addresses are asked for: two questions each."""
MAX_HOST_ADDRESSES = 16
MAX_TERMS = 256
"""Terms of one SPF record that are read for addresses."""
MAX_HOSTS_OF_MX_TERM = 10
"""RFC 7208 §4.6.4: a receiver answers permerror to more."""

_ADDRESSED = frozenset({MechanismName.A, MechanismName.MX, MechanismName.IP4, MechanismName.IP6})
_NO_HOSTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Permit:
    """What one mechanism of a domain's own SPF record says of addresses.

    `term` is as written, without its qualifier (`ip4:192.0.2.0/24`, `mx`); `passes`: they may send (`+`);
    `networks` in CIDR form, those of `a` and `mx` as their names resolve.
    """

    term: str
    passes: bool
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the DNS told of a domain at `at` (seconds since the epoch).

    Attributes:
        mx_hosts: in the order of their preference.
        hosts: the addresses of each mail host that no mailbox provider runs, of each declared name, and of
            the names in the SPF record; a name without any has none.
        permits: of the domain's own SPF record, in its order and without what is behind includes.
        platforms: behind these includes.
        left_out: what was too much to be asked for, each in words.
    """

    domain: str
    at: float
    mx_hosts: tuple[str, ...] = ()
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    permits: tuple[Permit, ...] = ()
    platforms: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As text for the store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Discovery":
        """What `to_json` wrote, in this version or before.

        Raises:
            ValueError: it is something else.
        """
        try:
            data = json.loads(text)
            return cls(
                domain=str(data["domain"]),
                at=float(data["at"]),
                mx_hosts=_texts(data["mx_hosts"]),
                hosts={str(k): _addresses(v) for k, v in data.get("hosts", {}).items()},
                permits=tuple(_permits(data)),
                platforms=_texts(data["platforms"]),
                left_out=_texts(data.get("left_out", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no discovery: {error!r}") from None


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _addresses(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(ip_address(value)) for value in values)


def _permits(data: Mapping[str, object]) -> Iterator[Permit]:
    if "permits" not in data:
        # Versions before had all addresses in one list, and took each for one that sends.
        for address in map(ip_address, data["addresses"]):  # type: ignore[call-overload]
            term = f"ip{address.version}:{address}"
            yield Permit(term, passes=True, networks=(str(ip_network(address)),))
        return
    for permit in data["permits"]:  # type: ignore[attr-defined]
        networks = tuple(str(ip_network(text)) for text in permit["networks"])
        yield Permit(str(permit["term"]), bool(permit["passes"]), networks)


# --- asking ----------------------------------------------------------------------------------------


async def discover(
    domain: str,
    dns: DnsClient,
    at: float,
    *,
    declared: Sequence[str] = (),
    previous: Discovery | None = None,
) -> Discovery | None:
    """What the DNS tells of `domain` now; None where it could not tell: then the previous one stays.

    `declared` are the names of the configuration whose addresses are asked for besides. That there is
    nothing (NXDOMAIN, NODATA) is knowledge. Where only some host's addresses could not be found out,
    those of `previous` stay besides the ones found, so that nothing seen is lost.
    """
    mx, txt = await dns.ask_many([Question(domain, "MX"), Question(domain, "TXT")])
    if not mx.known or not txt.known:
        return None
    all_hosts = _exchanges(mx)
    # RFC 7208 §4.5: none where there is no record, several, or a broken one.
    record = spf.usable_record(txt.records) or spf.SpfRecord()
    terms, left_out = _terms(record)
    behind = await _behind_terms(domain, terms, all_hosts, dns, previous)
    own = _not_of_providers(all_hosts[:MAX_MX_HOSTS])
    wanted = list(dict.fromkeys((*own, *declared, *(n for found in behind for n in found.names))))
    hosts = await _resolved(wanted[:MAX_HOSTS], dns, previous.hosts if previous else _NO_HOSTS)
    left_out += _cut(all_hosts, MAX_MX_HOSTS, "MX hosts") + _cut(wanted, MAX_HOSTS, "host names")
    return Discovery(
        domain,
        at,
        mx_hosts=all_hosts[:MAX_MX_HOSTS],
        hosts=hosts,
        permits=tuple(_permit(found, hosts) for found in behind),
        platforms=_platforms(record),
        left_out=tuple(left_out),
    )


def _cut(found: Sequence[object], most: int, what: str) -> list[str]:
    return [f"{len(found)} {what}: the first {most} count"] if len(found) > most else []


def _exchanges(mx: DnsAnswer) -> tuple[str, ...]:
    return tuple(host.exchange for host in judge_mx(mx.records).hosts)


def _not_of_providers(hosts: Iterable[str]) -> tuple[str, ...]:
    """The hosts of a mailbox provider receive for everyone and send nothing of ours."""
    return tuple(host for host in hosts if provider_of_mx(host) is Provider.OTHER)


async def _resolved(
    hosts: Sequence[str], dns: DnsClient, before: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    named = [host for host in hosts if not names.is_address(host)]
    questions = [Question(host, rtype) for host in named for rtype in ("A", "AAAA")]
    answers = await dns.ask_many(questions) if questions else []
    found: dict[str, tuple[str, ...]] = {h: (h,) for h in hosts if names.is_address(h)}
    for host, ip4, ip6 in zip(named, answers[::2], answers[1::2], strict=True):
        addresses = [a for answer in (ip4, ip6) for a in _host_addresses(answer)]
        if not (ip4.known and ip6.known):
            addresses += before.get(host, ())
        found[host] = tuple(dict.fromkeys(addresses))
    return {host: found[host] for host in hosts}


def _host_addresses(answer: DnsAnswer) -> list[str]:
    """Sorted: resolvers turn the order of answers around."""
    addresses = {ip_address(record) for record in answer.records if names.is_address(record)}
    return [str(address) for address in sorted(addresses, key=int)[:MAX_HOST_ADDRESSES]]


def _platforms(record: spf.SpfRecord) -> tuple[str, ...]:
    included = [m.domain for m in record.reachable if m.name is spf.MechanismName.INCLUDE]
    included += [record.redirect] if record.redirect else []
    platforms = filter(None, map(platform_of_include, included))
    return tuple(dict.fromkeys(platform.name for platform in platforms))


# --- the domain's own SPF record -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Behind:
    """A mechanism with the names whose addresses it admits; `kept` networks where these could not be told."""

    mechanism: Mechanism
    names: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def _terms(record: spf.SpfRecord) -> tuple[list[Mechanism], list[str]]:
    """The mechanisms that have addresses, and what was left out of them."""
    found = [m for m in record.reachable if m.name in _ADDRESSED and not _is_elsewhere(m)]
    asking = [m for m in found if m.looks_up]
    # What receivers do not reach either (RFC 7208 §4.6.4) costs no question.
    unreached = set(asking[spf.MAX_LOOKUPS :])
    kept = [m for m in found if m not in unreached]
    left_out = _cut(asking, spf.MAX_LOOKUPS, "terms of SPF that ask the DNS")
    return kept[:MAX_TERMS], left_out + _cut(kept, MAX_TERMS, "terms of SPF")


def _is_elsewhere(mechanism: Mechanism) -> bool:
    """It depends on the message, or is a platform's: neither tells addresses of ours."""
    return bool(mechanism.domain) and (
        spf.has_macro(mechanism.domain) or platform_of_include(mechanism.domain) is not None
    )


async def _behind_terms(
    domain: str,
    terms: Sequence[Mechanism],
    mx_hosts: Sequence[str],
    dns: DnsClient,
    previous: Discovery | None,
) -> list[_Behind]:
    others = [
        m.domain for m in terms if m.name is MechanismName.MX and m.domain not in {"", domain}
    ]
    answers = await dns.ask_many([Question(name, "MX") for name in others]) if others else []
    exchanges = dict(zip(others, answers, strict=True))
    before = {permit.term: permit.networks for permit in previous.permits} if previous else {}

    def behind(mechanism: Mechanism) -> _Behind:
        if mechanism.name is MechanismName.A:
            return _Behind(mechanism, (mechanism.domain or domain,))
        if mechanism.name is not MechanismName.MX:
            return _Behind(mechanism)
        answer = exchanges.get(mechanism.domain)
        if answer is not None and not answer.known:
            return _Behind(mechanism, kept=before.get(_written(mechanism), ()))
        hosts = mx_hosts if answer is None else _exchanges(answer)
        return _Behind(mechanism, _not_of_providers(hosts[:MAX_HOSTS_OF_MX_TERM]))

    return [behind(mechanism) for mechanism in terms]


def _permit(found: _Behind, hosts: Mapping[str, tuple[str, ...]]) -> Permit:
    mechanism = found.mechanism
    addresses = [address for name in found.names for address in hosts.get(name, ())]
    networks = [_block(address, mechanism) for address in addresses]
    if mechanism.network is not None:
        networks.append(str(mechanism.network))
    return Permit(
        _written(mechanism),
        passes=mechanism.qualifier is Qualifier.PASS,
        networks=tuple(dict.fromkeys((*networks, *found.kept))),
    )


def _block(address: str, mechanism: Mechanism) -> str:
    prefix = mechanism.ip6_prefix if ":" in address else mechanism.ip4_prefix
    return str(ip_network(f"{address}/{prefix}", strict=False))


def _written(mechanism: Mechanism) -> str:
    """As in a record; default prefix lengths left out."""
    if mechanism.network is not None:
        single = mechanism.network.num_addresses == 1
        value = mechanism.network.network_address if single else mechanism.network
        return f"{mechanism.name}:{value}"
    ip4 = f"/{mechanism.ip4_prefix}" if mechanism.ip4_prefix != 32 else ""  # noqa: PLR2004
    ip6 = f"//{mechanism.ip6_prefix}" if mechanism.ip6_prefix != 128 else ""  # noqa: PLR2004
    return mechanism.name + (f":{mechanism.domain}" if mechanism.domain else "") + ip4 + ip6
