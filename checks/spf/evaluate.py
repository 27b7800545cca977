"""What an SPF record is worth, and what the tree of its includes costs receivers."""

from collections.abc import Iterator, Sequence

from checks.spf.tree import Tree, Void
from monitor.model import DomainTarget, Finding, Role, Severity
from monitor.protocol import spf
from monitor.protocol.names import folded
from monitor.protocol.platforms import includes_of, platform_of_include
from monitor.protocol.problem import quoted
from monitor.protocol.spf import Cost, MechanismName, Qualifier, SpfError, SpfRecord

MANY_LOOKUPS = 9
"""From here on one more `include` may break the record; the limit is 10 (RFC 7208 §4.6.4)."""

FITS = 450
"""Octets of a name and all its TXT records that fit into any DNS packet (RFC 7208 §3.4)."""
NEEDS_TCP = 1200
"""Octets of a record from which on an answer needs TCP, which some receivers' resolvers cannot do."""


def of_record(target: DomainTarget, every: Sequence[str]) -> tuple[Finding, ...]:
    """Findings of the subject `record`; `every` are all TXT texts of the domain."""
    domain, texts = target.name, [text for text in every if spf.is_spf(text)]
    if not texts:
        # What a parked domain must say is judged by the check `parked`.
        return () if target.role is Role.PARKED else (_missing(target),)
    if len(texts) > 1:
        return (
            Finding(
                "several_records",
                f"{len(texts)} SPF records at {domain}: receivers answer permerror (RFC 7208 §4.5)",
                fix=f"Leave one TXT record that starts with v=spf1 at {domain}, with the terms of all of them",
                evidence="\n".join(texts),
            ),
        )
    try:
        record = spf.parse(texts[0])
    except SpfError as error:
        return (
            Finding(
                "record_invalid",
                f"receivers answer permerror: {error.message} (character {error.offset + 1})",
                fix=f"Correct the TXT record of {domain} at that place",
                evidence=texts[0],
            ),
        )
    return (
        *_of_valid(domain, texts[0], record, target.role),
        *_of_size(domain, texts[0], every),
        *_of_pointers(domain, texts[0], record),
        *_of_platforms(target, texts[0], record),
    )


def _missing(target: DomainTarget) -> Finding:
    domain, senders = target.name, target.senders
    envelopes = [sender.envelope_domains or (domain,) for sender in senders]
    if senders and not any(domain in names for names in envelopes):
        return Finding(
            "record_missing",
            f"{domain} has no SPF record; no declared sender has it in its envelope",
            fix=f'Publish, so that nobody else does: {domain}. IN TXT "v=spf1 ~all"',
            severity=Severity.INFO,
        )
    return Finding(
        "record_missing",
        f"{domain} has no SPF record",
        fix=(
            f'Publish: {domain}. IN TXT "v=spf1 mx ~all", with an include of each platform that '
            "sends for it before `~all`"
        ),
    )


def _of_valid(domain: str, text: str, record: SpfRecord, role: Role) -> Iterator[Finding]:
    everyone = _everyone(record)
    if everyone:
        yield _pass_all(domain, everyone, text)
    elif record.redirect is None and role is not Role.PARKED:
        yield from _of_all(domain, text, record.all_qualifier)


def _everyone(record: SpfRecord) -> str:
    """The term by which the whole world may send, "" where there is none."""
    if record.all_qualifier is Qualifier.PASS:
        return "+all"
    return next(
        (
            f"{mechanism.name}:{mechanism.network}"
            for mechanism in record.reachable
            if mechanism.network is not None
            and mechanism.network.prefixlen == 0
            and mechanism.qualifier is Qualifier.PASS
        ),
        "",
    )


def _pass_all(domain: str, term: str, evidence: str) -> Finding:
    return Finding(
        "pass_all",
        f"{term} lets every server of the world send as {domain}",
        fix=f"Replace it by the real senders, and end the record of {domain} with `~all` or `-all`",
        evidence=evidence,
    )


def _of_all(domain: str, text: str, qualifier: Qualifier | None) -> Iterator[Finding]:
    if qualifier is None:
        what = "has no `all` at its end: receivers answer neutral for everyone else"
        yield Finding(
            "no_all", f"the record {what}", fix=f"End it with `~all`: {text} ~all", evidence=text
        )
    elif qualifier is Qualifier.NEUTRAL:
        yield Finding(
            "neutral_all",
            f"`?all` says nothing about those who may not send as {domain}",
            fix="End the record with `~all`, or `-all` when all senders are in it",
            evidence=text,
        )


def _of_size(domain: str, text: str, every: Sequence[str]) -> Iterator[Finding]:
    size = len(domain) + sum(map(len, every))
    if size > FITS:
        # Beside other TXT records it is they that take the room; the record alone is ours to mend.
        severe = len(text) > NEEDS_TCP
        yield Finding(
            "record_long",
            f"all TXT records of {domain} have {size} octets together, its SPF record {len(text)}: "
            f"more than {FITS} may not fit into one DNS answer (RFC 7208 §3.4)",
            fix=f"Remove TXT records of {domain} that are no longer needed, join neighbouring networks of the "
            "SPF record, or give a platform a subdomain of its own",
            evidence=text,
            severity=Severity.WARNING if severe else None,
        )


def _of_pointers(domain: str, text: str, record: SpfRecord) -> Iterator[Finding]:
    if any(mechanism.name is MechanismName.PTR for mechanism in record.reachable):
        yield Finding(
            "ptr_used",
            f"the record of {domain} uses `ptr`, which is slow, and which some receivers ignore (RFC 7208 §5.5)",
            fix="Replace it by `ip4:` and `ip6:` of the hosts that it is meant for",
            evidence=text,
        )


