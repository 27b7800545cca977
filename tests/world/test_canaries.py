"""Is it us? A verdict about ourselves never blames us without proof, and never lets the world be blamed for us."""

import asyncio
from collections.abc import Callable

import dns.rcode
import pytest
from dns.message import Message, make_response
from dns.rrset import from_text

from monitor.world import canaries as module
from monitor.world.canaries import CanaryWatch
from monitor.world.dns.resolver import Resolver
from monitor.world.egress import EgressEvidence
from monitor.world.fake import FakeClock
from monitor.world.guard import AddressGuard
from tests.world.loopback import DnsServer, StartDns, StartTcp

NAMES = ("one.example", "two.example", "three.example")
MX = "mx.example"


class Nameserver:
    """Knows the canaries, unless told to be `silent`, `servfail` or `lying`, or to know only some."""

    def __init__(self) -> None:
        self.mood = "good"
        self.known = {*NAMES, MX}
        self.address = "127.0.0.1"

    def __call__(self, query: Message, _transport: str) -> list[bytes]:
        if self.mood == "silent":
            return []
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        response = make_response(query, recursion_available=True)
        if self.mood == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.known or self.mood == "lying":
            response.answer = [from_text(f"{name}.", 60, "IN", "A", self.address)]
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return [response.to_wire()]


def watch(
    server: DnsServer,
    clock: FakeClock,
    *,
    ports: dict[int, int] | None = None,
    allow: str = "127.0.0.0/8",
) -> CanaryWatch:
    return CanaryWatch(
        resolver=Resolver(clock=clock, nameservers=[server.address], timeout=0.3),
        guard=AddressGuard(allow=[allow], ports=ports),
        evidence=EgressEvidence(clock=clock),
        clock=clock,
        names=NAMES,
        port25=[f"{MX}:25"],
        connect_seconds=0.3,
    )


async def test_a_good_resolver_is_believed(dns_server: StartDns) -> None:
    server = await dns_server(Nameserver())
    canaries = watch(server, FakeClock(0))
    assert await canaries.resolver() is None
    assert await canaries.network() is None
    invalid = [name for name, _, _ in server.asked if name.endswith(".invalid")]
    assert len(invalid) == 1


@pytest.mark.parametrize(
    ("known", "trouble"), [({*NAMES[:2]}, False), ({*NAMES[:1]}, True), (set(), True)]
)
async def test_the_majority_of_the_canaries_counts(
    dns_server: StartDns, known: set[str], trouble: bool
) -> None:
    nameserver = Nameserver()
    nameserver.known = known
    canaries = watch(await dns_server(nameserver), FakeClock(0))
    assert (await canaries.resolver() is not None) is trouble


MOODS = [
    ("silent", "does not answer: one.example: no answer from"),
    ("servfail", "answered SERVFAIL"),
    ("lying", "lies: it says 127.0.0.1 for"),
]


@pytest.mark.parametrize(("mood", "reason"), MOODS)
async def test_the_resolvers_trouble_is_named(dns_server: StartDns, mood: str, reason: str) -> None:
    nameserver = Nameserver()
    nameserver.mood = mood
    server = await dns_server(nameserver)
    trouble = await watch(server, FakeClock(0)).resolver()
    assert trouble is not None
    assert reason in trouble
    assert trouble.startswith(f"our resolver {server.address} ")


async def test_a_random_name_is_another_each_time(dns_server: StartDns) -> None:
    server, clock = await dns_server(Nameserver()), FakeClock(0)
    canaries = watch(server, clock)
    for _ in range(3):
        await canaries.resolver()
        clock.advance(60)
    assert len({name for name, _, _ in server.asked if name.endswith(".invalid")}) == 3


async def test_a_verdict_is_shared_and_kept_for_a_moment(dns_server: StartDns) -> None:
    nameserver, clock = Nameserver(), FakeClock(0)
    server = await dns_server(nameserver)
    canaries = watch(server, clock)
    assert await asyncio.gather(*(canaries.resolver() for _ in range(9))) == [None] * 9
    assert len(server.asked) == 4
    nameserver.mood = "servfail"
    clock.advance(module.GOOD_SECONDS)
    assert await canaries.resolver(), (
        "a good verdict is no older than the failure it is asked about"
    )
    nameserver.mood = "good"
    clock.advance(module.GOOD_SECONDS)
    assert await canaries.resolver(), "trouble is not asked again at once"
    clock.advance(module.BAD_SECONDS)
    assert await canaries.resolver() is None


# --- the network ---


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    return lambda there: monkeypatch.setattr(module, "_has_route", lambda: there)


@pytest.mark.parametrize("there", [True, False])
async def test_a_dead_resolver_alone_is_no_dead_network(
    dns_server: StartDns, route: Callable[[bool], None], there: bool
) -> None:
    route(there)
    nameserver = Nameserver()
    nameserver.mood = "silent"
    trouble = await watch(await dns_server(nameserver), FakeClock(0)).network()
    assert (trouble is None) is there
    assert there or "no route to the internet" in trouble


CANARY_ADDRESSES = [
    ("127.0.0.1", False),  # nobody listens there, but it can be reached
    ("255.255.255.255", True),  # no connection can be made to a broadcast
]


