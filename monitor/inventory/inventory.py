"""All targets: which a check looks at, and each by its name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeVar

from monitor.config import names
from monitor.config.sections import CheckConfig
from monitor.config.valid import ValidConfig
from monitor.inventory.addresses import LeftOut, address_targets, senders_by_domain
from monitor.inventory.discovery import Discovery
from monitor.inventory.targets import (
    declared_domain,
    declared_hosts,
    discovered_hosts,
    domain_target,
    named_domains,
    sender_targets,
)
from monitor.model import (
    AddressTarget,
    DomainTarget,
    HostTarget,
    MonitorTarget,
    NamedDomainTarget,
    Role,
    SenderTarget,
    Target,
)

_TargetT = TypeVar("_TargetT", bound=Target)


@dataclass(frozen=True, slots=True)
class Inventory:
    """All targets by type, each once, in the order of the configuration.

    `left_out` says what is not looked at although the configuration or the DNS names it.
    """

    domains: tuple[DomainTarget, ...]
    addresses: tuple[AddressTarget, ...]
    hosts: tuple[HostTarget, ...]
    named_domains: tuple[NamedDomainTarget, ...]
    senders: tuple[SenderTarget, ...]
    left_out: tuple[LeftOut, ...] = ()
    _by_name: Mapping[tuple[type[Target], str], Target] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        every: list[Target] = [
            MonitorTarget(),
            *self.domains,
            *self.addresses,
            *self.hosts,
            *self.named_domains,
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
        # What a check says of the monitor itself it says whatever else it is told to look at.
        ourselves = self.of(MonitorTarget) if MonitorTarget in kinds else ()
        return [*ourselves, *by_name.values(), *(senders if SenderTarget in kinds else ())]

    def of(self, kind: type[Target]) -> tuple[Target, ...]:
        """All targets of one type."""
        by_kind: dict[type[Target], tuple[Target, ...]] = {
            DomainTarget: self.domains,
            AddressTarget: self.addresses,
            HostTarget: self.hosts,
            NamedDomainTarget: self.named_domains,
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
            target = domain_target(names.domain_name(text), Role.PRIMARY, (), ())
        return self.find(type(target), target.name) or target

    def _domain_of(self, host: str) -> str:
        """The declared domain that a host's name is in (the longest); the host itself where none is."""
        around = [d.name for d in self.domains if f".{host}".endswith(f".{d.name}")]
        return max(around, key=len, default=host)


def build(config: ValidConfig, discoveries: Mapping[str, Discovery]) -> Inventory:
    """The targets of what is declared and what was discovered (by domain name)."""
    senders = senders_by_domain(config)
    addresses, left_out = address_targets(config, discoveries)
    return Inventory(
        domains=tuple(declared_domain(domain, senders[domain.name]) for domain in config.domains),
        addresses=addresses,
        hosts=_once([*declared_hosts(config), *discovered_hosts(config, discoveries)]),
        named_domains=_once(named_domains(config)),
        senders=_once(sender_targets(config)),
        left_out=left_out,
    )


def _once(targets: Iterable[_TargetT]) -> tuple[_TargetT, ...]:
    """Each name once, the first wins."""
    seen: dict[str, _TargetT] = {}
    for target in targets:
        seen.setdefault(target.name, target)
    return tuple(seen.values())
