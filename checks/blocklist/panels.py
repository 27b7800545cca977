"""Panels of the blocklist check."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Blocklist listings",
        expr=(
            "max by (target, zone, severity, meaning)"
            ' (deliverability_blocklist_listed{domain=~"$domain"}) == 1'
        ),
        kind="table",
        legend="{{target}} in {{zone}}",
        description="Where the domain and its sending addresses are listed now; empty is good where zones are known.",
    ),
    Panel(
        title="What blocklist zones say",
        expr='max by (domain, state) (deliverability_blocklist_zones{domain=~"$domain"})',
        legend="{{domain}} {{state}}",
        description="Looks at zones, added up over the domain and its addresses. Unknown is not clean.",
    ),
    Panel(
        title="Blocklist zones that serve this monitor",
        expr="max by (zone) (deliverability_blocklist_zone_usable)",
        kind="stat",
        legend="{{zone}}",
        description="1 where the zone's own test entries behave; 0: it refuses this resolver, is silent, or is dead.",
        board="organisation",
    ),
    Panel(
        title="What is wrong with blocklist zones",
        expr="max by (zone, code) (deliverability_blocklist_zone_fault)",
        kind="table",
        legend="{{zone}} {{code}}",
        description="Faults of single zones; where most fail at once, our resolver is told of instead.",
        board="organisation",
    ),
    Panel(
        title="Questions to blocklist zones",
        expr="sum by (zone, outcome) (increase(deliverability_blocklist_zone_queries_total[1d]))",
        legend="{{zone}} {{outcome}}",
        description="In a day. Free use of most zones has a limit.",
        board="organisation",
    ),
)
