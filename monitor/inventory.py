"""What there is to look at: declared and discovered domains, addresses, hosts and senders as targets."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address, ip_network
from typing import TypeVar

from monitor.check import DnsAnswer, DnsClient, Question
from monitor.config import names
from monitor.config.sections import CheckConfig
from monitor.config.valid import ValidConfig
from monitor.model import (
    Address,
    AddressTarget,
    Domain,
    DomainTarget,
    HostTarget,
    LinkHostTarget,
    MonitorTarget,
    Provider,
    Role,
    Sender,
    SenderTarget,
    Target,
)
from monitor.protocol import spf
from monitor.protocol.mx import judge as judge_mx
from monitor.protocol.platforms import platform_of_include, provider_of_mx
from monitor.protocol.psl import registrable_domain
from monitor.protocol.selectors import USUAL_SELECTORS

MAX_MX_HOSTS = 16
MAX_HOST_ADDRESSES = 16
MAX_SPF_ADDRESSES = 16

# Never in use (RFC 5737, RFC 3849): whoever declares one is trying things out, as the lab does.
_DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
_TargetT = TypeVar("_TargetT", bound=Target)


# --- what the DNS tells of a domain ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the DNS told of a domain at `at` (seconds since the epoch).

    `mx_hosts` in the order of their preference; `addresses` of those that no mailbox provider runs, then the single hosts
    (`ip4:` and `ip6:` without a shorter prefix) of the domain's own SPF record; `platforms` behind
    its includes.
    """

    domain: str
    at: float
    mx_hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As text for the store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Discovery":
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            data = json.loads(text)
            lists = {
                key: tuple(map(str, data[key])) for key in ("mx_hosts", "addresses", "platforms")
            }
            return cls(domain=str(data["domain"]), at=float(data["at"]), **lists)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no discovery: {error!r}") from None


async def discover(
    domain: str, dns: DnsClient, at: float, *, previous: Discovery | None = None
) -> Discovery | None:
    """What the DNS tells of `domain` now; None where it could not tell: then the previous one stays.

    That there is nothing (NXDOMAIN, NODATA) is knowledge. Where only some host's addresses could not
    be found out, those of `previous` stay besides the ones found, so that nothing seen is lost.
    """
    mx, txt = await dns.ask_many([Question(domain, "MX"), Question(domain, "TXT")])
    if not mx.known or not txt.known:
        return None
    hosts = tuple(host.exchange for host in judge_mx(mx.records).hosts[:MAX_MX_HOSTS])
    # The hosts of a mailbox provider receive for everyone and send nothing of ours.
    own = [host for host in hosts if provider_of_mx(host) is Provider.OTHER]
    questions = [Question(host, rtype) for host in own for rtype in ("A", "AAAA")]
    answers = await dns.ask_many(questions) if questions else []
    record = _spf_record(txt)
    found = [*_host_addresses(answers), *_spf_addresses(record)]
    if previous and not all(answer.known for answer in answers):
        found += previous.addresses
    return Discovery(domain, at, hosts, tuple(dict.fromkeys(found)), _platforms(record))


def _host_addresses(answers: Sequence[DnsAnswer]) -> list[str]:
    return [
        str(ip_address(record))
        for answer in answers
        for record in answer.records[:MAX_HOST_ADDRESSES]
        if names.is_address(record)
    ]


def _spf_record(txt: DnsAnswer) -> spf.SpfRecord:
    """The domain's record; an empty one where there is none, several, or a broken one (RFC 7208 §4.5)."""
    return spf.usable_record(txt.records) or spf.SpfRecord()


def _spf_addresses(record: spf.SpfRecord) -> list[str]:
    networks = [m.network for m in record.reachable if m.network and m.network.num_addresses == 1]
    return [str(network.network_address) for network in networks[:MAX_SPF_ADDRESSES]]


