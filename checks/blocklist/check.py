"""Whether receivers find an address or a domain on the blocklists that they ask (RFC 5782)."""

from typing import ClassVar

from monitor.check import About, Code, Gauge, Settings, World, enough_subjects
from monitor.model import AddressTarget, DomainTarget, Outcome, Severity


class BlocklistSettings(Settings):
    """Which zones to ask."""

    zones: tuple[str, ...] = ()


class BlocklistCheck:
    """Asks every zone that lists this kind of target, once the zone has proved that it works."""

    about: ClassVar[About] = About(
        name="blocklist",
        title="Blocklists",
        targets=(AddressTarget, DomainTarget),
        interval=3600.0,
        settings=BlocklistSettings,
        codes=(Code("listed", Severity.CRITICAL, "a zone that receivers ask lists it"),),
        gauges=(
            Gauge(
                "blocklist_listed",
                "1 where a zone lists the target.",
                labels=("target", "domain", "kind", "zone", "severity", "meaning"),
            ),
            Gauge(
                "blocklist_zones",
                "Zones by what they say of the domain and its addresses.",
                labels=("domain", "state"),
                total=True,
            ),
        ),
        roll_up=enough_subjects(0.5),
    )

    def __init__(self, settings: BlocklistSettings) -> None:
        self.settings = settings

    async def run(self, target: AddressTarget | DomainTarget, world: World) -> Outcome:  # noqa: ARG002
        """One look at every zone."""
        return Outcome.unknown("not finished")
