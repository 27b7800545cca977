"""What a domain's BIMI record, its logo and its mark certificate are worth. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from monitor.model import Finding
from monitor.protocol import bimi, dmarc
from monitor.protocol.bimi import BimiRecord, Evidence, Svg
from monitor.protocol.dmarc import DmarcRecord, Policy
from monitor.protocol.problem import Problem

_DAY = 86400.0
_NO_LOGO = "no receiver shows the logo"
_FIRST_DMARC = DmarcRecord(policy=Policy.QUARANTINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record applies and stands: `at` is `domain` itself, or the organizational domain above it."""

    domain: str
    at: str

    @property
    def name(self) -> str:
        """The name of the TXT record."""
        return bimi.record_name(self.at)

    def publish(self, location: str, authority: str) -> str:
        """The record with these addresses, as a zone file has it."""
        return f'{self.name}. IN TXT "v=BIMI1; l={location}; a={authority}"'


# --- the record ------------------------------------------------------------------------------------


def usable(texts: Sequence[str]) -> BimiRecord | None:
    """The one record that receivers act on; None where there is none, several, or an invalid one."""
    records = [text for text in texts if bimi.is_bimi(text)]
    record = bimi.read(records[0]) if len(records) == 1 else BimiRecord()
    return record if len(records) == 1 and not record.problems else None


def watched(texts: Sequence[str]) -> str:
    """What drift watches: all that was meant as a record; "" where nothing was."""
    return " ".join(sorted(filter(_meant, texts)))


def _meant(text: str) -> bool:
    return "bimi" in text[:16].lower()


def of_record(place: Place, texts: Sequence[str], *, ready: bool) -> tuple[Finding, ...]:
    """Findings of the subject `record`; `ready`: DMARC is strong enough for a logo."""
    if usable(texts) is not None:
        return ()
    records = [text for text in texts if bimi.is_bimi(text)]
    meant = records or list(filter(_meant, texts))
    if not meant:
        return (_missing(place),) if ready else ()
    if len(records) > 1:
        wrong = f"{len(records)} records"
    elif records:
        wrong = "; ".join(problem.message for problem in bimi.read(records[0]).problems)
    else:
        wrong = "it does not start with `v=BIMI1`"
    return (
        Finding(
            "record_invalid",
            f"the BIMI record at {place.name} is invalid ({wrong}): {_NO_LOGO}",
            fix=f"Leave one TXT record at {place.name}: {_corrected(place, records)}",
            evidence="\n".join(meant),
        ),
    )


def _corrected(place: Place, records: Sequence[str]) -> str:
    """The first record with what is right in it, or would be with https."""
    record = bimi.read(records[0]) if records else BimiRecord()
    logo = _encrypted(record.location) or f"https://{place.at}/bimi/logo.svg"
    return place.publish(logo, _encrypted(record.authority))


def _encrypted(address: str) -> str:
    https = f"https://{address.partition('://')[2]}"
    return https if bimi.is_https_address(https) else ""


def _missing(place: Place) -> Finding:
    logo, mark = (f"https://{place.at}/bimi/{name}" for name in ("logo.svg", "mark.pem"))
    return Finding(
        "missing",
        f"{place.domain} shows no logo beside its mail, though its DMARC is strong enough for one",
        fix=(
            f"If a logo is wanted: serve it as SVG Tiny PS at {logo}, buy a mark certificate (VMC or CMC) "
            f"for {place.at}, serve it with its issuers at {mark}, and publish: {place.publish(logo, mark)}"
        ),
    )


# --- DMARC -----------------------------------------------------------------------------------------


def of_dmarc(domain: str, records: Mapping[str, DmarcRecord]) -> tuple[Finding, ...]:
    """Findings of the subject `dmarc`; `records` are those that count, by the domain where they stand."""
    problems = bimi.dmarc_problems(tuple(records.values()))
    if not problems:
        return ()
    weak = {at: record for at, record in records.items() if bimi.dmarc_problems((record,))}
    advised = [_dmarc(at, _strengthened(record)) for at, record in weak.items()]
    return (
        Finding(
            "dmarc_too_weak",
            f"DMARC of {domain} is too weak for a logo ({_listed(problems)}): {_NO_LOGO}",
            fix=(
                "When the reports show that all own mail passes, publish: "
                + ", ".join(advised or [_dmarc(domain, _FIRST_DMARC)])
            ),
        ),
    )


def _strengthened(record: DmarcRecord) -> DmarcRecord:
    return replace(
        record,
        policy=max(record.policy, Policy.QUARANTINE, key=lambda policy: policy.strength),
        subdomain_policy=record.subdomain_policy
        if record.subdomain_policy is not Policy.NONE
        else None,
        testing=False,
        removed_tags=tuple((name, value) for name, value in record.removed_tags if name != "pct"),
    )


def _dmarc(domain: str, record: DmarcRecord) -> str:
    return f'_dmarc.{domain}. IN TXT "{dmarc.render(record)}"'


# --- the logo --------------------------------------------------------------------------------------


