"""Panels of the tracking check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Certificates of link hosts end",
        expr=(
            "max by (domain, host) "
            '(deliverability_tracking_certificate_not_after_timestamp_seconds{domain=~"$domain"}) * 1000'
        ),
        kind="stat",
        unit="dateTimeFromNow",
        legend="{{host}}",
        description="Of the click, open and unsubscribe hosts that are declared as tracking_hosts.",
    ),
)
