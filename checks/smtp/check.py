"""Whether mail hosts answer, encrypt, and show a certificate that is worth something."""

from typing import ClassVar

from monitor.check import About, Code, Confirm, Settings, World
from monitor.model import HostTarget, Outcome, Severity


class SmtpCheck:
    """Converses with each address of a host."""

    about: ClassVar[About] = About(
        name="smtp",
        title="Mail hosts",
        targets=HostTarget,
        interval=900.0,
        timeout=90.0,
        codes=(Code("unreachable", Severity.CRITICAL, "the host does not answer"),),
        confirm=Confirm.OTHER_PATH,
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def run(self, target: HostTarget, world: World) -> Outcome:  # noqa: ARG002
        """One conversation with each address."""
        return Outcome.unknown("not finished")