@pytest.mark.parametrize(("address", "dead"), CANARY_ADDRESSES)
async def test_the_network_is_judged_by_where_the_canaries_were_last(
    dns_server: StartDns, unused_port: int, address: str, dead: bool
) -> None:
    nameserver, clock = Nameserver(), FakeClock(0)
    nameserver.address = address
    server = await dns_server(nameserver)
    canaries = watch(server, clock, ports={443: unused_port}, allow="0.0.0.0/0")
    assert await canaries.network() is None
    nameserver.mood = "servfail"
    clock.advance(60)
    trouble = await canaries.network()
    assert (trouble is not None) is dead
    assert not dead or trouble.startswith(f"our network reaches nothing: {address} port 443: ")


def test_whether_there_is_a_route_can_be_told() -> None:
    assert module._has_route() in {True, False}


# --- port 25 ---


class MailHost:
    """Counts who came."""

    def __init__(self) -> None:
        self.visits = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.write(b"220 welcome\r\n")
        await reader.read()

    async def visits_by_others(self, port: int) -> int:
        """A host accepts in order: once it welcomes us, whoever came before is counted."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.close()
        return self.visits - 1


async def test_port_25_is_open_where_a_mail_host_accepts(
    dns_server: StartDns, tcp_server: StartTcp
) -> None:
    host, clock = MailHost(), FakeClock(0)
    ports = {25: await tcp_server(host)}
    canaries = watch(await dns_server(Nameserver()), clock, ports=ports)
    for _ in range(5):
        assert await canaries.egress(25) is None
        clock.advance(3600)
    assert await host.visits_by_others(ports[25]) == 1, (
        "a stranger's host is not asked again while nothing fails"
    )


async def test_after_a_failure_of_ours_port_25_is_proved_anew(
    dns_server: StartDns, tcp_server: StartTcp
) -> None:
    host, clock = MailHost(), FakeClock(0)
    ports = {25: await tcp_server(host)}
    canaries = watch(await dns_server(Nameserver()), clock, ports=ports)
    await canaries.egress(25)
    clock.advance(60)
    canaries._evidence.note(25, connected=False)
    assert await canaries.egress(25) is None
    assert await host.visits_by_others(ports[25]) == 2


async def test_our_own_conversations_spare_the_strangers(
    dns_server: StartDns, unused_port: int
) -> None:
    clock = FakeClock(0)
    canaries = watch(await dns_server(Nameserver()), clock, ports={25: unused_port})
    canaries._evidence.note(25, connected=True)
    assert await canaries.egress(25) is None
    clock.advance(60)
    canaries._evidence.note(25, connected=False)
    assert await canaries.egress(25)


async def test_a_closed_port_25_is_told_as_our_trouble(
    dns_server: StartDns, unused_port: int
) -> None:
    canaries = watch(await dns_server(Nameserver()), FakeClock(0), ports={25: unused_port})
    trouble = await canaries.egress(25)
    assert trouble is not None
    assert "port 25 leave here for nobody (127.0.0.1 port 25:" in trouble
    assert await canaries.egress(587) is None, "other ports are not judged by it"


async def test_names_that_stop_resolving_are_the_resolvers_trouble_at_once(
    dns_server: StartDns, tcp_server: StartTcp
) -> None:
    nameserver = Nameserver()
    canaries = watch(
        await dns_server(nameserver), FakeClock(0), ports={25: await tcp_server(MailHost())}
    )
    assert await canaries.resolver() is None
    nameserver.mood = "servfail"
    assert await canaries.egress(25), "no mail host is found"
    assert await canaries.resolver(), "what was well a moment ago is asked anew"


@pytest.mark.parametrize("address", [address for address, _ in CANARY_ADDRESSES])
async def test_a_closed_port_443_is_told_as_our_trouble(
    dns_server: StartDns, unused_port: int, address: str
) -> None:
    """Also where each connection is refused: that is what a firewall does, and no canary."""
    nameserver = Nameserver()
    nameserver.address = address
    server = await dns_server(nameserver)
    canaries = watch(server, FakeClock(0), ports={443: unused_port}, allow="0.0.0.0/0")
    trouble = await canaries.egress(443)
    assert trouble
    assert f"port 443 leave here for nobody ({address} port 443:" in trouble


async def test_an_open_port_443_is_no_trouble(dns_server: StartDns, tcp_server: StartTcp) -> None:
    ports = {443: await tcp_server(MailHost())}
    canaries = watch(await dns_server(Nameserver()), FakeClock(0), ports=ports)
    assert await canaries.egress(443) is None


async def test_a_dead_network_is_the_reason_for_every_port(
    dns_server: StartDns, route: Callable[[bool], None]
) -> None:
    route(False)
    nameserver = Nameserver()
    nameserver.mood = "silent"
    canaries = watch(await dns_server(nameserver), FakeClock(0))
    assert "no route" in await canaries.egress(25)
    assert "no route" in await canaries.egress(587)


async def test_canaries_do_not_lead_into_our_own_network(dns_server: StartDns) -> None:
    trouble = await watch(
        await dns_server(Nameserver()), FakeClock(0), allow="192.0.2.0/24"
    ).egress(25)
    assert "not a public address" in trouble


HOSTS = [
    ("mx.example:2525", ("mx.example", 2525)),
    ("mx.example", ("mx.example", 25)),
    ("[::1]:26", ("::1", 26)),
    ("::1", ("::1", 25)),
]


@pytest.mark.parametrize(("text", "parsed"), HOSTS)
def test_hosts_of_canaries_may_have_ports(text: str, parsed: tuple[str, int]) -> None:
    assert module._host_port(text) == parsed
