"""Panels of the MX check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="MX records differ from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="mx"})',
        legend="{{domain}}: {{classification}}",
        description="1 while they differ. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
