"""Whether the DNS answers for a domain at all: without it no record of the domain works."""

from typing import ClassVar

from monitor.check import About, Code, Confirm, DnsAnswer, DnsStatus, Question, Settings, World
from monitor.model import DomainTarget, Finding, Look, Outcome, Role, Severity

_DELEGATION = "delegation"
_SERVERS = "name servers"


class NsCheck:
    """Asks for the SOA and NS records; bad news is believed when the canaries resolve."""

    about: ClassVar[About] = About(
        name="ns",
        title="Delegation and name servers",
        targets=DomainTarget,
        interval=300.0,
        codes=(
            Code("unresolvable", Severity.CRITICAL, "the domain's own servers do not answer"),
            Code("nonexistent", Severity.CRITICAL, "the domain does not exist in the DNS"),
            Code("single_server", Severity.WARNING, "only one name server"),
        ),
        confirm=Confirm.OTHER_PATH,
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at the subjects `delegation` and `name servers`."""
        soa, ns = await world.dns.ask_many(
            [Question(target.name, "SOA"), Question(target.name, "NS")]
        )
        ours = await world.canaries.resolver() if _bad_news(soa) else None
        return Outcome((_delegation(target, soa, ours), _servers(ns)))


def _bad_news(answer: DnsAnswer) -> bool:
    return not answer.known or answer.status is DnsStatus.NXDOMAIN


def _delegation(target: DomainTarget, soa: DnsAnswer, ours: str | None) -> Look:
    """NODATA is good news: the name exists inside a zone above it. `ours`: why it may be our own fault."""
    if ours is not None:
        return Look.unknown(_DELEGATION, ours)
    if not soa.known:
        return Look.known(_DELEGATION, (_unresolvable(target.name, soa),))
    if soa.status is DnsStatus.NXDOMAIN:
        return Look.known(_DELEGATION, (_nonexistent(target),))
    return Look.known(_DELEGATION)


def _unresolvable(domain: str, soa: DnsAnswer) -> Finding:
    return Finding(
        "unresolvable",
        f"the name servers of {domain} do not answer ({soa.status}), while other domains resolve",
        fix=(
            f"Ask each server of `dig +trace NS {domain}` for `SOA {domain}`; then mend the servers, "
            "the delegation at the registrar, or DNSSEC (a DS record that matches no key)"
        ),
        evidence=soa.reason,
    )


def _nonexistent(target: DomainTarget) -> Finding:
    return Finding(
        "nonexistent",
        f"{target.name} does not exist in the DNS (NXDOMAIN)",
        fix=(
            f"Look at the registration of {target.name}: expired, on hold, or without name servers. "
            "A subdomain needs at least one record in its zone. "
            "If it was given up, remove it from the configuration"
        ),
        # A parked domain sends nothing that could be refused.
        severity=Severity.WARNING if target.role is Role.PARKED else None,
    )


def _servers(ns: DnsAnswer) -> Look:
    if not ns.known:
        return Look.unknown(_SERVERS, ns.blindness)
    if len(ns.records) != 1:
        return Look.known(_SERVERS)
    return Look.known(
        _SERVERS,
        (
            Finding(
                "single_server",
                f"{ns.question.name} has one name server: the domain ends when it does",
                fix="Add at least one more name server, in another network (RFC 2182 §3.1, §5)",
                evidence=ns.records[0],
            ),
        ),
    )
