"""Addresses as targets: those declared, and those that the DNS tells of, each once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from monitor.config import names
from monitor.config.valid import ValidConfig
from monitor.inventory.discovery import Discovery
from monitor.inventory.permits import Permit
from monitor.inventory.ranges import (
    Network,
    is_documentation,
    is_expanded,
    is_looked_at_whole,
    is_public,
    network_of,
    seen_by_receivers,
)
from monitor.model import Address, AddressTarget, Domain, Sender

MAX_FOUND = 1024
"""Addresses of one domain that the DNS tells of and that are looked at: four ranges of the largest size."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a domain is not looked at although the configuration or the DNS names it, in words."""

    domain: str
    what: str


def names_to_resolve(config: ValidConfig) -> dict[str, tuple[str, ...]]:
    """The declared names of each domain whose addresses `discover` is to find: mail hosts, and HELO names."""
    found = {
        domain.name: [names.host_port(text)[0] for text in domain.mail_hosts]
        for domain in config.domains
    }
    for sender in config.senders:
        for domain in sender.domains:
            found[domain] += [sender.helo] if sender.helo else []
    return {domain: tuple(dict.fromkeys(hosts)) for domain, hosts in found.items()}


def address_targets(
    config: ValidConfig, discoveries: Mapping[str, Discovery]
) -> tuple[tuple[AddressTarget, ...], tuple[LeftOut, ...]]:
    """Every address that is looked at, and what is not.

    An address that several things name has the first domain and the first sender, and sends where any
    of them says so.
    """
    wide = _wide_ranges(config)
    senders = senders_by_domain(config)
    targets: dict[Address, AddressTarget] = {}
    for target in _declared(config):
        _add(targets, target)
    left_out: list[LeftOut] = []
    for domain in config.domains:
        found = discoveries.get(domain.name)
        if found is not None:
            candidates = _owned(_found(domain, senders[domain.name], found), wide)
            seen = (t for t in candidates if is_public(t.address) or _is_declared(t, targets, wide))
            left_out += _add_found(targets, domain.name, seen)
            left_out += [LeftOut(domain.name, what) for what in _not_looked_at(found)]
    for network, sender in wide:
        asked = all(domain in discoveries for domain in sender.domains)
        if asked and not any(address in network for address in targets):
            what = f"{network} of {sender.name}: no address in it is known; declare those that send"
            left_out.append(LeftOut(sender.domains[0], what))
    return tuple(targets.values()), tuple(left_out)


def senders_by_domain(config: ValidConfig) -> dict[str, list[Sender]]:
    """Who sends under each declared domain."""
    senders: dict[str, list[Sender]] = {domain.name: [] for domain in config.domains}
    for sender in config.senders:
        for name in dict.fromkeys(sender.domains):
            senders[name].append(sender)
    return senders


def _add(targets: dict[Address, AddressTarget], target: AddressTarget) -> None:
    first = targets.setdefault(target.address, target)
    if first is not target:
        targets[target.address] = replace(
            first,
            domain=first.domain if first.sender or not target.sender else target.domain,
            sender=first.sender or target.sender,
            helo=first.helo or target.helo,
            sends=first.sends or target.sends,
            part_of=first.part_of and target.part_of,
        )


def _add_found(
    targets: dict[Address, AddressTarget], domain: str, candidates: Iterable[AddressTarget]
) -> Sequence[LeftOut]:
    """Add what was found of one domain, at most so many addresses that nothing named before."""
    fresh = 0
    for target in candidates:
        if target.address not in targets:
            if fresh == MAX_FOUND:
                return [LeftOut(domain, f"more than {MAX_FOUND} addresses: the first ones count")]
            fresh += 1
        _add(targets, target)
    return ()


# --- declared --------------------------------------------------------------------------------------


