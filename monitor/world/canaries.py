"""Is it us? Our resolver, our network and our way out are asked before the world is blamed."""

import asyncio
import itertools
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from monitor.check import Clock, DnsAnswer, DnsStatus, Question
from monitor.model import Address
from monitor.world.connect import connect_trouble, open_socket
from monitor.world.dns.resolver import Resolver
from monitor.world.egress import EgressEvidence
from monitor.world.guard import AddressGuard

GOOD_SECONDS = 1.0
"""A good verdict is kept only so long: it must not be older than the failure that it is asked about."""
BAD_SECONDS = 10.0
CONNECT_SECONDS = 5.0

SMTP_PORT = 25
HTTPS_PORT = 443
_ROOT_SERVER = ("198.41.0.4", 53)  # a.root-servers.net; looked up in our routes, never sent to


class _Verdict:
    """One question about ourselves: asked once at a time, its answer kept for a moment."""

    def __init__(self, ask: Callable[[], Awaitable[str | None]], *, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = asyncio.Lock()
        self._until = float("-inf")
        self._trouble: str | None = None

    async def trouble(self) -> str | None:
        async with self._lock:
            if self._clock.monotonic() >= self._until:
                self._trouble = await self._ask()
                seconds = GOOD_SECONDS if self._trouble is None else BAD_SECONDS
                self._until = self._clock.monotonic() + seconds
            return self._trouble

    def doubt(self) -> None:
        """What is kept does not hold any more: the next who wants to know asks."""
        self._until = float("-inf")


@dataclass(frozen=True, slots=True)
class _Unreached:
    """Why no connection came about; one that is refused still shows that the network carries."""

    reason: str
    refused: bool = False

    def __str__(self) -> str:
        return self.reason


class CanaryWatch:
    """Implements `monitor.check.Canaries`.

    Strangers' mail hosts are connected to only while nothing else proves that port 25 is open: at
    the start, and after a connection of ours failed; and then one of them, in turn, if it answers.

    Args:
        names: names that always have addresses, at one of which at least HTTPS always answers.
        port25: `host` or `host:port` of mail hosts that always accept connections.
        source_address: the address to connect from, for hosts of its family; as the prober does.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: AddressGuard,
        evidence: EgressEvidence,
        clock: Clock,
        names: Sequence[str],
        port25: Sequence[str],
        source_address: Address | None = None,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._evidence = evidence
        self._names = tuple(names)
        self._port25 = tuple(map(_host_port, port25))
        self._source = source_address
        self._turn = itertools.count()
        self._connect_seconds = connect_seconds
        self._reachable_at: tuple[str, ...] = ()
        self._resolver_verdict = _Verdict(self._ask_resolver, clock=clock)
        self._network_verdict = _Verdict(self._ask_network, clock=clock)
        self._port25_verdict = _Verdict(self._ask_port25, clock=clock)
        self._https_verdict = _Verdict(self._ask_https, clock=clock)

    async def resolver(self) -> str | None:
        """Why our resolver cannot be believed."""
        return await self._resolver_verdict.trouble()

    async def network(self) -> str | None:
        """Why our network reaches nothing at all."""
        return await self._network_verdict.trouble()

    async def egress(self, port: int) -> str | None:
        """Why connections to `port` leave here for nobody; without canaries for it, the network's trouble."""
        if self._evidence.open(port, GOOD_SECONDS):
            return None
        trouble = await self.network()
        if trouble is None and port == SMTP_PORT and self._port25:
            return await self._port25_verdict.trouble()
        if trouble is None and port == HTTPS_PORT:
            return await self._https_verdict.trouble()
        return trouble

    async def _ask_resolver(self) -> str | None:
        ours = ", ".join(map(str, self._resolver.nameservers)) or "(none)"
        nonsense = f"{secrets.token_hex(8)}.invalid"  # RFC 6761 §6.4: never exists
        questions = [Question(name, "A") for name in (*self._names, nonsense)]
        *answers, lie = await self._resolver.fresh().ask_many(questions)
        if lie.records:
            return f"our resolver {ours} lies: it says {lie.records[0]} for {nonsense}, a name that cannot exist"
        good = [answer for answer in answers if answer.status is DnsStatus.OK]
        if 2 * len(good) > len(answers):
            addresses = (answer.records[0] for answer in good)
            self._reachable_at = tuple(a for a in addresses if self._guard.permit(a) is None)
            return None
        return _resolver_trouble(ours, answers)

    async def _ask_network(self) -> str | None:
        trouble = await self.resolver()
        if trouble is None:
            return None
        if not self._reachable_at:
            return None if _has_route() else f"this machine has no route to the internet; {trouble}"
        failure = await self._unreached(refused_is_reached=True)
        return failure and f"our network reaches nothing: {failure}; {trouble}"

    async def _ask_https(self) -> str | None:
        # A firewall refuses in the hosts' name; all canaries at once do not.
        failure = await self._unreached(refused_is_reached=False)
        return failure and f"connections to port 443 leave here for nobody ({failure})"

    async def _unreached(self, *, refused_is_reached: bool) -> str | None:
        """How a canary was not reached over HTTPS; None where another was, or, if that counts, refused."""
        attempts = [self._connect(address, HTTPS_PORT) for address in self._reachable_at]
        failures = [failure for failure in await asyncio.gather(*attempts) if failure is not None]
        if len(failures) < len(attempts):
            return None
        if refused_is_reached and any(failure.refused for failure in failures):
            return None
        return failures[0].reason if failures else None

    async def _ask_port25(self) -> str | None:
        failures = []
        start = next(self._turn)
        for offset in range(len(self._port25)):
            host, port = self._port25[(start + offset) % len(self._port25)]
            failure = await self._reach(host, port)
            if failure is None:
                self._evidence.note(SMTP_PORT, connected=True)
                return None
            failures.append(failure)
        return (
            f"connections to port 25 leave here for nobody ({'; '.join(failures)}): "
            "most clouds block it until they are asked to open it"
        )

    async def _reach(self, host: str, port: int) -> str | None:
        failure = f"{host} has no address"
        for address in await self._addresses(host):
            unreached = await self._connect(address, port)
            if unreached is None:
                return None
            failure = unreached.reason
        return failure

    async def _addresses(self, host: str) -> Sequence[str]:
        with suppress(ValueError):
            return [str(ip_address(host))]
        answers = await self._resolver.ask_many([Question(host, "A"), Question(host, "AAAA")])
        if not any(answer.known for answer in answers):
            # That tells of the resolver, whatever it was worth a moment ago.
            self._resolver_verdict.doubt()
        # One address of each family is enough to know.
        return [answer.records[0] for answer in answers if answer.records]

    async def _connect(self, address: str, port: int) -> _Unreached | None:
        """None where a connection comes about, else why not."""
        refusal = self._guard.permit(address)
        if refusal is not None:
            return _Unreached(refusal)
        try:
            async with asyncio.timeout(self._connect_seconds):
                connection = await open_socket(address, self._guard.port(port), self._source)
        except TimeoutError:
            return _Unreached(f"{address} port {port} does not answer")
        except OSError as error:
            cause = connect_trouble(error, self._connect_seconds)
            refused = isinstance(error, ConnectionRefusedError)
            return _Unreached(f"{address} port {port}: {cause}", refused=refused)
        connection.close()
        return None


def _resolver_trouble(ours: str, answers: Sequence[DnsAnswer]) -> str:
    silent = next((answer for answer in answers if not answer.known), None)
    if silent is not None:
        return f"our resolver {ours} does not answer: {silent.question.name}: {silent.reason}"
    names = ", ".join(answer.question.name for answer in answers)
    return f"our resolver {ours} finds no address for {names}"


def _has_route() -> bool:
    """Whether the machine knows a way to the internet; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ROOT_SERVER)
        except OSError:
            return False
        return True


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]" in text else (text, "", "")
    return host.strip("[]"), int(port or SMTP_PORT)
