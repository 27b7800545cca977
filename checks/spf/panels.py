"""Panels of the SPF check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="SPF lookups (receivers do 10)",
        expr='max by (domain) (deliverability_spf_dns_lookups{domain=~"$domain"})',
        legend="{{domain}}",
        description="Above 10 receivers answer permerror to all mail of the domain (RFC 7208 §4.6.4).",
    ),
    Panel(
        title="SPF record differs from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="spf"})',
        legend="{{domain}}: {{classification}}",
        description="1 while it differs. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
