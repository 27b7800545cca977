"""Who may send by a domain's own SPF record, without what is behind the includes of platforms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from monitor.check import DnsAnswer, DnsClient, Question
from monitor.model import Provider
from monitor.protocol import spf
from monitor.protocol.mx import judge as judge_mx
from monitor.protocol.names import folded
from monitor.protocol.platforms import platform_of_include, provider_of_mx
from monitor.protocol.psl import registrable_domain
from monitor.protocol.spf import Mechanism, MechanismName, Qualifier

MAX_TERMS = 256
"""Terms of SPF that are read for addresses."""
MAX_HOSTS_OF_MX_TERM = 10
"""RFC 7208 §4.6.4: a receiver answers permerror to more."""

_ADDRESSED = frozenset({MechanismName.A, MechanismName.MX, MechanismName.IP4, MechanismName.IP6})


@dataclass(frozen=True, slots=True)
class Permit:
    """What one mechanism of a domain's own SPF record says of addresses.

    `term` is as written, without its qualifier (`ip4:192.0.2.0/24`, `mx`); `passes`: they may send (`+`);
    `networks` in CIDR form, those of `a` and `mx` as their names resolve.
    """

    term: str
    passes: bool
    networks: tuple[str, ...]


def cut(found: Sequence[object], most: int, what: str) -> list[str]:
    """What is left out where there are more than `most`, in words."""
    return [f"{len(found)} {what}: the first {most} count"] if len(found) > most else []


def exchanges_of(mx: DnsAnswer) -> tuple[str, ...]:
    """The usable hosts of an MX answer, best first."""
    return tuple(host.exchange for host in judge_mx(mx.records).hosts)


def without_providers(hosts: Iterable[str]) -> tuple[str, ...]:
    """The hosts of a mailbox provider receive for everyone and send nothing of ours."""
    return tuple(host for host in hosts if provider_of_mx(host) is Provider.OTHER)


@dataclass(frozen=True, slots=True)
class Behind:
    """A mechanism with the names whose addresses it admits; `kept` networks where these could not be told."""

    mechanism: Mechanism
    names: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(slots=True)
class OwnTerms:
    """The mechanisms with addresses of a domain's own records.

    Those are its record, and the ones under the same registrable domain that it includes or redirects to; what
    is elsewhere is a platform's. `unanswered`: some of these could not be told; `left_out` says in words what
    was too much.
    """

    domain: str
    dns: DnsClient
    mechanisms: list[Mechanism] = field(default_factory=list)
    unanswered: bool = False
    left_out: list[str] = field(default_factory=list)
    _asked: list[str] = field(default_factory=list)

    async def read(self, record: spf.SpfRecord) -> None:
        """Read the domain's own record."""
        await self._read(record, self.domain, Qualifier.PASS)
        asking = [m for m in self.mechanisms if m.looks_up]
        # What receivers do not reach either (RFC 7208 §4.6.4) costs no question.
        unreached = set(asking[spf.MAX_LOOKUPS :])
        kept = [m for m in self.mechanisms if m not in unreached]
        self.left_out += cut(asking, spf.MAX_LOOKUPS, "terms of SPF that ask the DNS")
        self.left_out += cut(kept, MAX_TERMS, "terms of SPF")
        self.left_out += cut(self._asked, spf.MAX_LOOKUPS, "own includes of SPF")
        self.mechanisms = kept[:MAX_TERMS]

    async def _read(self, record: spf.SpfRecord, name: str, qualifier: Qualifier) -> None:
        for mechanism in record.reachable:
            # A match in an included record counts as the include does (§5.2).
            matched = qualifier if mechanism.qualifier is Qualifier.PASS else mechanism.qualifier
            at = folded(mechanism.domain)
            if mechanism.name is MechanismName.INCLUDE:
                await self._follow(at, matched)
            elif mechanism.name in _ADDRESSED and not _is_elsewhere(mechanism):
                looked_up = at or ("" if name == self.domain else name)
                place = looked_up if mechanism.looks_up else ""
                self.mechanisms.append(replace(mechanism, domain=place, qualifier=matched))
        if record.redirect:
            await self._follow(folded(record.redirect), qualifier)

    async def _follow(self, name: str, qualifier: Qualifier) -> None:
        if spf.has_macro(name) or name in {self.domain, *self._asked} or not self._is_ours(name):
            return
        self._asked.append(name)
        if len(self._asked) > spf.MAX_LOOKUPS:
            return
        answer = await self.dns.ask(name, "TXT")
        self.unanswered |= not answer.known
        record = spf.usable_record(answer.records)
        if record is not None and self._is_ours(answer.canonical_name or name):
            await self._read(record, name, qualifier)

    def _is_ours(self, name: str) -> bool:
        ours = registrable_domain(name) == (registrable_domain(self.domain) or self.domain)
        return ours and platform_of_include(name) is None


def _is_elsewhere(mechanism: Mechanism) -> bool:
    """It depends on the message, or is a platform's: neither tells addresses of ours."""
    return bool(mechanism.domain) and (
        spf.has_macro(mechanism.domain) or platform_of_include(mechanism.domain) is not None
    )


async def behind_terms(
    domain: str,
    terms: Sequence[Mechanism],
    mx_hosts: Sequence[str],
    dns: DnsClient,
    before: Mapping[str, tuple[str, ...]],
) -> list[Behind]:
    """What each term admits; `mx_hosts` are the domain's own."""
    others = [
        m.domain for m in terms if m.name is MechanismName.MX and m.domain not in {"", domain}
    ]
    answers = await dns.ask_many([Question(name, "MX") for name in others]) if others else []
    exchanges = dict(zip(others, answers, strict=True))

    def behind(mechanism: Mechanism) -> Behind:
        if mechanism.name is MechanismName.A:
            return Behind(mechanism, (mechanism.domain or domain,))
        if mechanism.name is not MechanismName.MX:
            return Behind(mechanism)
        answer = exchanges.get(mechanism.domain)
        if answer is not None and not answer.known:
            return Behind(mechanism, kept=before.get(_written(mechanism), ()))
        hosts = mx_hosts if answer is None else exchanges_of(answer)
        return Behind(mechanism, without_providers(hosts[:MAX_HOSTS_OF_MX_TERM]))

    return [behind(mechanism) for mechanism in terms]


def permit_of(found: Behind, hosts: Mapping[str, tuple[str, ...]]) -> Permit:
    """What a term says of the addresses that its names have."""
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
