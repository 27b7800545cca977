"""What share of a sender's mail bounces, over windows of its events."""

from typing import ClassVar

from monitor.check import About, Code, Confirm, Settings, World
from monitor.model import Outcome, SenderTarget, Severity


class RatesCheck:
    """Reads windows of events and holds their ratios against the thresholds."""

    about: ClassVar[About] = About(
        name="rates",
        title="Bounce rates",
        targets=SenderTarget,
        interval=15.0,
        codes=(Code("bounce_high", Severity.CRITICAL, "too much of the mail bounces"),),
        confirm=Confirm.NONE,
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def run(self, target: SenderTarget, world: World) -> Outcome:  # noqa: ARG002
        """One look at every stream and provider."""
        return Outcome.unknown("not finished")
