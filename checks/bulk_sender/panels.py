"""Panels of the requirements of bulk senders on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Requirements of bulk senders",
        expr="max by (sender, provider, requirement) "
        '(deliverability_bulk_sender_requirement{domain=~"$domain"})',
        kind="table",
        description="1 met, 0 not met; what is not known is not in the table.",
    ),
)