def _declared(config: ValidConfig) -> Iterator[AddressTarget]:
    for sender in config.senders:
        for text in filter(seen_by_receivers, sender.addresses):
            yield AddressTarget(ip_address(text), sender.domains[0], sender.name, sender.helo)
    for sender in config.senders:
        for text in filter(is_looked_at_whole, sender.ranges):
            # Its first and last address too: a range is no subnet, and mail leaves from those of routed blocks.
            for address in network_of(text):
                yield AddressTarget(address, sender.domains[0], sender.name, part_of=text)


def _wide_ranges(config: ValidConfig) -> list[tuple[Network, Sender]]:
    """Those too large to be looked at whole: their addresses are those that something else names."""
    return [
        (network_of(text), sender)
        for sender in config.senders
        for text in filter(seen_by_receivers, sender.ranges)
        if not is_expanded(network_of(text))
    ]


def _owned(
    candidates: Iterable[AddressTarget], wide: Sequence[tuple[Network, Sender]]
) -> Iterator[AddressTarget]:
    """The candidates, with the sender that declares them by a range."""
    for target in candidates:
        owner = next((sender for network, sender in wide if target.address in network), None)
        if owner is None:
            yield target
        else:
            yield replace(target, domain=owner.domains[0], sender=owner.name, sends=True)


def _is_declared(
    target: AddressTarget,
    targets: Mapping[Address, AddressTarget],
    wide: Sequence[tuple[Network, Sender]],
) -> bool:
    """Addresses for documentation count where somebody declares them."""
    address = target.address
    return address in targets or (
        is_documentation(address) and any(address in network for network, _ in wide)
    )


# --- found -----------------------------------------------------------------------------------------


def _found(domain: Domain, senders: Sequence[Sender], found: Discovery) -> Iterator[AddressTarget]:
    permits = _Permits(found.permits)
    for target in _of_hosts(domain, senders, found):
        yield target if target.sends else replace(target, sends=permits.allow(target.address))
    for term, network in permits.passing:
        for address in network:
            if permits.allow(address):
                # As a network of one, or in any spelling, the record names the address itself.
                alone = network.num_addresses == 1 and term.lower().startswith(("ip4:", "ip6:"))
                yield AddressTarget(address, domain.name, part_of="" if alone else term)


def _of_hosts(
    domain: Domain, senders: Sequence[Sender], found: Discovery
) -> Iterator[AddressTarget]:
    for sender in senders:
        # The HELO name of one whose addresses are declared may be a web site's too.
        sends = not (sender.addresses or sender.ranges)
        for text in found.hosts.get(sender.helo, ()):
            address = ip_address(text)
            yield AddressTarget(address, sender.domains[0], sender.name, sender.helo, sends=sends)
    for host in (*found.mx_hosts, *(names.host_port(text)[0] for text in domain.mail_hosts)):
        for text in found.hosts.get(host, ()):
            yield AddressTarget(ip_address(text), domain.name, sends=False)


class _Permits:
    """Who may send by a domain's own record; single addresses come first."""

    def __init__(self, permits: Sequence[Permit]) -> None:
        self._networks = [(p, tuple(map(network_of, p.networks))) for p in permits]
        passing = [(p.term, n) for p, networks in self._networks if p.passes for n in networks]
        looked_at = [(term, network) for term, network in passing if _is_looked_at(network)]
        self.passing = sorted(looked_at, key=lambda one: one[1].num_addresses)

    def allow(self, address: Address) -> bool:
        """As receivers do: the first mechanism that matches decides (RFC 7208 §4.6.2)."""
        for permit, networks in self._networks:
            if any(address in network for network in networks):
                return permit.passes
        return False


def _is_looked_at(network: Network) -> bool:
    """At most a /24; of IPv6 single hosts only, for the rest of a network is empty."""
    return network.num_addresses == 1 if network.version == 6 else is_expanded(network)  # noqa: PLR2004


def _not_looked_at(found: Discovery) -> Iterator[str]:
    yield from found.left_out
    for permit in found.permits:
        if permit.passes and not all(_is_looked_at(network_of(n)) for n in permit.networks):
            yield f"{permit.term} of its SPF record is large: only addresses known otherwise count"