def _of_platforms(target: DomainTarget, text: str, record: SpfRecord) -> Iterator[Finding]:
    included = [m.domain for m in record.reachable if m.name is MechanismName.INCLUDE]
    included += [record.redirect] if record.redirect else []
    declared = {include for sender in target.senders for include in includes_of(sender.platform)}
    found = {name: platform_of_include(name) for name in included if not spf.has_macro(name)}
    strange = {
        name: platform.name
        for name, platform in found.items()
        if platform is not None and declared.isdisjoint(platform.includes)
    }
    if strange:
        platforms = ", ".join(dict.fromkeys(strange.values()))
        names = ", ".join(strange)
        declare = (
            f"Declare it (`senders: [{{name: …, platform: {next(iter(strange.values()))}, domains: "
            f"[{target.name}]}}]`), or remove from the record what names {names}"
        )
        parked = target.role is Role.PARKED
        yield Finding(
            "undeclared_platform",
            f"{platforms} may send as {target.name}, and no declared sender of the domain runs on it",
            fix=f"Remove from the record what names {names}" if parked else declare,
            evidence=text,
        )


def of_tree(domain: str, text: str, record: SpfRecord, tree: Tree) -> tuple[Finding, ...]:
    """Findings of the subject `lookups`: what only the included records show."""
    count = tree.count
    evidence = "\n".join((f"{count.lookups} lookups:", *_lines(count.costs), text))
    return (
        *_of_dead(domain, tree, evidence),
        *_of_problems(domain, tree, evidence),
        *_of_count(domain, tree, evidence),
        *_of_included(domain, record, tree, evidence),
    )


def _of_dead(domain: str, tree: Tree, evidence: str) -> Iterator[Finding]:
    for name in tree.dead:
        what = "does not exist" if name in tree.absent else "has no SPF record"
        if name in tree.unregistered:
            free = tree.unregistered[name]
            what += f"; {quoted(free)} is not registered: whoever registers it may send as {domain}"
        yield Finding(
            "include_dead",
            f"receivers answer permerror: the included {quoted(name)} {what}",
            fix=f"Remove the term that leads to {name} from the record of {domain}, or put the name that the "
            "platform gives now in its place",
            evidence=evidence,
        )


def _of_problems(domain: str, tree: Tree, evidence: str) -> Iterator[Finding]:
    for problem in tree.count.problems:
        if problem.code != "no_record":
            yield Finding(
                "include_broken",
                f"receivers answer permerror: {problem.message}",
                fix=f"Correct the include, or remove it from the record of {domain} if that platform is no longer used",
                evidence=evidence,
            )


def _of_count(domain: str, tree: Tree, evidence: str) -> Iterator[Finding]:
    count = tree.count
    if count.lookups >= MANY_LOOKUPS:
        beyond = "receivers answer permerror above" if count.too_many else "the limit is"
        yield Finding(
            "too_many_lookups" if count.too_many else "many_lookups",
            f"the record of {domain} costs {count.lookups} DNS lookups, {beyond} {spf.MAX_LOOKUPS}",
            fix="Remove includes of platforms that no longer send, or give a platform a subdomain of its own",
            evidence=evidence,
        )


def _of_included(domain: str, record: SpfRecord, tree: Tree, evidence: str) -> Iterator[Finding]:
    redirect = folded(record.redirect) if record.redirect else None
    for name in tree.count.included:
        included = spf.usable_record(tree.texts.get(name) or ())
        everyone = _everyone(included) if included else ""
        if everyone:
            yield _pass_all(domain, f"{everyone} of the included {name}", evidence)
        elif included and name == redirect and included.redirect is None:
            yield from _of_redirect(domain, name, included.all_qualifier, evidence)


def _of_redirect(
    domain: str, name: str, qualifier: Qualifier | None, evidence: str
) -> Iterator[Finding]:
    if qualifier not in {None, Qualifier.NEUTRAL}:
        return
    says = "has no `all` at its end" if qualifier is None else "ends with `?all`"
    yield Finding(
        "no_all" if qualifier is None else "neutral_all",
        f"the record of {name}, which decides for {domain} (redirect), {says}: receivers answer neutral for "
        "everyone else",
        # RFC 7208 §6.1: beside `all` a redirect is ignored.
        fix=f"End the record of {name} with `~all`. Add none to that of {domain}: it would switch off its redirect, "
        "and with it all senders",
        evidence=evidence,
    )


def _lines(costs: Sequence[Cost], depth: int = 0) -> Iterator[str]:
    """A line for each term that costs lookups, indented: who uses how many of the ten."""
    for cost in costs:
        yield f"{'  ' * depth}{cost.lookups} {cost.term}"
        yield from _lines(cost.below, depth + 1)


def of_terms(domain: str, text: str, void: Void) -> tuple[Finding, ...]:
    """Findings of the subject `terms`: the record's own `a`, `mx` and `exists` that find nothing."""
    if len(void.names) <= spf.MAX_VOID_LOOKUPS:
        return ()
    return (
        Finding(
            "void_lookups",
            f"{len(void.names)} lookups of the record of {domain} find nothing: receivers answer permerror "
            f"above {spf.MAX_VOID_LOOKUPS} (RFC 7208 §4.6.4)",
            fix=f"Remove from the record of {domain}, or give addresses to: {', '.join(void.names)}",
            evidence=text,
        ),
    )
