"""Panels of the BIMI check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Mark certificate ends",
        expr=(
            "max by (domain) "
            '(deliverability_bimi_certificate_not_after_timestamp_seconds{domain=~"$domain"}) * 1000'
        ),
        kind="stat",
        unit="dateTimeFromNow",
        legend="{{domain}}",
        description="The first certificate of the BIMI evidence document to end; absent: there is none.",
    ),
    Panel(
        title="BIMI record differs from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="bimi"})',
        legend="{{domain}}: {{classification}}",
        description="1 while it differs. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
