"""The MX records of a domain and the hosts that they name (RFC 5321 §5.1, RFC 7505)."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from checks.mx import evaluate, hosts
from checks.mx.hosts import Host, State
from monitor.check import About, Code, Question, Settings, World
from monitor.model import Classification, DomainTarget, Drift, Look, Outcome, Role, Severity
from monitor.protocol import mx
from monitor.protocol.mx import MxSet

MOST_HOSTS = 16
"""Of one domain that are looked at, the best first."""

_RECORDS = "records"
_OWN_ADDRESS = "own address"
_ANY_HOST = "any host"


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(
            f"`{str(value)[:80]}` is no range of addresses: write it from its first one on, like `10.0.0.0/8`"
        ) from None


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]


class MxSettings(Settings):
    """Which addresses senders can reach."""

    reachable_networks: tuple[Network, ...] = ()
    """Networks that count as reachable though they are not public: for mail within a closed network."""


class MxCheck:
    """Looks at the records, and at each host that they name; without records at the domain's own address."""

    about: ClassVar[About] = About(
        name="mx",
        title="MX records",
        targets=DomainTarget,
        interval=900.0,
        settings=MxSettings,
        codes=(
            Code("none_usable", Severity.CRITICAL, "no record leads to a host"),
            Code("records_vanished", Severity.CRITICAL, "the records are gone"),
            Code("missing", Severity.WARNING, "no MX record and no address"),
            Code("null_mx", Severity.WARNING, "a sending domain takes no mail"),
            Code("record_invalid", Severity.WARNING, "a record that senders cannot use"),
            Code("exchange_dead", Severity.WARNING, "a host has no address"),
            Code("exchange_alias", Severity.WARNING, "a host is a CNAME"),
            Code("exchange_private", Severity.WARNING, "a host has an address out of reach"),
            Code("records_changed", Severity.WARNING, "other hosts than accepted"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("implicit_mx", Severity.INFO, "no MX record: mail goes to the own address"),
            Code("duplicate", Severity.INFO, "a host is named more than once"),
            Code("many_records", Severity.INFO, "more records than are looked at"),
            Code("no_ipv6", Severity.INFO, "no host has an IPv6 address"),
            Code("no_redundancy", Severity.INFO, "one host or one network takes all mail"),
        ),
        absent=("missing",),
        drift_codes={
            Classification.VANISHED: "records_vanished",
            Classification.CHANGED: "records_changed",
            Classification.INCONSISTENT: "record_inconsistent",
        },
    )

    def __init__(self, settings: MxSettings) -> None:
        self._reachable = settings.reachable_networks

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at the subject `records` and one at each host."""
        answer = await world.authorities.ask(target.name, "MX")
        if not answer.known:
            return Outcome.unknown(answer.blindness)
        judged = mx.judge(answer.records)
        implicit = not answer.records and target.role is not Role.PARKED
        named = (target.name,) if implicit else tuple(h.exchange for h in judged.hosts[:MOST_HOSTS])
        found = await _find(named, world)
        records = Look.known(
            _RECORDS,
            evaluate.of_records(target, answer.records, judged, found, self._reachable),
            # What a parked domain must say is told by the check `parked`: that its hosts go is no loss.
            record=None if target.role is Role.PARKED else evaluate.watched(judged),
            disputed=answer.disagreement,
        )
        if implicit:
            return Outcome((records, _own_address(found[0])))
        together = _any_host(target.name, answer.records, judged, found)
        return Outcome((records, together, *(self._look(target.name, host) for host in found)))

    def _look(self, domain: str, host: Host) -> Look:
        if host.state is State.UNKNOWN:
            return Look.unknown(host.name, host.reason)
        return Look.known(host.name, evaluate.of_host(domain, host, self._reachable))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the records differ from the accepted ones in meaning, None where they do not."""
        return evaluate.classify(accepted, seen)


def _own_address(host: Host) -> Look:
    """Where mail goes without MX records."""
    if host.state is State.UNKNOWN:
        return Look.unknown(_OWN_ADDRESS, host.reason)
    return Look.known(_OWN_ADDRESS, (evaluate.of_own_address(host.name, host),))


def _any_host(
    domain: str, records: tuple[str, ...], judged: MxSet, found: tuple[Host, ...]
) -> Look:
    """Whether mail finds a host at all: a look of its own, since one host that is not told hides only this."""
    if any(host.addresses for host in found) or judged.null or not records:
        return Look.known(_ANY_HOST)
    if unknown := [host for host in found if host.state is State.UNKNOWN]:
        return Look.unknown(_ANY_HOST, unknown[0].reason)
    if len(judged.hosts) > len(found):
        return Look.unknown(_ANY_HOST, f"only the best {MOST_HOSTS} hosts are looked at")
    return Look.known(_ANY_HOST, (evaluate.none_usable(domain, records),))


async def _find(names: tuple[str, ...], world: World) -> tuple[Host, ...]:
    """What the DNS says of these hosts' addresses."""
    answers = await world.dns.ask_many(
        [Question(name, rtype) for name in names for rtype in ("A", "AAAA")]
    )
    return tuple(map(hosts.read, names, answers[::2], answers[1::2]))
