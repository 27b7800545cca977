"""Panels of the MTA-STS check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="MTA-STS mode",
        expr='max by (domain, mode) (deliverability_mta_sts_mode{domain=~"$domain"})',
        kind="table",
        legend="{{domain}}: {{mode}}",
        description="`enforce`: senders refuse to deliver to a host that the policy does not name.",
    ),
    Panel(
        title="How long senders keep the MTA-STS policy",
        expr='max by (domain) (deliverability_mta_sts_max_age_seconds{domain=~"$domain"})',
        kind="stat",
        unit="s",
        legend="{{domain}}",
        description="After a wrong change mail may be refused for so long.",
    ),
    Panel(
        title="The MTA-STS policy differs from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="mta_sts"})',
        legend="{{domain}}: {{classification}}",
        description="1 while it differs. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
