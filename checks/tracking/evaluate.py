"""What a link host's names and replies come to. Pure."""

from collections.abc import Iterable, Sequence

from monitor.check import DnsAnswer, DnsStatus, PastResult
from monitor.model import Classification, DomainTarget, Drift, Finding
from monitor.protocol.names import folded
from monitor.protocol.psl import registrable_domain

_BLOCKLIST, _LISTED = "blocklist", "blocklist.domain_listed"


def alias_of(cname: DnsAnswer) -> str:
    """The name that the host is a CNAME of, "" where it is none."""
    return folded(cname.records[0]) if cname.records else ""


def no_address(host: str, alias: str, answer: DnsAnswer) -> Finding:
    """The host leads nowhere: by an alias whose end does not exist, or by itself."""
    if alias and answer.status is DnsStatus.NXDOMAIN:
        end = answer.canonical_name if answer.canonical_name not in {"", host} else alias
        return Finding(
            "dangling",
            f"{host} is a CNAME of {end}, which does not exist: who registers it there owns the links in our mail",
            fix=(
                f"Remove the record now: {host}. IN CNAME {alias}. Or claim {end} again at the platform; if it "
                f"shows another name today, publish: {host}. IN CNAME <the name that the platform shows>."
            ),
            evidence=f"{host} CNAME {alias}",
        )
    return Finding(
        "unresolvable",
        f"{host} has no address: no link in our mail opens, and nobody can unsubscribe",
        fix=(
            f"Publish: {host}. IN CNAME <the name that the platform shows for this link domain>. If the host is "
            "no longer used, remove it from tracking_hosts when the last mail that names it is too old to be read."
        ),
        evidence=f"{host} CNAME {alias}" if alias else f"{host}: {answer.status}",
    )


def no_https(host: str, reason: str) -> Finding:
    """Nothing speaks HTTPS there, while our own way out is open."""
    return Finding(
        "no_https",
        f"{host} does not speak HTTPS: links to it are unencrypted, or broken",
        fix=f"Switch on SSL (a branded link with https) for {host} where the platform is configured.",
        evidence=reason,
    )


def of_names(target: DomainTarget, host: str, results: Sequence[PastResult]) -> Iterable[Finding]:
    """What its name alone says: whose it is, and whether the last look at blocklists found it listed."""
    own = registrable_domain(host) or host
    if own not in _own_domains(target):
        yield Finding(
            "foreign_domain",
            f"{host} is not under a domain of its senders: filters judge our links by what others do with {own}",
            fix=(
                f"Set up a link domain of your own at the platform, such as click.{target.name}, and publish: "
                f"click.{target.name}. IN CNAME <the name that the platform shows>."
            ),
        )
    listed = sorted({r.target for r in results if _lists(r) and r.target in {host, own}})
    if listed:
        yield Finding(
            "listed",
            f"{listed[0]} is on a domain blocklist: filters refuse mail whose links name {host}",
            fix=(
                f"See the finding {_LISTED} of {listed[0]}: stop what caused the listing, then ask for removal. "
                "Until then send with links on another domain of your own that is in use already."
            ),
        )


def _own_domains(target: DomainTarget) -> set[str]:
    names = {target.name, *(name for sender in target.senders for name in sender.domains)}
    return {registrable_domain(name) or name for name in names}


def _lists(result: PastResult) -> bool:
    return result.check == _BLOCKLIST and _LISTED in result.codes


def classify(accepted: str, seen: str) -> Drift | None:
    """How a host's alias differs from the accepted one; "" is: it is no alias."""
    if accepted == seen:
        return None
    if not seen:
        return Drift(Classification.VANISHED, f"it is no CNAME of {accepted} any more")
    before = f", not of {accepted}" if accepted else ""
    return Drift(
        Classification.CHANGED, f"it is a CNAME of {seen}{before}: links in sent mail lead there"
    )