def _platforms(record: spf.SpfRecord) -> tuple[str, ...]:
    included = [m.domain for m in record.reachable if m.name is spf.MechanismName.INCLUDE]
    included += [record.redirect] if record.redirect else []
    platforms = filter(None, map(platform_of_include, included))
    return tuple(dict.fromkeys(platform.name for platform in platforms))


# --- targets ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inventory:
    """All targets by type, each once, in the order of the configuration."""

    domains: tuple[DomainTarget, ...]
    addresses: tuple[AddressTarget, ...]
    hosts: tuple[HostTarget, ...]
    link_hosts: tuple[LinkHostTarget, ...]
    senders: tuple[SenderTarget, ...]
    _by_name: Mapping[tuple[type[Target], str], Target] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        every: list[Target] = [
            MonitorTarget(),
            *self.domains,
            *self.addresses,
            *self.hosts,
            *self.link_hosts,
            *self.senders,
        ]
        object.__setattr__(self, "_by_name", {(type(t), t.name): t for t in every})

    def targets(self, check: CheckConfig) -> tuple[Target, ...]:
        """What `check` looks at: its configured targets, else all targets of its types."""
        chosen = self._configured(check) if check.targets else self._all(check.about.target_types)
        return tuple(filter(check.about.applies, chosen))

    def _all(self, kinds: Sequence[type[Target]]) -> Sequence[Target]:
        return [target for kind in kinds for target in self.of(kind)]

    def _configured(self, check: CheckConfig) -> Sequence[Target]:
        kinds, wanted = check.about.target_types, set(check.targets)
        senders = [s for s in self.senders if {s.name, s.sender} & wanted]
        others = wanted - {s.name for s in senders} - {s.sender for s in senders}
        if kinds == (SenderTarget,):
            return senders
        named = [self._chosen(kinds, text) for text in check.targets if text in others]
        by_name = {target.name: target for target in named}
        return [*by_name.values(), *(senders if SenderTarget in kinds else ())]

    def of(self, kind: type[Target]) -> tuple[Target, ...]:
        """All targets of one type."""
        by_kind: dict[type[Target], tuple[Target, ...]] = {
            DomainTarget: self.domains,
            AddressTarget: self.addresses,
            HostTarget: self.hosts,
            LinkHostTarget: self.link_hosts,
            SenderTarget: self.senders,
            MonitorTarget: (MonitorTarget(),),
        }
        return by_kind[kind]

    def find(self, kind: type[Target], name: str) -> Target | None:
        """The target of this type and name."""
        return self._by_name.get((kind, name))

    def _chosen(self, kinds: Sequence[type[Target]], text: str) -> Target:
        """The target that a check's `targets` names, with what is known of it."""
        if HostTarget in kinds:
            host, port = names.host_port(text, default=names.SMTP_PORT)
            target: Target = HostTarget(host, port, self._domain_of(host))
        elif AddressTarget in kinds and names.is_address(text):
            target = AddressTarget(ip_address(text), "")
        else:
            target = _domain_target(names.domain_name(text), Role.PRIMARY, (), ())
        return self.find(type(target), target.name) or target

    def _domain_of(self, host: str) -> str:
        """The declared domain that a host's name is in (the longest); the host itself where none is."""
        around = [d.name for d in self.domains if f".{host}".endswith(f".{d.name}")]
        return max(around, key=len, default=host)


def build(config: ValidConfig, discoveries: Mapping[str, Discovery]) -> Inventory:
    """The targets of what is declared and what was discovered (by domain name)."""
    senders: dict[str, list[Sender]] = {domain.name: [] for domain in config.domains}
    for sender in config.senders:
        for name in dict.fromkeys(sender.domains):
            senders[name].append(sender)
    return Inventory(
        domains=tuple(_declared_domain(domain, senders[domain.name]) for domain in config.domains),
        addresses=_once(
            [*_declared_addresses(config), *_discovered_addresses(config, discoveries)]
        ),
        hosts=_once([*_declared_hosts(config), *_discovered_hosts(config, discoveries)]),
        link_hosts=_once(_link_hosts(config)),
        senders=_once(_sender_targets(config)),
    )


