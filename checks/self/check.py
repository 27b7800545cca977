"""Is it us? Our resolver, our network and our way out to port 25, before the world is blamed."""

from typing import ClassVar

from monitor.check import About, Code, Confirm, Gauge, Settings, World
from monitor.model import Finding, Look, MonitorTarget, Outcome, Sample, Severity

NETWORK, RESOLVER, PORT25 = "network", "resolver", "port25"


class SelfCheck:
    """Asks the canaries. A dead network is one finding; what lies behind it is then unknown."""

    about: ClassVar[About] = About(
        name="self",
        title="The monitor itself",
        targets=MonitorTarget,
        interval=30,
        timeout=20,
        codes=(
            Code("network_down", Severity.WARNING, "our network reaches nothing"),
            Code("resolver_failing", Severity.WARNING, "our resolver cannot be believed"),
            Code("egress_blocked", Severity.WARNING, "port 25 is blocked on our way out"),
        ),
        gauges=(
            Gauge(
                "canary_up",
                "1 where a canary of ours answers; absent where we cannot tell.",
                labels=("canary",),
            ),
        ),
        # Each canary has asked several servers several times, and the alerts wait before they fire.
        confirm=Confirm.NONE,
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def run(self, target: MonitorTarget, world: World) -> Outcome:  # noqa: ARG002 - there is one
        """One look at each canary."""
        if reason := await world.canaries.network():
            unknown = "the network is down"
            return _outcome(
                Look.known(NETWORK, (_network_down(reason),)),
                Look.unknown(RESOLVER, unknown),
                Look.unknown(PORT25, unknown),
            )
        # In this order: a mail host that is not found makes the resolver's canaries be asked anew.
        egress = await world.canaries.egress(25)
        resolver = await world.canaries.resolver()
        return _outcome(
            Look.known(NETWORK),
            Look.known(RESOLVER, (_resolver_failing(resolver),) if resolver else ()),
            _port25(egress, blind=resolver is not None),
        )


def _port25(egress: str | None, *, blind: bool) -> Look:
    """Without names no canary is found: that says nothing of the port."""
    if egress and blind:
        return Look.unknown(PORT25, "the resolver cannot be believed")
    return Look.known(PORT25, (_egress_blocked(egress),) if egress else ())


def _outcome(*looks: Look) -> Outcome:
    # The samples belong to the run, not to the looks: an unknown look would keep an old 1 on show.
    known = (look for look in looks if look.state == "known")
    return Outcome(
        looks,
        samples=tuple(
            Sample("canary_up", 0.0 if look.findings else 1.0, {"canary": look.subject})
            for look in known
        ),
    )


def _network_down(reason: str) -> Finding:
    return Finding(
        "network_down",
        "The monitor's network reaches nothing, so nothing is known of the outside",
        fix="Restore the network of the host that the monitor runs on (route, firewall, interface).",
        evidence=reason,
    )


def _resolver_failing(reason: str) -> Finding:
    return Finding(
        "resolver_failing",
        "The monitor's DNS resolver cannot be believed, so nothing that needs DNS is known",
        fix="Mend the resolver, or set resolver.nameservers to an own recursive one such as unbound.",
        evidence=reason,
    )


def _egress_blocked(reason: str) -> Finding:
    return Finding(
        "egress_blocked",
        "Connections to port 25 leave the monitor's host for nobody, so mail hosts on it are not seen",
        fix=(
            "Most clouds block port 25: ask the provider to open it, run the monitor where it is open, "
            "or list only ports 465 and 587 in checks.smtp.targets."
        ),
        evidence=reason,
    )
