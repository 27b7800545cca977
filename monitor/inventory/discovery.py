"""What the DNS tells of a domain: mail hosts, addresses, who may send by its own SPF record, platforms."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address, ip_network
from types import MappingProxyType

from monitor.check import DnsAnswer, DnsClient, Question
from monitor.config import names
from monitor.inventory.permits import (
    OwnTerms,
    Permit,
    behind_terms,
    cut,
    exchanges_of,
    permit_of,
    without_providers,
)
from monitor.protocol import spf
from monitor.protocol.platforms import platform_of_include

MAX_MX_HOSTS = 16
MAX_HOSTS = 64
"""Names of one domain whose addresses are asked for: two questions each."""
MAX_HOST_ADDRESSES = 16

_NO_HOSTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the DNS told of a domain at `at` (seconds since the epoch).

    Attributes:
        mx_hosts: in the order of their preference.
        hosts: the addresses of each mail host that no mailbox provider runs, of each declared name, and of
            the names in the SPF record; a name without any has none.
        permits: of the domain's own SPF records, in their order.
        platforms: behind the includes of its record.
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
    all_hosts = exchanges_of(mx)
    # RFC 7208 §4.5: none where there is no record, several, or a broken one.
    record = spf.usable_record(txt.records) or spf.SpfRecord()
    terms = OwnTerms(domain, dns)
    await terms.read(record)
    before = {permit.term: permit.networks for permit in previous.permits} if previous else {}
    behind = await behind_terms(domain, terms.mechanisms, all_hosts, dns, before)
    own = without_providers(all_hosts[:MAX_MX_HOSTS])
    wanted = list(dict.fromkeys((*own, *declared, *(n for found in behind for n in found.names))))
    hosts = await _resolved(wanted[:MAX_HOSTS], dns, previous.hosts if previous else _NO_HOSTS)
    permits = [permit_of(found, hosts) for found in behind]
    if previous and terms.unanswered:
        permits += previous.permits
    left_out = cut(all_hosts, MAX_MX_HOSTS, "MX hosts") + cut(wanted, MAX_HOSTS, "host names")
    return Discovery(
        domain,
        at,
        mx_hosts=all_hosts[:MAX_MX_HOSTS],
        hosts=hosts,
        permits=tuple(dict.fromkeys(permits)),
        platforms=_platforms(record),
        left_out=(*terms.left_out, *left_out),
    )


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
