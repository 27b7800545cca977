"""What a domain's MX records are worth, and what a change of them means."""

from collections.abc import Iterator, Sequence

from checks.mx.hosts import Host, Networks, State, in_one_network, out_of_reach
from monitor.check.drift import difference
from monitor.model import Classification, DomainTarget, Drift, Finding, Provider, Role
from monitor.protocol import mx
from monitor.protocol.mx import MxSet
from monitor.protocol.platforms import provider_of_mx

_DUPLICATE = "duplicate"
_NULL = "0 ."


def of_records(
    target: DomainTarget,
    records: tuple[str, ...],
    judged: MxSet,
    hosts: Sequence[Host],
    reachable: Networks,
) -> tuple[Finding, ...]:
    """Findings of the subject `records`, `judged`; `hosts` are those that take the mail, as far as they were asked for.

    What a parked domain should say is told by the check `parked`.
    """
    found = list(_of_text(target.name, records, judged))
    if judged.null and not judged.hosts and target.role is not Role.PARKED:
        found.insert(0, _null(target.name, records))
    if judged.hosts:
        found += _of_hosts_together(target.name, judged, hosts, reachable)
    return tuple(found)


def _null(domain: str, records: tuple[str, ...]) -> Finding:
    return Finding(
        "null_mx",
        f"{domain} sends, and says that it takes no mail (null MX): bounces cannot come back, "
        "and receivers may refuse mail from it",
        fix=(
            f"Replace `MX 0 .` of {domain} by a host that takes its mail (RFC 7505 §4.2), "
            "or declare the domain as parked"
        ),
        evidence="\n".join(records),
    )


def of_own_address(domain: str, host: Host) -> Finding:
    """The finding of a domain without MX records, whose own address is known, or that there is none."""
    fix = f"Publish: {domain}. IN MX 10 <the host that takes mail for {domain}>"
    if host.state is State.DEAD:
        return Finding(
            "missing",
            f"{domain} has neither an MX record nor an address: replies and bounces cannot come back",
            fix=fix,
        )
    return Finding(
        "implicit_mx",
        f"{domain} has no MX record: replies and bounces go to its own address (RFC 5321 §5.1), "
        "and are lost unless a mail server listens there",
        fix=fix,
        evidence="\n".join(map(str, host.addresses)),
    )


def none_usable(domain: str, records: tuple[str, ...]) -> Finding:
    """The finding of MX records none of which leads to a host."""
    return Finding(
        "none_usable",
        f"no MX record of {domain} leads to a host: all mail to it bounces",
        fix=f"Publish: {domain}. IN MX 10 <a host that has an A or AAAA record>",
        evidence="\n".join(records),
    )


def _of_text(domain: str, records: tuple[str, ...], judged: MxSet) -> Iterator[Finding]:
    evidence = "\n".join(records)
    problems = [problem for problem in judged.problems if problem.code != _DUPLICATE]
    if problems:
        yield Finding(
            "record_invalid",
            "; ".join(problem.message for problem in problems),
            fix=f"Correct or remove that MX record of {domain}",
            evidence=evidence,
        )
    for problem in judged.problems:
        if problem.code == _DUPLICATE:
            yield Finding(
                "duplicate",
                f"{problem.message} in the MX records of {domain}: the second record does nothing",
                fix=f"Leave one MX record of {domain} for each host",
                evidence=evidence,
            )
            return


