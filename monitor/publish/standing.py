"""Series that do not belong to a target: the configuration's, the events', the store's."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from monitor.config.valid import ValidConfig
from monitor.publish.series import Series, series
from monitor.store.kept import Kept


class HookCounters(Protocol):
    """What the hooks counted since the start."""

    @property
    def requests(self) -> Mapping[tuple[str, str], int]:
        """Requests by (hook, outcome)."""
        ...

    @property
    def last_event_at(self) -> Mapping[str, float]:
        """When a hook last accepted an event (epoch seconds)."""
        ...


def standing_series(
    *,
    config: ValidConfig,
    totals: Mapping[tuple[str, str, str, str, str], int],
    hooks: HookCounters,
    store_up: bool,
    kept: Iterable[Kept],
) -> Iterator[Series]:
    """Everything that is said once for the whole daemon."""
    yield from _configured(config)
    senders = {sender.name for sender in config.senders}
    domains = {*(domain.name for domain in config.domains), "other"}
    for (sender, stream, domain, provider, event), number in totals.items():
        if sender not in senders or domain not in domains:
            continue
        yield series(
            "events_total",
            number,
            sender=sender,
            stream=stream,
            domain=domain,
            provider=provider,
            event=event,
        )
    for (hook, outcome), number in hooks.requests.items():
        yield series("hook_requests_total", number, hook=hook, outcome=outcome)
    for hook, at in hooks.last_event_at.items():
        yield series("hook_last_event_timestamp_seconds", at, hook=hook)
    yield series("store_up", 1 if store_up else 0)
    oldest: dict[str, float] = {}
    for one in kept:
        oldest[one.check] = min(one.looked_at, oldest.get(one.check, one.looked_at))
    for check, at in oldest.items():
        yield series("check_oldest_run_timestamp_seconds", at, check=check)


def _configured(config: ValidConfig) -> Iterator[Series]:
    for domain in config.domains:
        yield series(
            "domain_info",
            1,
            domain=domain.name,
            role=domain.role.value,
            owner=domain.owner,
            team=domain.team,
        )
    for sender in config.senders:
        yield Series(
            "deliverability_sender_info",
            (
                ("sender", sender.name),
                ("platform", sender.platform),
                ("class", sender.platform_class.value),
                ("pool", sender.pool),
                ("owner", sender.owner),
                ("team", sender.team),
            ),
            1,
        )
    for check in config.checks.values():
        if check.enabled:
            yield series("check_interval_seconds", check.interval, check=check.name)
