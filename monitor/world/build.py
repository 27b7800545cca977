"""The worlds that checks are handed: one outside, a memory for each check, a DNS memo for each look."""

from monitor.check import Clock, Confirm, DnsClient, EventWindows, Results, World
from monitor.config.valid import ValidConfig
from monitor.world.canaries import CanaryWatch
from monitor.world.dns import Resolver
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.memory import ExpiringMemory
from monitor.world.smtp import SmtpProber
from monitor.world.tls import TrustStore


class Worlds:
    """Hands out worlds that share everything but the memory of the check and the questions of the look."""

    def __init__(
        self,
        *,
        config: ValidConfig,
        windows: EventWindows,
        results: Results,
        clock: Clock,
        resolver: Resolver,
        smtp: SmtpProber,
        canaries: CanaryWatch,
    ) -> None:
        self.resolver = resolver
        self.canaries = canaries
        self._smtp = smtp
        self._windows = windows
        self._thresholds = config.thresholds
        self._clock = clock
        self._results = results
        self._memories: dict[str, ExpiringMemory] = {}

    def normal(self, check: str) -> World:
        """A world for one ordinary look of a check."""
        return self._world(check, self.resolver.per_look(), confirming=False)

    def confirming(self, check: str, how: Confirm) -> World:
        """A world for one confirming look: past the cache, by another path where the check wants that."""
        other = how is Confirm.OTHER_PATH
        dns = self.resolver.other_path() if other else self.resolver.fresh()
        return self._world(check, dns, confirming=True)

    async def aclose(self) -> None:
        """Give up on what is in flight."""
        await self.resolver.aclose()

    def _world(self, check: str, dns: DnsClient, *, confirming: bool) -> World:
        memory = self._memories.setdefault(check, ExpiringMemory(clock=self._clock))
        return World(
            dns=dns,
            smtp=self._smtp,
            windows=self._windows,
            thresholds=self._thresholds,
            canaries=self.canaries,
            clock=self._clock,
            results=self._results,
            memory=memory,
            confirming=confirming,
        )


def build_world(
    config: ValidConfig, windows: EventWindows, results: Results, clock: Clock
) -> Worlds:
    """The real outside as the configuration has it.

    Raises:
        OSError: the file of additional authorities cannot be read.
        ValueError: it holds no certificate.
    """
    settings = config.config
    guard = AddressGuard(allow=settings.network.allow, ports=settings.network.ports)
    evidence = EgressEvidence(clock=clock)
    resolver = Resolver(
        clock=clock,
        nameservers=settings.resolver.nameservers,
        timeout=settings.resolver.timeout,
    )
    vantage = settings.vantage
    source = str(vantage.source_address) if vantage.source_address else None
    smtp = SmtpProber(
        guard=guard,
        evidence=evidence,
        store=TrustStore.of_system(settings.network.ca),
        clock=clock,
        helo=vantage.helo,
        source_address=source,
    )
    canaries = CanaryWatch(
        resolver=resolver,
        guard=guard,
        evidence=evidence,
        clock=clock,
        names=settings.resolver.canaries,
        port25=settings.network.port25_canaries,
        source_address=source,
    )
    return Worlds(
        config=config,
        windows=windows,
        results=results,
        clock=clock,
        resolver=resolver,
        smtp=smtp,
        canaries=canaries,
    )
