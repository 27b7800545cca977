"""Panels of the reverse DNS check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Sending addresses with reverse DNS findings",
        expr='max by (domain, code) (deliverability_findings{check="rdns",domain=~"$domain"})',
        legend="{{domain}}: {{code}}",
        description="How many addresses of the domain have the finding; none is shown where all are well.",
    ),
)
