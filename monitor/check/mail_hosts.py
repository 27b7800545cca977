"""What the checks of mail hosts have in common: a host's addresses in a fixed order, and what TLS it speaks."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from monitor.check.about import Gauge
from monitor.check.dns import DnsAnswer, Question
from monitor.check.world import World

MAX_ADDRESSES = 8
"""Of one host: enough for every real one, and no more connections than a guest should make."""

REMEMBERED_SECONDS = 7 * 86400.0

TLS_PROTOCOL_ACCEPTED = Gauge(
    "tls_protocol_accepted",
    "1 where the host accepts the TLS version, 0 where it does not; one check negotiates, another tries each.",
    labels=("target", "domain", "check", "protocol"),
)


async def addresses_of(host: str, world: World) -> tuple[list[str], str]:
    """The host's addresses in a fixed order, and why not all of them could be found out."""
    try:
        return [str(ip_address(host))], ""
    except ValueError:
        pass
    answers = await world.dns.ask_many([Question(host, "A"), Question(host, "AAAA")])
    told = [_records(answer, world) for answer in answers]
    blind = [a.blindness for a, records in zip(answers, told, strict=True) if records is None]
    addresses = in_order(text for records in told if records for text in records)
    return addresses[:MAX_ADDRESSES], "; ".join(blind)


def in_order(addresses: Iterable[str]) -> list[str]:
    """Each once, IPv4 first. Name servers rotate their answers: in order, the same are looked at every time."""
    found = set(map(ip_address, addresses))
    return list(map(str, sorted(found, key=lambda address: (address.version, int(address)))))


def is_ipv6(address: str) -> bool:
    """Whether the address, as text, is one of IPv6."""
    return ip_address(address).version == 6  # noqa: PLR2004 - IP versions


def _records(answer: DnsAnswer, world: World) -> Sequence[str] | None:
    """The records of an answer; those seen last where it tells nothing, None where there are none."""
    key = f"{answer.question.name} {answer.question.rtype}"
    if answer.known:
        world.memory.put(key, answer.records, REMEMBERED_SECONDS)
        return answer.records
    remembered = world.memory.get(key)
    return remembered if isinstance(remembered, tuple) else None
