"""Panels of the rates check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Bounce rate, last hour",
        expr=(
            "max by (sender, stream)"
            ' (deliverability_ratio{kind="bounce",domain=~"$domain",provider="",window="1h"})'
        ),
        unit="percentunit",
        legend="{{sender}} {{stream}}",
        description="Bounced messages per message accepted; absent where there was no mail.",
    ),
    Panel(
        title="Bounce rate, surely more than",
        expr=(
            "max by (sender, stream)"
            ' (deliverability_ratio_lower{kind="bounce",domain=~"$domain",provider="",window="1h"})'
        ),
        unit="percentunit",
        legend="{{sender}} {{stream}}",
        description="The lower end of the 95 % interval, which is held against the limits: few messages say little.",
    ),
    Panel(
        title="Bounce rate by provider, last hour",
        expr=(
            "max by (sender, provider)"
            ' (deliverability_ratio{kind="bounce",domain=~"$domain",provider!="",window="1h"})'
        ),
        unit="percentunit",
        legend="{{sender}} {{provider}}",
    ),
    Panel(
        title="Limits of the bounce rate",
        expr=(
            "max by (sender, stream, severity)"
            ' (deliverability_threshold{kind="bounce",domain=~"$domain",window="1h"})'
        ),
        kind="table",
        unit="percentunit",
        legend="{{sender}} {{stream}} {{severity}}",
    ),
)
