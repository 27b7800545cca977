"""What a domain's TLS-RPT record and its destinations are worth, and what a change means. Pure."""

from collections.abc import Iterator, Sequence

from monitor.check import DnsAnswer
from monitor.check.drift import difference
from monitor.model import Classification, Drift, Finding
from monitor.protocol import mx, tls_rpt
from monitor.protocol.tls_rpt import Destination, Scheme, TlsRptError, TlsRptRecord


def usable(texts: Sequence[str]) -> TlsRptRecord | None:
    """The one record that senders act on; None where there is none, several, or an invalid one."""
    records = [text for text in texts if tls_rpt.is_record(text)]
    try:
        return tls_rpt.parse(records[0]) if len(records) == 1 else None
    except TlsRptError:
        return None


def is_absent(texts: Sequence[str]) -> bool:
    """Whether there is no record, nor anything that was meant as one."""
    return not any(map(_meant, texts))


def _meant(text: str) -> bool:
    return "tlsrpt" in text[:16].lower()


def of_record(domain: str, texts: Sequence[str], *, takes_mail: bool) -> tuple[Finding, ...]:
    """Findings of the subject `record`; `texts` are all TXT texts at `_smtp._tls`."""
    records = [text for text in texts if tls_rpt.is_record(text)]
    if len(records) > 1:
        return (_several(domain, records),)
    if not records and is_absent(texts):
        return (_missing(domain),) if takes_mail else ()
    text = records[0] if records else next(filter(_meant, texts))
    try:
        record = tls_rpt.parse(text)
    except TlsRptError as error:
        return (_record_invalid(domain, text, error),)
    return tuple(_of_valid_record(domain, record, text))


def _several(domain: str, records: Sequence[str]) -> Finding:
    return Finding(
        "several_records",
        f"{len(records)} TLS-RPT records at _smtp._tls.{domain}: senders take none of them (RFC 8460 §3)",
        fix=f"Leave one TXT record that starts with `v=TLSRPTv1;` at _smtp._tls.{domain}, with all destinations",
        evidence="\n".join(records),
    )


def _missing(domain: str) -> Finding:
    return Finding(
        "missing",
        f"{domain} has no TLS-RPT record: nobody tells us where its mail could not be delivered over TLS",
        fix=f"Publish: {_advised(domain)}",
    )


def _record_invalid(domain: str, text: str, error: TlsRptError) -> Finding:
    return Finding(
        "record_invalid",
        f"senders take nothing of the TLS-RPT record of {domain}: {error.message} "
        f"(character {error.offset + 1})",
        fix=f"Publish: {_advised(domain)}",
        evidence=text,
    )


def _advised(domain: str) -> str:
    return f'_smtp._tls.{domain}. IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@{domain}"'


def _of_valid_record(domain: str, record: TlsRptRecord, text: str) -> Iterator[Finding]:
    if record.problems:
        good = ",".join(destination.uri for destination in record.rua)
        yield Finding(
            "destination_invalid",
            "senders ignore a part of the TLS-RPT record: "
            + "; ".join(problem.message for problem in record.problems),
            fix=f'Publish: _smtp._tls.{domain}. IN TXT "v=TLSRPTv1; rua={good}"',
            evidence=text,
        )


def of_destination(
    domain: str, destination: Destination, addresses: Sequence[DnsAnswer], mail: DnsAnswer | None
) -> Finding | str | None:
    """Whether reports can get there: a finding where not, a reason where that is unknown, None where all is well.

    `addresses` are the answers for A and AAAA of its host, `mail` the one for MX where reports are mailed.
    """
    if mail is not None:
        judged = mx.judge(mail.records)
        if judged.hosts:
            return None
        if judged.null:
            return _unusable(domain, destination, "takes no mail (null MX)")
        if not mail.known:
            return mail.blindness
    if any(answer.records for answer in addresses):
        return None
    blind = next((answer.blindness for answer in addresses if not answer.known), None)
    what = "has no address" if mail is None else "has neither an MX record nor an address"
    return blind or _unusable(domain, destination, what)


def _unusable(domain: str, destination: Destination, what: str) -> Finding:
    means = {
        Scheme.MAILTO: "a mailbox of a domain that takes mail",
        Scheme.HTTPS: "a host that is in the DNS",
    }[destination.scheme]
    return Finding(
        "destination_unusable",
        f"no TLS report of {domain} reaches {destination.host}, which {what}",
        fix=f"In the TXT record at _smtp._tls.{domain}, replace `{destination.uri}` by {means}",
        evidence=destination.uri,
    )


def watched(record: TlsRptRecord) -> str:
    """The state that drift watches: where reports go, in no order."""
    return ", ".join(sorted(destination.uri for destination in record.rua))


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning; "" is: no record."""
    if accepted and not seen:
        what = "the record is gone: nobody reports any more where TLS fails"
        return Drift(Classification.VANISHED, what)
    before, after = (frozenset(state.split(", ")) - {""} for state in (accepted, seen))
    if before == after:
        return None
    return Drift(Classification.CHANGED, f"reports go elsewhere: {difference(before, after)}")
