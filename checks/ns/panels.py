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
)
