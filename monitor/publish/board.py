"""The panels that rest on the daemon's own metrics; those of the checks follow them.

Expressions take the maximum over replicas first, then add up. A zero is shown only while somebody
counts: with the daemon or the rules gone, the panel is empty.
"""

from dataclasses import dataclass

from monitor.check import Panel


@dataclass(frozen=True, slots=True)
class Section:
    """A row of a board with its panels."""

    title: str
    panels: tuple[Panel, ...]


TITLES = {
    "organisation": "All domains: what is wrong, what cannot be seen, what happens to the mail.",
    "domain": "One domain: its checks, what they found, and its mail.",
}
"""Board -> what it shows."""

ORGANISATION = (
    Section(
        "Organisation",
        (
            Panel(
                title="Domains",
                expr="count(max by (domain) (deliverability_domain_info))",
                kind="stat",
            ),
            Panel(
                title="Pages",
                expr=(
                    'count(ALERTS{alertname=~"Deliverability.+", alertstate="firing", severity="page"})'
                    ' or 0 * count(ALERTS{alertname="DeliverabilityWatchdog"})'
                ),
                kind="stat",
                description="Alerts that somebody is called for, now.",
            ),
            Panel(
                title="Open critical findings",
                expr=(
                    "sum(max by (domain, check, code)"
                    ' (deliverability_findings{severity="critical"}))'
                    " or 0 * count(deliverability_build_info)"
                ),
                kind="stat",
            ),
            Panel(
                title="Blind targets",
                expr=(
                    "sum(max by (check, target)"
                    ' (deliverability_check_status{status="unknown"}))'
                    " or 0 * count(deliverability_build_info)"
                ),
                kind="stat",
                description="Targets that could not be looked at: neither good nor bad.",
            ),
            Panel(
                title="Domains by the status of their checks",
                expr=(
                    "sum by (domain, status) (max by (check, target, domain, status)"
                    ' (deliverability_check_status{domain!=""})) > 0'
                ),
                kind="matrix",
            ),
            Panel(
                title="Open findings",
                expr=(
                    "sort_desc(max by (severity, domain, check, code)"
                    ' (deliverability_findings{severity!="info"}))'
                ),
                kind="table",
            ),
            Panel(
                title="Pages and tickets",
                expr=(
                    "count by (severity, alertname, domain)"
                    ' (ALERTS{alertname=~"Deliverability.+", alertstate="firing", severity=~"page|ticket"})'
                ),
                kind="table",
            ),
            Panel(
                title="Blind targets",
                expr=(
                    "max by (check, target, domain)"
                    ' (deliverability_check_status{status="unknown"}) == 1'
                ),
                kind="table",
                description="The status site says why each could not be looked at.",
            ),
            Panel(
                title="Targets by check and status",
                expr=(
                    "sum by (check, status)"
                    " (max by (check, target, status) (deliverability_check_status)) > 0"
                ),
                legend="{{check}} {{status}}",
                description="Addresses are counted where they are not ok.",
            ),
            Panel(
                title="Events",
                expr=(
                    "sum by (event) (max without (instance, pod)"
                    " (rate(deliverability_events_total[$__rate_interval])))"
                ),
                unit="cps",
                legend="{{event}}",
                description="What happened to the mail of all senders, a second.",
            ),
        ),
    ),
)

DOMAIN = (
    Section(
        "$domain",
        (
            Panel(
                title="Domain",
                expr='max by (role, owner, team) (deliverability_domain_info{domain=~"$domain"})',
                kind="table",
            ),
            Panel(
                title="Open findings",
                expr=(
                    "sort_desc(max by (severity, check, code)"
                    ' (deliverability_findings{domain=~"$domain"}))'
                ),
                kind="table",
            ),
            Panel(
                title="Checks",
                expr=(
                    "max by (check, target, status)"
                    ' (deliverability_check_status{domain=~"$domain"}) == 1'
                ),
                kind="table",
            ),
            Panel(
                title="Since an open finding was last seen",
                expr='max by (check, code) (deliverability_finding_age_seconds{domain=~"$domain"})',
                unit="s",
                legend="{{code}}",
                description="It grows while we cannot look: what was known stays shown.",
            ),
            Panel(
                title="Events",
                expr=(
                    "sum by (event) (max without (instance, pod)"
                    ' (rate(deliverability_events_total{domain=~"$domain"}[$__rate_interval])))'
                ),
                unit="cps",
                legend="{{event}}",
            ),
            Panel(
                title="Records that differ from what was accepted",
                expr=(
                    "max by (record, classification)"
                    ' (deliverability_record_drift{domain=~"$domain"})'
                ),
                legend="{{record}} {{classification}}",
            ),
        ),
    ),
)
