"""Where reports may go: destinations outside the domain, and how they agree (RFC 9990 §4, RFC 9991 §5)."""

from collections.abc import Sequence

from monitor.protocol.dmarc.record import DmarcRecord, ReportUri, is_dmarc, read

_LONGEST_NAME = 253


def destinations(record: DmarcRecord) -> dict[str, tuple[str, ...]]:
    """The mail addresses that get reports by their host, in the order of the record; hosts in lower case."""
    by_host: dict[str, dict[str, None]] = {}
    for uri in (*record.rua, *record.ruf):
        if host := _host(uri):
            by_host.setdefault(host, {})[uri.address] = None
    return {host: tuple(addresses) for host, addresses in by_host.items()}


def _host(uri: ReportUri) -> str:
    """Only `mailto:` has one: it is the only scheme that RFC 9989 defines (§4.7, `rua`)."""
    return uri.address.rpartition("@")[2].lower() if uri.scheme == "mailto" else ""


def authorisation_name(policy_domain: str, host: str) -> str | None:
    """Where `host` says that it takes reports about `policy_domain`, at which the record was found.

    None where no such name can be: then there is no authorisation (RFC 9990 §4, step 4).

    >>> authorisation_name("example.com", "reports.example.net")
    'example.com._report._dmarc.reports.example.net'
    """
    name = f"{policy_domain}._report._dmarc.{host}"
    return name if len(name) <= _LONGEST_NAME else None


def refusal(texts: Sequence[str], host: str) -> str:
    """Why the TXT texts at `authorisation_name` do not let reports go to `host`; "" where they do.

    A `rua` in them may name another address, at the same host only (RFC 9990 §4, step 9).
    """
    records = [read(text) for text in texts if is_dmarc(text)]
    if not records:
        return "there is no record that starts with `v=DMARC1`"
    elsewhere = {other for record in records for other in destinations(record)} - {host}
    if elsewhere:
        return f"its record names another host than {host}"
    return ""
