"""Panels of the TLS-RPT check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="TLS report destinations differ from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="tls_rpt"})',
        legend="{{domain}}: {{classification}}",
        description="1 while they differ. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
