"""What the answers of resolver, parent and name servers say of a domain's zone. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network

from monitor.check import (
    Code,
    Delegation,
    DnsAnswer,
    DnsStatus,
    SecureAnswer,
    ServerAnswer,
    Validation,
)
from monitor.check.drift import difference
from monitor.model import Classification, DomainTarget, Drift, Finding, Look, Role, Severity
from monitor.protocol.names import folded

DELEGATION = "delegation"
SERVERS = "name servers"
PARENT = "parent"

CODES = (
    Code("unresolvable", Severity.CRITICAL, "the domain's own servers do not answer"),
    Code("nonexistent", Severity.CRITICAL, "the domain does not exist in the DNS"),
    Code("dnssec_bogus", Severity.CRITICAL, "validating resolvers refuse the domain's answers"),
    Code("single_server", Severity.WARNING, "only one name server"),
    Code("one_network", Severity.INFO, "all name servers are in one network"),
    Code("server_silent", Severity.WARNING, "a name server does not answer"),
    Code("server_lame", Severity.WARNING, "a name server does not serve the zone"),
    Code("delegation_differs", Severity.WARNING, "parent and zone name other servers"),
    Code("glue_missing", Severity.WARNING, "the parent lacks the address of a name server"),
    Code("glue_differs", Severity.WARNING, "the parent has another address of a name server"),
    Code("servers_changed", Severity.WARNING, "other name servers than accepted"),
)
DRIFT_CODES = {
    Classification.CHANGED: "servers_changed",
    Classification.VANISHED: "servers_changed",
}

_NETWORK_BITS = {4: 24, 6: 48}


# --- does it resolve -------------------------------------------------------------------------------


def delegation(target: DomainTarget, soa: DnsAnswer, seen: SecureAnswer | None) -> Look:
    """NODATA is good news: the name exists inside a zone above it. `seen`: what is there without DNSSEC."""
    if soa.status is DnsStatus.NXDOMAIN:
        return Look.known(DELEGATION, (_nonexistent(target),))
    if soa.known:
        return Look.known(DELEGATION)
    if seen is not None and seen.validation is Validation.BOGUS:
        return Look.known(DELEGATION, (_bogus(target, seen),))
    return Look.known(DELEGATION, (_unresolvable(target, soa),))


def _severity(target: DomainTarget) -> Severity | None:
    """A parked domain sends nothing that could be refused."""
    return Severity.WARNING if target.role is Role.PARKED else None


def _unresolvable(target: DomainTarget, soa: DnsAnswer) -> Finding:
    domain = target.name
    return Finding(
        "unresolvable",
        f"the name servers of {domain} do not answer ({soa.status}), while other domains resolve",
        fix=(
            f"Ask each server of `dig +trace NS {domain}` for `SOA {domain}`; then mend the servers "
            "or the delegation at the registrar"
        ),
        evidence=soa.reason,
        severity=_severity(target),
    )


def _bogus(target: DomainTarget, seen: SecureAnswer) -> Finding:
    domain = target.name
    return Finding(
        "dnssec_bogus",
        f"DNSSEC of {domain} is broken: validating resolvers refuse what its servers answer",
        fix=(
            f"See `delv SOA {domain}` for the reason. Signatures ended: have the zone signed again. Keys changed: "
            f"publish the DS record of the present key at the registrar (`dig DNSKEY {domain} | dnssec-dsfromkey -f - "
            f"{domain}`). Where neither can be done now, have all DS records removed: unsigned mail is better than none"
        ),
        evidence=seen.reason,
        severity=_severity(target),
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
        severity=_severity(target),
    )


# --- how many, and where ---------------------------------------------------------------------------


def watched(names: Sequence[str], by_ns: Sequence[ServerAnswer]) -> str | None:
    """Who serves the zone, which drift watches: by its servers, by the resolver where none was heard.

    None where they do not agree: that is no change.
    """
    told = {_named(one.answer.records) for one in by_ns if _serves(one) and one.answer.records}
    return told.pop() if len(told) == 1 else _named(names) if not told else None


def _named(names: Sequence[str]) -> str:
    return ", ".join(sorted(map(folded, names)))


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ; "" is: no zone of its own."""
    before, after = (frozenset(state.split(", ")) - {""} for state in (accepted, seen))
    if accepted == seen or (after and before == after):
        return None
    if not after:
        return Drift(
            Classification.VANISHED, "the NS records are gone: it has no zone of its own any more"
        )
    return Drift(
        Classification.CHANGED,
        "other servers answer for the domain, and whoever runs them says what its records are: "
        + difference(before, after),
    )


