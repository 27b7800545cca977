"""The MX records of a domain and the hosts that they name (RFC 5321 §5.1, RFC 7505)."""

from typing import ClassVar

from checks.mx import evaluate
from checks.mx.evaluate import Host
from monitor.check import About, Code, DnsAnswer, Question, Settings, World
from monitor.model import Classification, DomainTarget, Drift, Look, Outcome, Severity
from monitor.protocol import mx

_RECORDS = "records"


class MxCheck:
    """Looks at the records, and at each host that they name."""

    about: ClassVar[About] = About(
        name="mx",
        title="MX records",
        targets=DomainTarget,
        interval=900.0,
        codes=(
            Code("none_usable", Severity.CRITICAL, "no record leads to a host"),
            Code("records_vanished", Severity.CRITICAL, "the records are gone"),
            Code("missing", Severity.WARNING, "no MX record"),
            Code("null_mx", Severity.WARNING, "a sending domain takes no mail"),
            Code("record_invalid", Severity.WARNING, "a record that senders cannot use"),
            Code("exchange_dead", Severity.WARNING, "a host has no address"),
            Code("exchange_alias", Severity.WARNING, "a host is a CNAME"),
            Code("records_changed", Severity.WARNING, "other hosts than accepted"),
        ),
        drift_codes={
            Classification.VANISHED: "records_vanished",
            Classification.CHANGED: "records_changed",
        },
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at the subject `records` and one at each host."""
        answer = await world.dns.ask(target.name, "MX")
        if not answer.known:
            return Outcome.unknown(answer.blindness)
        exchanges = [host.exchange for host in mx.judge(answer.records).hosts]
        addresses = await world.dns.ask_many(
            [Question(name, rtype) for name in exchanges for rtype in ("A", "AAAA")]
        )
        pairs = dict(zip(exchanges, zip(addresses[::2], addresses[1::2], strict=True), strict=True))
        hosts = {name: _host(*pair) for name, pair in pairs.items()}
        records = Look.known(
            _RECORDS,
            evaluate.of_records(target.name, target.role, answer.records, hosts),
            record=evaluate.watched(answer.records),
        )
        looks = (_look(target.name, name, hosts[name], *pair) for name, pair in pairs.items())
        return Outcome((records, *looks))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the records differ from the accepted ones in meaning, None where they do not."""
        return evaluate.classify(accepted, seen)


def _host(ip4: DnsAnswer, ip6: DnsAnswer) -> Host:
    """One address is enough; that there is none takes two answers."""
    if ip4.records or ip6.records:
        with_records = ip4 if ip4.records else ip6
        canonical = with_records.canonical_name
        return Host.RESOLVES if canonical in {"", ip4.question.name} else Host.ALIAS
    return Host.DEAD if ip4.known and ip6.known else Host.UNKNOWN


def _look(domain: str, exchange: str, host: Host, ip4: DnsAnswer, ip6: DnsAnswer) -> Look:
    if host is Host.UNKNOWN:
        return Look.unknown(exchange, (ip6 if ip4.known else ip4).blindness)
    alias = ip4.canonical_name or ip6.canonical_name
    return Look.known(exchange, evaluate.of_host(domain, exchange, host, alias))
