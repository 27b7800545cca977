"""What a domain's MX records are worth, and what a change of them means."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from monitor.model import Classification, Drift, Finding, Role
from monitor.protocol import mx
from monitor.protocol.mx import MxSet

# Naming a host twice does no harm.
_HARMLESS = frozenset({"duplicate"})


class Host(StrEnum):
    """What the DNS says of an exchange."""

    RESOLVES = "resolves"
    DEAD = "dead"
    ALIAS = "alias"
    UNKNOWN = "unknown"


def of_records(
    domain: str, role: Role, records: tuple[str, ...], hosts: Mapping[str, Host]
) -> tuple[Finding, ...]:
    """Findings of the subject `records`; `hosts` has each exchange of the records."""
    return tuple(_of_records(domain, role, records, hosts))


def _of_records(
    domain: str, role: Role, records: tuple[str, ...], hosts: Mapping[str, Host]
) -> Iterator[Finding]:
    judged = mx.judge(records)
    evidence = "\n".join(records)
    if not records and role is not Role.PARKED:
        yield Finding(
            "missing",
            f"{domain} has no MX record: replies and bounces go to its own address, if it has one",
            fix=f"Publish: {domain}. IN MX 10 <the host that takes mail for {domain}>",
        )
    if judged.null and not judged.hosts and role is not Role.PARKED:
        yield Finding(
            "null_mx",
            f"{domain} says that it takes no mail (null MX): receivers may refuse mail from it",
            fix=(
                f"Replace `MX 0 .` of {domain} by a host that takes its mail (RFC 7505 §4.2), "
                "or declare the domain as parked"
            ),
            evidence=evidence,
        )
    problems = [problem for problem in judged.problems if problem.code not in _HARMLESS]
    if problems:
        yield Finding(
            "record_invalid",
            "; ".join(problem.message for problem in problems),
            fix=f"Correct or remove that MX record of {domain}",
            evidence=evidence,
        )
    if _none_usable(judged, records, hosts):
        yield Finding(
            "none_usable",
            f"no MX record of {domain} leads to a host: all mail to it bounces",
            fix=f"Publish: {domain}. IN MX 10 <a host that has an A or AAAA record>",
            evidence=evidence,
        )


def _none_usable(judged: MxSet, records: tuple[str, ...], hosts: Mapping[str, Host]) -> bool:
    if not records or judged.null:
        return False
    return all(hosts[host.exchange] is Host.DEAD for host in judged.hosts)


def of_host(domain: str, exchange: str, host: Host, alias: str) -> tuple[Finding, ...]:
    """Findings of one exchange; `alias` is where its CNAME leads."""
    if host is Host.DEAD:
        return (
            Finding(
                "exchange_dead",
                f"{exchange}, an MX of {domain}, has no address",
                fix=f"Give {exchange} an A or AAAA record, or remove it from the MX records of {domain}",
            ),
        )
    if host is Host.ALIAS:
        return (
            Finding(
                "exchange_alias",
                f"{exchange}, an MX of {domain}, is a CNAME: some senders refuse that (RFC 2181 §10.3)",
                fix=f"Name the real host in the MX record of {domain}, or give {exchange} its own A record",
                evidence=f"{exchange} CNAME {alias}",
            ),
        )
    return ()


def watched(records: tuple[str, ...]) -> str:
    """The state that drift watches: the usable records, best first; the null MX as `0 .`."""
    judged = mx.judge(records)
    if judged.null and not judged.hosts:
        return "0 ."
    return ", ".join(f"{host.preference} {host.exchange}" for host in judged.hosts)


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning: who takes the mail, in which order."""
    if accepted == seen:
        return None
    if not seen or (seen == "0 ." and accepted):
        what = "the MX records are gone" if not seen else "a null MX took their place"
        return Drift(
            Classification.VANISHED, f"{what}: mail to the domain no longer arrives as before"
        )
    then, now = set(accepted.split(", ")) - {""}, set(seen.split(", "))
    parts = [
        f"{word} {', '.join(sorted(terms))}"
        for word, terms in (("without", then - now), ("with", now - then))
        if terms
    ]
    return Drift(Classification.CHANGED, "other hosts take the mail: " + "; ".join(parts))
