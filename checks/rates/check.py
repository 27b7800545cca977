"""What share of a sender's mail goes wrong, over windows of its events."""

from typing import ClassVar

from checks.rates import evaluate
from checks.rates.kinds import KINDS, WINDOWS
from monitor.check import About, Code, Confirm, Gauge, Settings, World
from monitor.model import Outcome, SenderTarget, Severity

_RATIO = ("kind", "domain", "sender", "stream", "provider", "window")
_LIMIT = ("kind", "severity", "domain", "sender", "stream", "window")


class RatesCheck:
    """Reads windows of events and holds their ratios against the configured thresholds."""

    about: ClassVar[About] = About(
        name="rates",
        title="Rates of what goes wrong with mail",
        targets=SenderTarget,
        interval=15.0,
        codes=tuple(Code(kind.code, Severity.CRITICAL, kind.title) for kind in KINDS),
        gauges=(
            Gauge("ratio", "Share of messages of a kind (bounce) in a window.", labels=_RATIO),
            Gauge("ratio_lower", "Lower bound of the ratio (95 % Wilson interval).", labels=_RATIO),
            Gauge("ratio_upper", "Upper bound of the ratio (95 % Wilson interval).", labels=_RATIO),
            Gauge("ratio_messages", "Messages that the ratio is a share of.", labels=_RATIO),
            Gauge("threshold", "The configured limit of a ratio.", labels=_LIMIT),
            Gauge(
                "threshold_minimum_messages",
                "Messages in an hour below which a ratio says nothing.",
                labels=("kind", "domain", "sender", "stream"),
            ),
        ),
        confirm=Confirm.NONE,
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def run(self, target: SenderTarget, world: World) -> Outcome:
        """A look at the sender as a whole, each of its streams, and each provider that got mail."""
        counts = await world.windows.counts(target.sender, target.domain, tuple(WINDOWS))
        groups = evaluate.grouped(counts, target.streams)
        streams = {"", *(group.stream for group in groups)}
        limits = {
            (kind.name, stream): world.thresholds.of(
                kind.name, role=target.role.value, sender=target.sender, stream=stream
            )
            for kind in KINDS
            for stream in sorted(streams)
        }
        looks = evaluate.looks(target.sender, groups, limits)
        held = evaluate.looks(target.sender, groups, limits, told=True)
        return Outcome(
            held if held != looks and _told(target, world) else looks,
            samples=tuple(evaluate.limit_samples(target.sender, limits)),
        )


def _told(target: SenderTarget, world: World) -> bool:
    """Whether too much was found when this sender was last looked at, or before and still holds."""
    name = RatesCheck.about.name
    return any(
        past.codes and (past.check, past.target) == (name, target.name)
        for past in world.results.of_domain(target.domain)
    )