def _of_hosts_together(
    domain: str, judged: MxSet, hosts: Sequence[Host], reachable: Networks
) -> Iterator[Finding]:
    if len(judged.hosts) > len(hosts):
        yield Finding(
            "many_records",
            f"{domain} has {len(judged.hosts)} MX hosts, of which the best {len(hosts)} are looked at; "
            "few senders try more",
            fix=f"Leave the hosts of {domain} that take its mail",
        )
    alive = [host for host in hosts if host.addresses]
    if not alive or not all(host.complete for host in hosts):
        return
    if not any(address.version == 6 for host in alive for address in host.addresses):  # noqa: PLR2004
        yield Finding(
            "no_ipv6",
            f"no MX host of {domain} has an IPv6 address: senders that have no IPv4 do not reach it",
            fix=f"Give {alive[0].name} an AAAA record, once its server listens there",
        )
    # A large provider's single name stands for many machines in many places.
    own = all(provider_of_mx(host.name) is Provider.OTHER for host in alive)
    if own and in_one_network(alive) and not any(out_of_reach(host, reachable) for host in alive):
        what = f"the one host {alive[0].name}" if len(alive) == 1 else "hosts in one network"
        yield Finding(
            "no_redundancy",
            f"all mail to {domain} goes to {what}: where it fails, everything waits",
            fix=f"Add an MX host in another network to {domain}, or accept that senders retry for some days",
            evidence="\n".join(f"{h.name} {' '.join(map(str, h.addresses))}" for h in alive),
        )


def of_host(domain: str, host: Host, reachable: Networks) -> tuple[Finding, ...]:
    """Findings of one exchange."""
    return tuple(_of_host(domain, host, reachable))


def _of_host(domain: str, host: Host, reachable: Networks) -> Iterator[Finding]:
    alias = f"{host.name} CNAME {host.alias}" if host.alias else ""
    if host.state is State.DEAD:
        yield Finding(
            "exchange_dead",
            f"{host.name}, an MX of {domain}, has no address",
            fix=f"Give {host.name} an A or AAAA record, or remove it from the MX records of {domain}",
            evidence=alias,
        )
    if host.state is State.ALIAS:
        yield Finding(
            "exchange_alias",
            f"{host.name}, an MX of {domain}, is a CNAME: some senders refuse that (RFC 2181 §10.3)",
            fix=f"Name the real host in the MX record of {domain}, or give {host.name} its own A record",
            evidence=alias,
        )
    # No page, even where it is all that there is: our resolver may see the inside of a split DNS.
    if hidden := out_of_reach(host, reachable):
        yield Finding(
            "exchange_private",
            f"{host.name}, an MX of {domain}, has an address that the Internet does not reach: {hidden[0]}",
            fix=(
                f"Remove the address records of {host.name} that are not public; where only our resolver sees "
                "them (split DNS), let the monitor ask a resolver outside (`resolver.nameservers`)"
            ),
            evidence="\n".join(map(str, hidden)),
        )


def watched(judged: MxSet) -> str:
    """The state that drift watches: the usable records, best first; the null MX as `0 .`."""
    if judged.null and not judged.hosts:
        return _NULL
    return ", ".join(f"{host.preference} {host.exchange}" for host in judged.hosts)


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning: who takes the mail, in which order."""
    if accepted == seen or (accepted and seen and _ranked(accepted) == _ranked(seen)):
        return None
    if accepted == _NULL:
        what = "there are hosts where a null MX was" if seen else "the null MX is gone"
        return Drift(Classification.CHANGED, f"{what}: senders try to deliver mail again")
    if accepted and seen in {"", _NULL}:
        what = "a null MX took their place" if seen else "the MX records are gone"
        return Drift(
            Classification.VANISHED, f"{what}: mail to the domain no longer arrives as before"
        )
    then, now = set(accepted.split(", ")) - {""}, set(seen.split(", "))
    return Drift(Classification.CHANGED, f"other hosts take the mail: {difference(then, now)}")


def _ranked(state: str) -> tuple[bool, list[set[str]]]:
    """Whether it is the null MX, and the hosts as senders try them: preferences mean nothing but an order."""
    judged = mx.judge(list(filter(None, state.split(", "))))
    by_preference: dict[int, set[str]] = {}
    for host in judged.hosts:
        by_preference.setdefault(host.preference, set()).add(host.exchange)
    return judged.null, list(by_preference.values())
