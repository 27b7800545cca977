"""What an SPF record is worth, and what the tree of its includes costs receivers."""

from collections.abc import Iterator, Mapping, Sequence

from monitor.model import Finding, Role
from monitor.protocol import spf
from monitor.protocol.spf import LookupCount, MechanismName, Qualifier, SpfError, SpfRecord

MANY_LOOKUPS = 9
"""From here on one more `include` may break the record; the limit is 10 (RFC 7208 §4.6.4)."""

Texts = Mapping[str, Sequence[str] | None]
"""TXT texts of included domains, as `monitor.protocol.spf.count_lookups` takes them."""


def read(texts: Sequence[str]) -> SpfRecord | None:
    """The domain's record; None where there is none, several, or an invalid one."""
    try:
        return spf.parse(texts[0]) if len(texts) == 1 else None
    except SpfError:
        return None


def of_record(domain: str, texts: Sequence[str], role: Role) -> tuple[Finding, ...]:
    """Findings of the subject `record`; `texts` are the TXT texts that start with `v=spf1`."""
    if not texts:
        return (_missing(domain, role),)
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
    return tuple(_of_valid(domain, texts[0], record, role))


def _missing(domain: str, role: Role) -> Finding:
    parked = role is Role.PARKED
    advised = "v=spf1 -all" if parked else "v=spf1 mx ~all"
    more = "" if parked else ", with an include of each platform that sends for it before `~all`"
    return Finding(
        "record_missing",
        f"{domain} has no SPF record",
        fix=f'Publish: {domain}. IN TXT "{advised}"{more}',
    )


def _of_valid(domain: str, text: str, record: SpfRecord, role: Role) -> Iterator[Finding]:
    everyone = _everyone(record)
    if everyone:
        yield _pass_all(domain, everyone, text)
    elif role is Role.PARKED:
        if not _refuses_all(record):
            yield Finding(
                "parked_allows",
                f"{domain} is parked, and its SPF record does not refuse all mail",
                fix=f'Publish: {domain}. IN TXT "v=spf1 -all"',
                evidence=text,
            )
    elif record.redirect is None:
        yield from _of_all(domain, text, record.all_qualifier)


def _refuses_all(record: SpfRecord) -> bool:
    return record.all_qualifier is Qualifier.FAIL and len(record.reachable) == 1


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


def of_tree(
    domain: str, text: str, record: SpfRecord, count: LookupCount, texts: Texts
) -> tuple[Finding, ...]:
    """Findings of the subject `lookups`: what only the included records show."""
    evidence = "\n".join((text, *_costs(record, texts)))
    return tuple(_of_tree(domain, record, count, texts, evidence))


def _of_tree(
    domain: str, record: SpfRecord, count: LookupCount, texts: Texts, evidence: str
) -> Iterator[Finding]:
    for problem in count.problems:
        yield Finding(
            "include_broken",
            f"receivers answer permerror: {problem.message}",
            fix=f"Correct the include, or remove it from the record of {domain} if that platform is no longer used",
            evidence=evidence,
        )
    if count.too_many or count.lookups >= MANY_LOOKUPS:
        beyond = "receivers answer permerror above" if count.too_many else "the limit is"
        yield Finding(
            "too_many_lookups" if count.too_many else "many_lookups",
            f"the record of {domain} costs {count.lookups} DNS lookups, {beyond} {spf.MAX_LOOKUPS}",
            fix="Remove includes of platforms that no longer send, or give a platform a subdomain of its own",
            evidence=evidence,
        )
    redirect = record.redirect.lower().rstrip(".") if record.redirect else None
    for name in count.included:
        included = read([t for t in texts.get(name) or () if spf.is_spf(t)])
        everyone = _everyone(included) if included else ""
        if everyone:
            yield _pass_all(domain, f"{everyone} of the included {name}", evidence)
        elif included and name == redirect and included.redirect is None:
            yield from _of_all(domain, f"redirect={name}", included.all_qualifier)


def _costs(record: SpfRecord, texts: Texts) -> Iterator[str]:
    """A line for each term that costs lookups: who uses how many of the ten."""
    for mechanism in record.reachable:
        if mechanism.looks_up:
            target = mechanism.domain if mechanism.name is MechanismName.INCLUDE else ""
            term = f"{mechanism.name}{mechanism.domain and ':' + mechanism.domain}"
            yield f"{_cost(target, texts)} {term}"
    if record.redirect is not None:
        yield f"{_cost(record.redirect, texts)} redirect={record.redirect}"


def _cost(target: str, texts: Texts) -> int:
    name = target.lower().rstrip(".")
    included = read([text for text in texts.get(name) or () if spf.is_spf(text)])
    return 1 + (spf.count_lookups(name, included, texts).lookups if included else 0)