def servers(
    domain: str, names: Sequence[str], said: Sequence[ServerAnswer], record: str | None
) -> Look:
    """One name server, or several in one place; `record` is what is `watched`."""
    if record is None:
        return Look.unknown(SERVERS, f"the servers of {domain} do not agree who they are", weight=0)
    if len(names) == 1:
        return Look.known(SERVERS, (_single(domain, names[0]),), record=record)
    addresses = sorted({one.address for one in said if one.address})
    network = _common_network(addresses)
    if network is None:
        return Look.known(SERVERS, record=record)
    return Look.known(
        SERVERS,
        (
            Finding(
                "one_network",
                f"all name servers of {domain} are in {network}: one failure takes all of them",
                fix="Have one of them somewhere else, in the network of another operator (RFC 2182 section 3.1)",
                evidence=", ".join(addresses),
            ),
        ),
        record=record,
    )


def _single(domain: str, server: str) -> Finding:
    return Finding(
        "single_server",
        f"{domain} has one name server: the domain ends when it does",
        fix="Add at least one more name server, in another network (RFC 2182 section 3.1, section 5)",
        evidence=server,
    )


def _common_network(texts: Sequence[str]) -> str | None:
    """The network that all these addresses are in; None where that cannot be said of them."""
    addresses = [ip_address(text) for text in texts]
    if len(addresses) <= 1 or not all(address.is_global for address in addresses):
        return None
    networks = {
        ip_network((address, _NETWORK_BITS[address.version]), strict=False) for address in addresses
    }
    return str(networks.pop()) if len(networks) == 1 else None


# --- each server -----------------------------------------------------------------------------------


def each_server(
    domain: str, said: Sequence[ServerAnswer], without_address: Mapping[str, bool]
) -> tuple[Look, ...]:
    """A look at each server, from all that it said to our questions.

    `without_address`: of servers of which no address was found, whether there is none.
    Where none of them was heard, the way out to name servers is more likely closed than all of them
    silent: the resolver answers for the domain.
    """
    by_server: dict[str, list[ServerAnswer]] = {}
    for one in said:
        by_server.setdefault(one.server, []).append(one)
    if not any(one.heard for one in said):
        reason = f"none of the name servers of {domain} answers us, though our resolver does: is port 53 open to them?"
        return tuple(Look.unknown(_subject(name), reason, weight=0) for name in by_server)
    if not any(map(_serves, said)):
        reason = (
            f"none of the name servers of {domain} answers us with authority, though our resolver finds the domain: "
            "does something answer port 53 in their place?"
        )
        return tuple(Look.unknown(_subject(name), reason, weight=0) for name in by_server)
    return tuple(
        _server(domain, name, answers, nowhere=without_address.get(name, False))
        for name, answers in by_server.items()
    )


def _subject(server: str) -> str:
    return f"server {server}"


def _server(domain: str, server: str, answers: Sequence[ServerAnswer], *, nowhere: bool) -> Look:
    subject = _subject(server)
    found = tuple(_server_findings(domain, server, answers, nowhere=nowhere))
    if found:
        return Look.known(subject, found)
    if any(one.heard for one in answers):
        return Look.known(subject)
    return Look.unknown(subject, answers[0].answer.blindness, weight=0)