def unreachable(code: str, what: str, url: str, trouble: str) -> Finding:
    """A document that the record names and that cannot be fetched."""
    return Finding(
        code,
        f"receivers cannot fetch the {what}: {trouble}",
        fix=(
            f"Serve the file at {url} with status 200, without a login or a bot filter, by a host whose "
            "certificate is valid."
        ),
        evidence=url,
    )


def of_logo(url: str, logo: Svg) -> tuple[Finding, ...]:
    """Findings of the subject `logo`."""
    return tuple(_of_logo(url, logo))


def _of_logo(url: str, logo: Svg) -> Iterator[Finding]:
    if logo.problems:
        yield Finding(
            "logo_invalid",
            f"receivers refuse the logo: {_listed(logo.problems)}",
            fix=(
                "Export it as SVG Tiny PS (version 1.2, baseProfile tiny-ps, a <title>, a square viewBox, no "
                f"script, image, style or outside reference, at most 32 KB) and serve it at {url}"
            ),
            evidence=url,
        )
    if logo.advice:
        yield Finding(
            "logo_advice",
            f"the logo may look wrong: {_listed(logo.advice)}",
            fix=f"Draw it on a square viewBox, with its size in pixels, and serve it at {url}",
            evidence=url,
        )


def _listed(problems: Sequence[Problem]) -> str:
    return "; ".join(problem.message for problem in problems)


# --- the certificate -------------------------------------------------------------------------------


def certificate_missing(place: Place, record: BimiRecord) -> Finding:
    """No `a`: some receivers show the logo, the large ones do not."""
    return Finding(
        "certificate_missing",
        f"the BIMI record of {place.domain} names no mark certificate: Gmail and Apple show no logo without one",
        fix=(
            f"Buy a mark certificate (VMC for a registered trademark, else CMC) for {place.at}, serve it with "
            f"its issuers in PEM, and publish: {place.publish(record.location, f'https://{place.at}/bimi/mark.pem')}"
        ),
    )


def certificate_unreadable(url: str, reason: str) -> Finding:
    """What stands at `a` is no certificate."""
    return Finding(
        "certificate_invalid",
        f"receivers refuse the mark certificate: {reason}",
        fix=f"Serve at {url} the mark certificate, followed by its issuers, in PEM and nothing else.",
        evidence=url,
    )


@dataclass(frozen=True, slots=True)
class Held:
    """What a mark certificate is held against: the domains that it may name, the logo (None where unknown), the time.

    `now` and `warning` (how long before its end to say so) are in seconds.
    """

    domains: tuple[str, ...]
    logo: Svg | None
    now: float
    warning: float


def of_certificate(place: Place, url: str, evidence: Evidence, held: Held) -> tuple[Finding, ...]:
    """Findings of the subject `certificate`."""
    return tuple(_of_certificate(place, url, evidence, held))


def _of_certificate(place: Place, url: str, evidence: Evidence, held: Held) -> Iterator[Finding]:
    issued = f"issued by {evidence.issuer} for {', '.join(evidence.names) or 'no name'}"
    if evidence.problems:
        yield Finding(
            "certificate_invalid",
            f"receivers refuse the mark certificate: {_listed(evidence.problems)}",
            fix=(
                f"Serve at {url} the certificate as the authority sent it, first, and then all its issuers; "
                "else have it issued again, by an authority that https://bimigroup.org/vmc-issuers/ lists."
            ),
            evidence=f"{url}\n{issued}",
        )
    if not bimi.covers(evidence.names, *held.domains):
        yield Finding(
            "certificate_other_domain",
            f"the mark certificate is not for {place.domain}",
            fix=f"Have it issued again with the name {place.at}, and serve it at {url}",
            evidence=f"{url}\n{issued}",
        )
    if held.logo and evidence.logo and not bimi.same_logo(held.logo, evidence.logo):
        yield Finding(
            "logo_differs",
            "the logo is not the one in the mark certificate: receivers may refuse both",
            fix="Serve at l= exactly the file that the certificate was issued for, or have the certificate issued for the new logo.",
            evidence=f"sha256 of l=: {held.logo.sha256}; in the certificate: {evidence.logo.sha256}",
        )
    if expiry := _expiry(place, url, evidence, held):
        yield expiry


def _expiry(place: Place, url: str, evidence: Evidence, held: Held) -> Finding | None:
    left = evidence.not_after.timestamp() - held.now
    if left > held.warning and evidence.not_before.timestamp() <= held.now:
        return None
    fix = (
        "Have it issued again (the authority verifies anew, which takes weeks), serve it under a new name, "
        f"since receivers keep the old one, and publish that name in a= at {place.name}"
    )
    begins = evidence.not_before.timestamp() > held.now
    if left <= 0 or begins:
        verb, at = (
            ("begins on", evidence.not_before) if begins else ("expired on", evidence.not_after)
        )
        code, summary = (
            "certificate_expired",
            f"the mark certificate {verb} {at:%Y-%m-%d}: {_NO_LOGO}",
        )
    else:
        code = "certificate_expiring"
        summary = (
            f"the mark certificate ends in {left / _DAY:.1f} days, on {evidence.not_after:%Y-%m-%d}"
        )
    now = datetime.fromtimestamp(held.now, UTC)
    return Finding(code, summary, fix=fix, evidence=f"{url}\nlooked at {now:%Y-%m-%d %H:%M} UTC")