def target_of(text: str) -> Target:
    """The target that a person names: an address, `host:port`, or else a domain.

    Raises:
        ValueError: it is none of them.
    """
    if names.is_address(text):
        return AddressTarget(ip_address(text), "")
    if ":" in text:
        host, port = names.host_port(text)
        return HostTarget(host, port, host)
    return _domain_target(names.domain_name(text), Role.PRIMARY, (), ())


def _declared_domain(domain: Domain, senders: Sequence[Sender]) -> DomainTarget:
    selectors = [*domain.dkim_selectors, *(s for sender in senders for s in sender.dkim_selectors)]
    return _domain_target(domain.name, domain.role, selectors, senders, domain.tracking_hosts)


def _domain_target(
    name: str,
    role: Role,
    selectors: Iterable[str],
    senders: Iterable[Sender],
    tracking_hosts: tuple[str, ...] = (),
) -> DomainTarget:
    declared = tuple(dict.fromkeys(selectors))
    return DomainTarget(
        name=name,
        role=role,
        selectors=declared or tuple(usual.selector for usual in USUAL_SELECTORS),
        selectors_declared=bool(declared),
        senders=tuple(senders),
        tracking_hosts=tracking_hosts,
    )


def _declared_addresses(config: ValidConfig) -> Iterable[AddressTarget]:
    for sender in config.senders:
        for address in map(ip_address, _seen_by_receivers(sender)):
            yield AddressTarget(address, sender.domains[0], sender.name, sender.helo)


def _seen_by_receivers(sender: Sender) -> tuple[str, ...]:
    """Its addresses without private ones: behind a translation receivers see another."""
    return tuple(
        text
        for text in sender.addresses
        if _is_public(address := ip_address(text))
        or any(address in network for network in _DOCUMENTATION)
    )


def _discovered_addresses(
    config: ValidConfig, discoveries: Mapping[str, Discovery]
) -> Iterable[AddressTarget]:
    for domain in config.domains:
        if found := discoveries.get(domain.name):
            addresses = filter(_is_public, map(ip_address, found.addresses))
            yield from (AddressTarget(address, domain.name) for address in addresses)


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _declared_hosts(config: ValidConfig) -> Iterable[HostTarget]:
    for domain in config.domains:
        for text in domain.mail_hosts:
            host, port = names.host_port(text)
            yield HostTarget(host, port, domain.name, own=True)


def _discovered_hosts(
    config: ValidConfig, discoveries: Mapping[str, Discovery]
) -> Iterable[HostTarget]:
    for domain in config.domains:
        found = discoveries.get(domain.name)
        if found and domain.role is not Role.PARKED:
            yield from (HostTarget(host, names.SMTP_PORT, domain.name) for host in found.mx_hosts)


def _link_hosts(config: ValidConfig) -> Iterable[LinkHostTarget]:
    declared = {domain.name for domain in config.domains}
    for domain in config.domains:
        for host in domain.tracking_hosts:
            if declared.isdisjoint({host, registrable_domain(host)}):
                yield LinkHostTarget(host, domain.name)


def _sender_targets(config: ValidConfig) -> Iterable[SenderTarget]:
    roles = {domain.name: domain.role for domain in config.domains}
    for sender in config.senders:
        streams = tuple(stream.name for stream in sender.streams)
        for domain in sender.domains:
            yield SenderTarget(
                sender=sender.name,
                domain=domain,
                role=roles[domain],
                streams=streams,
                platform=sender.platform,
                envelope_domains=sender.envelope_domains,
                addresses=_seen_by_receivers(sender),
                helo=sender.helo,
                selectors=sender.dkim_selectors,
            )


def _once(targets: Iterable[_TargetT]) -> tuple[_TargetT, ...]:
    """Each name once, the first wins."""
    seen: dict[str, _TargetT] = {}
    for target in targets:
        seen.setdefault(target.name, target)
    return tuple(seen.values())