def _server_findings(
    domain: str, server: str, answers: Sequence[ServerAnswer], *, nowhere: bool
) -> Iterator[Finding]:
    """Of an address that answered one of our questions well, one lost packet says nothing."""
    if nowhere:
        yield Finding(
            "server_silent",
            f"the name server {server} of {domain} has no address",
            fix=f"Give {server} an A record, or take it out of the NS records of {domain} and of the delegation",
        )
    by_address: dict[str, list[ServerAnswer]] = {}
    for one in answers:
        if one.address:
            by_address.setdefault(one.address, []).append(one)
    silent = [a for a, told in by_address.items() if all(map(_is_silent, told))]
    lame = {
        address: told[0]
        for address, told in by_address.items()
        if any(one.heard for one in told) and not any(map(_serves, told))
    }
    if silent:
        yield Finding(
            "server_silent",
            f"the name server {server} of {domain} does not answer at {', '.join(silent)}",
            fix=(
                f"Start it, or open port 53 to it (UDP and TCP). If it is given up, take {server} out of the NS "
                f"records of {domain} and of the delegation at the registrar"
            ),
            evidence=f"dig @{silent[0]} SOA {domain}: no answer",
        )
    if lame:
        address, told = next(iter(lame.items()))
        said = "answers without authority" if told.answer.known else told.answer.reason
        yield Finding(
            "server_lame",
            f"{server} is named as a name server of {domain} and does not serve it",
            fix=(
                f"Configure the zone on {server} (and let it transfer it: an expired copy is refused too), or take it "
                f"out of the NS records of {domain} and of the delegation at the registrar"
            ),
            evidence=f"dig @{address} SOA {domain}: {said}",
        )


def _is_silent(one: ServerAnswer) -> bool:
    return not one.heard and one.answer.status is DnsStatus.TIMEOUT


def _serves(one: ServerAnswer) -> bool:
    return one.authoritative and one.answer.known


# --- what the parent says --------------------------------------------------------------------------


def parent(
    domain: str,
    above: Delegation,
    ns: Sequence[ServerAnswer],
    glue: Mapping[str, Sequence[DnsAnswer]],
) -> Look:
    """The delegation against the zone's own NS records; `glue` are the A and AAAA answers of servers below the zone."""
    if above.reason:
        return Look.unknown(PARENT, above.reason, weight=0)
    views = {frozenset(one.answer.records) for one in ns if _serves(one) and one.answer.records}
    if not views:
        return Look.unknown(PARENT, f"no server of {domain} told its NS records", weight=0)
    found = (*_difference(domain, above, views), *_glue_findings(domain, above, glue))
    blind = [a.blindness for answers in glue.values() for a in answers if not a.known]
    if blind and not found:
        return Look.unknown(PARENT, blind[0], weight=0)
    return Look.known(PARENT, found)


def _difference(domain: str, above: Delegation, views: set[frozenset[str]]) -> Iterator[Finding]:
    names = frozenset(map(folded, above.nameservers))
    own = {frozenset(map(folded, view)) for view in views}
    if own == {names}:
        return
    texts = [f"{above.parent or '.'}: {_listed(names)}", *(f"{domain}: {_listed(v)}" for v in own)]
    wanted = " ".join(sorted(frozenset[str]().union(*own)))
    yield Finding(
        "delegation_differs",
        f"the parent of {domain} refers to other name servers than the zone itself names"
        if len(own) == 1
        else f"the name servers of {domain} do not agree which servers it has",
        fix=(
            f"Make both the same: at the registrar the servers {wanted}, or in the zone one NS record for each server "
            "of the delegation. Half of the questions go by the one, half by the other"
        ),
        evidence="; ".join(texts),
    )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "no name server"


def _glue_findings(
    domain: str, above: Delegation, glue: Mapping[str, Sequence[DnsAnswer]]
) -> Iterator[Finding]:
    """RFC 1034 §4.2.1: of servers below the zone cut, nobody finds the address but by the parent's glue."""
    for server in above.nameservers:
        if server not in glue:
            continue
        own = {address for answer in glue[server] for address in answer.records}
        given = set(above.glue.get(server, ()))
        record = f"the glue of {server} at the registrar: {', '.join(sorted(own)) or 'its address'}"
        if not given:
            yield Finding(
                "glue_missing",
                f"{server} is below {domain}, and the parent does not say where it is",
                fix=f"Enter {record}",
            )
        elif own and all(answer.known for answer in glue[server]) and not given <= own:
            yield Finding(
                "glue_differs",
                f"the parent of {domain} has another address of {server} than the zone",
                fix=f"Correct {record}",
                evidence=f"parent: {', '.join(sorted(given))}; zone: {', '.join(sorted(own))}",
            )
