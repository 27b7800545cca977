"""What the DNS tells of a domain: mail hosts, addresses, platforms."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address

from monitor.check import DnsAnswer, DnsClient, Question
from monitor.config import names
from monitor.model import Provider
from monitor.protocol import spf
from monitor.protocol.mx import judge as judge_mx
from monitor.protocol.platforms import platform_of_include, provider_of_mx

MAX_MX_HOSTS = 16
MAX_HOST_ADDRESSES = 16
MAX_SPF_ADDRESSES = 16


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the DNS told of a domain at `at` (seconds since the epoch).

    `mx_hosts` in the order of their preference; `addresses` of those that no mailbox provider runs, then the single hosts
    (`ip4:` and `ip6:` without a shorter prefix) of the domain's own SPF record; `platforms` behind
    its includes.
    """

    domain: str
    at: float
    mx_hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As text for the store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Discovery":
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            data = json.loads(text)
            lists = {
                key: tuple(map(str, data[key])) for key in ("mx_hosts", "addresses", "platforms")
            }
            return cls(domain=str(data["domain"]), at=float(data["at"]), **lists)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no discovery: {error!r}") from None


async def discover(
    domain: str, dns: DnsClient, at: float, *, previous: Discovery | None = None
) -> Discovery | None:
    """What the DNS tells of `domain` now; None where it could not tell: then the previous one stays.

    That there is nothing (NXDOMAIN, NODATA) is knowledge. Where only some host's addresses could not
    be found out, those of `previous` stay besides the ones found, so that nothing seen is lost.
    """
    mx, txt = await dns.ask_many([Question(domain, "MX"), Question(domain, "TXT")])
    if not mx.known or not txt.known:
        return None
    hosts = tuple(host.exchange for host in judge_mx(mx.records).hosts[:MAX_MX_HOSTS])
    # The hosts of a mailbox provider receive for everyone and send nothing of ours.
    own = [host for host in hosts if provider_of_mx(host) is Provider.OTHER]
    questions = [Question(host, rtype) for host in own for rtype in ("A", "AAAA")]
    answers = await dns.ask_many(questions) if questions else []
    record = _spf_record(txt)
    found = [*_host_addresses(answers), *_spf_addresses(record)]
    if previous and not all(answer.known for answer in answers):
        found += previous.addresses
    return Discovery(domain, at, hosts, tuple(dict.fromkeys(found)), _platforms(record))


def _host_addresses(answers: Sequence[DnsAnswer]) -> list[str]:
    return [
        str(ip_address(record))
        for answer in answers
        for record in answer.records[:MAX_HOST_ADDRESSES]
        if names.is_address(record)
    ]


def _spf_record(txt: DnsAnswer) -> spf.SpfRecord:
    """The domain's record; an empty one where there is none, several, or a broken one (RFC 7208 §4.5)."""
    return spf.usable_record(txt.records) or spf.SpfRecord()


def _spf_addresses(record: spf.SpfRecord) -> list[str]:
    networks = [m.network for m in record.reachable if m.network and m.network.num_addresses == 1]
    return [str(network.network_address) for network in networks[:MAX_SPF_ADDRESSES]]


def _platforms(record: spf.SpfRecord) -> tuple[str, ...]:
    included = [m.domain for m in record.reachable if m.name is spf.MechanismName.INCLUDE]
    included += [record.redirect] if record.redirect else []
    platforms = filter(None, map(platform_of_include, included))
    return tuple(dict.fromkeys(platform.name for platform in platforms))
