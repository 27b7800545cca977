"""How the monitor itself is doing, on the organisation's board."""

from monitor.check import Panel

PANELS: tuple[Panel, ...] = (
    Panel(
        title="Canaries",
        expr="min without (instance, pod) (deliverability_canary_up)",
        kind="stat",
        legend="{{canary}}",
        description="1 where our resolver, our network and our way out to port 25 answer; absent where we cannot tell.",
        board="organisation",
    ),
    Panel(
        title="Oldest look of each check, in its intervals",
        expr=(
            "max by (check) (time() - max without (instance, pod)"
            " (deliverability_check_oldest_run_timestamp_seconds))"
            " / on (check) max by (check) (deliverability_check_interval_seconds)"
        ),
        legend="{{check}}",
        description="Above 3 the check has fallen behind.",
        board="organisation",
    ),
    Panel(
        title="Runs by status",
        expr="sum by (check, status) (rate(deliverability_check_runs_total[$__rate_interval]))",
        unit="ops",
        legend="{{check}} {{status}}",
        board="organisation",
    ),
    Panel(
        title="Requests to hooks",
        expr="sum by (hook, outcome) (rate(deliverability_hook_requests_total[$__rate_interval]))",
        unit="reqps",
        legend="{{hook}} {{outcome}}",
        board="organisation",
    ),
)
