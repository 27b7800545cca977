"""The worlds that checks are handed: one outside, a memory for each check, a DNS memo for each look."""

from dataclasses import dataclass, replace
from ipaddress import ip_address

from monitor.check import Budgets, Clock, Confirm, EventWindows, Results, World
from monitor.config.valid import ValidConfig
from monitor.model import Address
from monitor.world.canaries import CanaryWatch
from monitor.world.dns.authorities import AuthorityWatch
from monitor.world.dns.dnssec import DnssecWatch
from monitor.world.dns.resolver import DnsView, Resolver
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard
from monitor.world.https import HttpsGetter
from monitor.world.memory import ExpiringMemory
from monitor.world.smtp import SmtpProber
from monitor.world.smtp_audit import SmtpAuditProber
from monitor.world.tls import TrustStore


@dataclass(frozen=True, slots=True)
class _Outside:
    """What one look may ask: the same question once, whoever asks it."""

    dns: DnsView
    authorities: AuthorityWatch
    dnssec: DnssecWatch
    https: HttpsGetter


class Worlds:
    """Hands out worlds that share everything but the memory of the check and the questions of the look."""

    def __init__(
        self,
        *,
        config: ValidConfig,
        windows: EventWindows,
        results: Results,
        budgets: Budgets,
        clock: Clock,
        resolver: Resolver,
        smtp: SmtpProber,
        smtp_audit: SmtpAuditProber,
        guard: AddressGuard,
        store: TrustStore,
        canaries: CanaryWatch,
    ) -> None:
        self.resolver = resolver
        self.canaries = canaries
        self._config = config
        self._smtp = smtp
        self._smtp_audit = smtp_audit
        self._guard = guard
        self._store = store
        self._windows = windows
        self._clock = clock
        self._results = results
        self._budgets = budgets
        self._memories: dict[str, ExpiringMemory] = {}

    def normal(self, check: str) -> World:
        """A world for one ordinary look of a check."""
        return self.world(check, self.outside(None), confirming=False)

    def confirming(self, check: str, how: Confirm) -> World:
        """A world for one confirming look: past the cache, by another path where the check wants that."""
        world = self.world(check, self.outside(how), confirming=True)
        if self._through_another(how):
            # What a zone proved through one resolver says nothing of another.
            world = replace(world, memory=self._memory(f"{check} through another resolver"))
        return world

    async def aclose(self) -> None:
        """Give up on what is in flight."""
        await self.resolver.aclose()

    def outside(self, how: Confirm | None) -> _Outside:
        """What one look may ask; `how` it confirms, None for an ordinary one."""
        if how is None:
            dns = self.resolver.per_look()
        else:
            other = how is Confirm.OTHER_PATH or self._through_another(how)
            dns = self.resolver.other_path() if other else self.resolver.fresh()
        return _Outside(
            dns=dns,
            authorities=AuthorityWatch(resolver=dns, guard=self._guard),
            dnssec=DnssecWatch(resolver=dns, unchecked=dns.unchecked()),
            https=HttpsGetter(
                guard=self._guard,
                resolver=dns,
                store=self._store,
                clock=self._clock,
                source_address=_source_address(self._config),
            ),
        )

    def world(self, check: str, outside: _Outside, *, confirming: bool) -> World:
        """A world of a check around an outside that others may share."""
        return World(
            dns=outside.dns,
            zones=outside.dns.keeping_nothing(),
            authorities=outside.authorities,
            dnssec=outside.dnssec,
            smtp=self._smtp,
            smtp_audit=self._smtp_audit,
            https=outside.https,
            windows=self._windows,
            thresholds=self._config.thresholds,
            canaries=self.canaries,
            clock=self._clock,
            results=self._results,
            memory=self._memory(check),
            budgets=self._budgets,
            nameservers=tuple(server.address for server in self.resolver.nameservers),
            confirming=confirming,
        )

    def _memory(self, name: str) -> ExpiringMemory:
        return self._memories.setdefault(name, ExpiringMemory(clock=self._clock))

    def _through_another(self, how: Confirm | None) -> bool:
        return how is Confirm.OTHER_RESOLVER and len(self.resolver.nameservers) > 1


class OneLook:
    """Worlds of several checks that look at one thing together: what one has asked, none asks again.

    `results` are what the checks of this look found so far.
    """

    def __init__(self, worlds: Worlds, results: Results) -> None:
        self._worlds = worlds
        self._results = results
        self._outsides: dict[Confirm | None, _Outside] = {}

    def normal(self, check: str) -> World:
        """A world for the look."""
        return self._world(check, None)

    def confirming(self, check: str, how: Confirm) -> World:
        """A world for confirming it."""
        return self._world(check, how)

    def _world(self, check: str, how: Confirm | None) -> World:
        if how not in self._outsides:
            self._outsides[how] = self._worlds.outside(how)
        world = self._worlds.world(check, self._outsides[how], confirming=how is not None)
        return replace(world, results=self._results)


def _source_address(config: ValidConfig) -> Address | None:
    source = config.config.vantage.source_address
    return ip_address(source) if source else None


def build_world(
    config: ValidConfig, windows: EventWindows, results: Results, budgets: Budgets, clock: Clock
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
    source = _source_address(config)
    store = TrustStore.of_system(settings.network.ca)
    smtp = SmtpProber(
        guard=guard,
        evidence=evidence,
        store=store,
        clock=clock,
        helo=vantage.helo,
        source_address=source,
    )
    smtp_audit = SmtpAuditProber(
        guard=guard, evidence=evidence, helo=vantage.helo, source_address=source
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
        budgets=budgets,
        clock=clock,
        resolver=resolver,
        smtp=smtp,
        smtp_audit=smtp_audit,
        guard=guard,
        store=store,
        canaries=canaries,
    )
