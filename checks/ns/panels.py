"""Panels of the name server check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Does the DNS answer for the domain",
        expr='max by (domain, status) (deliverability_check_status{check="ns",domain=~"$domain"}) == 1',
        kind="stat",
        legend="{{domain}}: {{status}}",
        description="unknown: our own resolver could not be believed when it was asked.",
    ),
    Panel(
        title="Registrations end",
        expr='max by (domain) (deliverability_domain_expiry_timestamp_seconds{domain=~"$domain"}) * 1000',
        kind="table",
        unit="dateTimeFromNow",
        legend="{{domain}}",
        description="As the registry says by RDAP; many country domains say nothing.",
    ),
)
