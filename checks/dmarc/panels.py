"""Panels of the DMARC check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="DMARC policy in force",
        expr='max by (domain, policy) (deliverability_dmarc_policy{domain=~"$domain"}) == 1',
        kind="stat",
        legend="{{domain}}: {{policy}}",
        description="What receivers do with mail that fails DMARC; absent: no DMARC is applied.",
    ),
    Panel(
        title="DMARC record differs from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="dmarc"})',
        legend="{{domain}}: {{classification}}",
        description="1 while it differs. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
