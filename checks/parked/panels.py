"""Panels of the check for parked domains."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Parked domains that do not say that they send nothing",
        expr='max by (domain, code) (deliverability_findings{check="parked"}) > 0',
        kind="table",
        legend="{{domain}}: {{code}}",
        description="SPF `-all`, DMARC `p=reject`, and a null MX say it.",
        board="organisation",
    ),
)
