"""What DNSSEC does for a domain: its keys against the parent's DS records, its signatures' ends. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from checks.dane import drift
from monitor.check import Code, Gauge, SecureAnswer, Validation
from monitor.model import Finding, Look, Sample, Severity
from monitor.protocol import dnssec
from monitor.protocol.dnssec import Dnskey, Lifetime, Link

DNSSEC = "dnssec"

CODES = (
    Code("chain_broken", Severity.CRITICAL, "the parent vouches for keys that are not there"),
    Code("signatures_expired", Severity.CRITICAL, "signatures have ended"),
    Code("signatures_expiring", Severity.WARNING, "signatures were not renewed in time"),
    Code("algorithm_weak", Severity.WARNING, "a key or a digest that must not be used any more"),
    Code("ds_unmatched", Severity.INFO, "a DS record names no key"),
    Code("ds_missing", Severity.INFO, "signed, and nobody can know"),
)
GAUGES = (
    Gauge(
        "dnssec_signed",
        "1 where the domain is signed and the zones above vouch for that, 0 where not.",
        labels=("domain",),
    ),
    Gauge(
        "dnssec_signatures_end_timestamp_seconds",
        "When the first signatures of the domain's zone end that are not renewed.",
        labels=("domain",),
    ),
)
_PROBLEMS = {
    "algorithm": "algorithm_weak",
    "digest": "algorithm_weak",
    "short_key": "algorithm_weak",
    "unmatched_ds": "ds_unmatched",
    "no_ds": "ds_missing",
}


@dataclass(frozen=True, slots=True)
class Signed:
    """The answers about a zone: its parent's DS set, its keys, and other sets of its own."""

    ds: SecureAnswer
    keys: SecureAnswer
    others: tuple[SecureAnswer, ...]

    @property
    def blindness(self) -> str:
        """Why nothing can be said; "" where it can."""
        needed = (self.ds.answer, self.keys.answer)
        return "; ".join(answer.blindness for answer in needed if not answer.known)


def look(domain: str, seen: Signed, now: float) -> Look:
    """The subject `dnssec`; a name without a zone of its own has neither keys nor DS records, and is clean."""
    if seen.blindness:
        return Look.unknown(DNSSEC, seen.blindness)
    own = [s for s in seen.keys.signatures if s.covers == "DNSKEY" and s.signer == domain]
    link = dnssec.judge_link(domain, seen.ds.answer.records, seen.keys.answer.records, own)
    lifetimes = _lifetimes(domain, seen, now) if link.signed else ()
    found = (
        *_chain(domain, link, seen.keys),
        *_ends(domain, lifetimes, delegated=link.delegated),
        *_problems(domain, link),
    )
    # A name without keys of its own may be in a zone above it that is signed.
    signed = link.delegated if link.signed else seen.keys.validation is Validation.SECURE
    return Look.known(
        DNSSEC,
        found,
        samples=tuple(_samples(lifetimes, signed=signed)),
        record=_watched(seen.keys.validation, signed=signed),
    )


def _watched(validation: Validation, *, signed: bool) -> str | None:
    """The state that drift watches; None where our resolver does not say, or says other than the records."""
    match validation, signed:
        case Validation.SECURE, True:
            return drift.SIGNED
        case Validation.INSECURE, False:
            return drift.UNSIGNED
    return None


def _lifetimes(domain: str, seen: Signed, now: float) -> tuple[Lifetime, ...]:
    """Of the zone's own signatures: the DS set is signed by the parent, an alias leads elsewhere."""
    signatures = [
        signature
        for answer in (seen.keys, *seen.others)
        for signature in answer.signatures
        if signature.signer == domain
    ]
    return dnssec.lifetimes(signatures, now)


def _chain(domain: str, link: Link, keys: SecureAnswer) -> Iterator[Finding]:
    # A resolver that accepts the keys has seen a DS set that fits: ours is from another moment.
    if not link.bogus or keys.validation is Validation.SECURE:
        return
    yield Finding(
        "chain_broken",
        f"validating resolvers refuse every answer of {domain}: {link.bogus}",
        fix=_right_ds(domain, link),
        evidence=keys.reason,
    )


def _right_ds(domain: str, link: Link) -> str:
    records = "; ".join(_ds(domain, key) for key in link.entry_points)
    if not records:
        return f"Sign {domain} again, or have all its DS records removed at the registrar"
    return f"Have the registrar replace the DS records by: {records}"


def _ds(domain: str, key: Dnskey) -> str:
    return f"{domain}. IN DS {dnssec.ds_for(domain, key)}"


def _ends(domain: str, lifetimes: Sequence[Lifetime], *, delegated: bool) -> Iterator[Finding]:
    expired = [one for one in lifetimes if one.expired]
    if expired:
        how = "have not begun" if all(one.future for one in expired) else "ended"
        yield Finding(
            "signatures_expired",
            f"signatures of {domain} ({_types(expired)}) {how}: validating resolvers refuse these records",
            fix="Have the zone signed again, and find out why the signer stopped; see that its clock is right",
            evidence=_dates(expired),
            # Nobody validates what no parent vouches for.
            severity=None if delegated else Severity.WARNING,
        )
    if expiring := [one for one in lifetimes if one.expiring]:
        yield Finding(
            "signatures_expiring",
            f"signatures of {domain} ({_types(expiring)}) should have been renewed by now: "
            f"the first ends at {_date(min(one.ends for one in expiring))}",
            fix="See whether the signer still runs, and whether all name servers get what it signs",
            evidence=_dates(expiring),
        )


def _types(lifetimes: Sequence[Lifetime]) -> str:
    return ", ".join(one.covers for one in lifetimes)


def _dates(lifetimes: Sequence[Lifetime]) -> str:
    return "; ".join(f"{one.covers} until {_date(one.ends)}" for one in lifetimes)


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _problems(domain: str, link: Link) -> Iterator[Finding]:
    messages: dict[str, list[str]] = {}
    for problem in link.problems:
        if problem.code in _PROBLEMS:
            messages.setdefault(_PROBLEMS[problem.code], []).append(problem.message)
    for code, told in messages.items():
        yield Finding(code, f"DNSSEC of {domain}: {'; '.join(told)}", fix=_fix(code, domain, link))


def _fix(code: str, domain: str, link: Link) -> str:
    match code:
        case "ds_missing":
            records = "; ".join(_ds(domain, key) for key in link.entry_points)
            return f"Have the registrar publish: {records or 'a DS record of the key that signs the keys'}"
        case "ds_unmatched":
            return (
                "Let it be while keys are being rolled over; otherwise have the registrar remove it"
            )
    return (
        "Roll over to a key of algorithm 13 (ECDSA P-256) with a DS record by SHA-256 (digest type 2): add the new "
        "ones, wait for the longest TTL, then remove the old ones"
    )


def _samples(lifetimes: Sequence[Lifetime], *, signed: bool) -> Iterator[Sample]:
    yield Sample("dnssec_signed", float(signed))
    if lifetimes:
        ends = min(one.ends for one in lifetimes)
        yield Sample("dnssec_signatures_end_timestamp_seconds", ends)
