"""Targets of each kind, from what is declared and what was discovered."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

from monitor.config import names
from monitor.config.valid import ValidConfig
from monitor.inventory.discovery import Discovery
from monitor.inventory.ranges import is_looked_at_whole, seen_by_receivers
from monitor.model import (
    AddressTarget,
    Domain,
    DomainTarget,
    HostTarget,
    NamedDomainTarget,
    Role,
    Sender,
    SenderTarget,
    Target,
)
from monitor.protocol.psl import registrable_domain
from monitor.protocol.selectors import USUAL_SELECTORS


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
    return domain_target(names.domain_name(text), Role.PRIMARY, (), ())


def declared_domain(domain: Domain, senders: Sequence[Sender]) -> DomainTarget:
    """A declared domain, with the selectors of its own and of those that send under it."""
    selectors = [*domain.dkim_selectors, *(s for sender in senders for s in sender.dkim_selectors)]
    return domain_target(domain.name, domain.role, selectors, senders, domain.tracking_hosts)


def domain_target(
    name: str,
    role: Role,
    selectors: Iterable[str],
    senders: Iterable[Sender],
    tracking_hosts: tuple[str, ...] = (),
) -> DomainTarget:
    """A domain; the usual selectors are tried where none is declared."""
    declared = tuple(dict.fromkeys(selectors))
    return DomainTarget(
        name=name,
        role=role,
        selectors=declared or tuple(usual.selector for usual in USUAL_SELECTORS),
        selectors_declared=bool(declared),
        senders=tuple(senders),
        tracking_hosts=tracking_hosts,
    )


def declared_hosts(config: ValidConfig) -> Iterable[HostTarget]:
    """Own mail hosts."""
    for domain in config.domains:
        for text in domain.mail_hosts:
            host, port = names.host_port(text)
            yield HostTarget(host, port, domain.name, own=True)


def discovered_hosts(
    config: ValidConfig, discoveries: Mapping[str, Discovery]
) -> Iterable[HostTarget]:
    """MX hosts; of parked domains none: nobody writes there."""
    for domain in config.domains:
        found = discoveries.get(domain.name)
        if found and domain.role is not Role.PARKED:
            yield from (HostTarget(host, names.SMTP_PORT, domain.name) for host in found.mx_hosts)


def named_domains(config: ValidConfig) -> Iterable[NamedDomainTarget]:
    """Domains that mail names without being declared, nor under a declared one: lists have domains, seldom hosts."""
    declared = {domain.name for domain in config.domains}
    for name, domain in _names_in_mail(config):
        registrable = registrable_domain(name) or name
        if not names.is_address(name) and declared.isdisjoint({name, registrable}):
            yield NamedDomainTarget(registrable, domain)


def _names_in_mail(config: ValidConfig) -> Iterable[tuple[str, str]]:
    """Each with the domain whose mail names it."""
    for domain in config.domains:
        yield from ((host, domain.name) for host in domain.tracking_hosts)
    for sender in config.senders:
        named = (*sender.envelope_domains, *sender.dkim_domains)
        yield from ((name, sender.domains[0]) for name in named)


def sender_targets(config: ValidConfig) -> Iterable[SenderTarget]:
    """Each sender under each of its domains."""
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
                addresses=tuple(filter(seen_by_receivers, sender.addresses)),
                ranges=tuple(filter(is_looked_at_whole, sender.ranges)),
                helo=sender.helo,
                selectors=sender.dkim_selectors,
            )
