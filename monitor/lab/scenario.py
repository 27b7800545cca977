"""A scenario: the lab's whole world as validated data."""

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, Literal, Self

import dns.exception
import dns.name
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from monitor.lab.records import parse_rdata

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LOOPBACK = ip_address("127.0.0.0").packed[:1]


def seconds(text: object) -> float:
    """Turn a duration as Prometheus writes it (`500ms`, `2s`, `-3d`) into seconds.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(text, float):
        return text
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)(ms|s|m|h|d)", str(text))
    if match is None:
        raise ValueError(f"not a duration (500ms, 2s, 1h, -3d): {text!r}")
    return float(match[1]) * _UNITS[match[2]]


def _domain_name(text: str) -> str:
    try:
        dns.name.from_text(text)
    except dns.exception.DNSException as error:
        raise ValueError(f"not a domain name: {error}") from error
    return text


def _loopback(address: IPv4Address) -> IPv4Address:
    if address.packed[:1] != _LOOPBACK:
        raise ValueError("a server of the lab listens on 127.0.0.0/8 and nowhere else")
    return address


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _parsable(records: dict[str, tuple[str | bytes, ...]]) -> dict[str, tuple[str | bytes, ...]]:
    for rdtype, values in records.items():
        for value in values:
            parse_rdata(rdtype, value)
    return records


def _parsable_times(body: str | bytes) -> str | bytes:
    if isinstance(body, str):
        for match in FROM_NOW.finditer(body):
            seconds(match[1])
    return body


Seconds = Annotated[float, BeforeValidator(seconds)]
DomainName = Annotated[str, AfterValidator(_domain_name)]
Loopback = Annotated[IPv4Address, AfterValidator(_loopback)]
Share = Annotated[float, Field(ge=0, le=1)]
Records = Annotated[
    dict[str, Annotated[tuple[str | bytes, ...], BeforeValidator(_as_list)]],
    AfterValidator(_parsable),
]
Port = Literal[25, 465, 587]
# In a document's text: a time so far from when it is asked for, as RFC 3339 writes it.
FROM_NOW = re.compile(r"\{in ([^}]*)\}")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Manner(StrEnum):
    """How an SMTP host behaves towards its clients."""

    NORMAL = "normal"
    TARPIT = "tarpit"
    ENDLESS = "endless"
    ENDLESS_BANNER = "endless_banner"
    GIGANTIC = "gigantic"
    LONG_LINE = "long_line"
    BUSY = "busy"
    INJECTING = "injecting"
    STALLED = "stalled"
    BUFFERING = "buffering"


class TlsVersion(StrEnum):
    """A protocol version, as OpenSSL names it."""

    V1_0 = "TLSv1"
    V1_1 = "TLSv1_1"
    V1_2 = "TLSv1_2"
    V1_3 = "TLSv1_3"


class Tls(_Model):
    """The range of protocol versions that a host speaks; `ciphers` is OpenSSL's list, its default where empty."""

    minimum: TlsVersion = TlsVersion.V1_2
    maximum: TlsVersion = TlsVersion.V1_3
    ciphers: str = ""


class Certificate(_Model):
    """What a host presents: `names` (its own name when empty), lifetime from now, and who signed it.

    `key` is the number that its key is made from, so that a TLSA record can name it; else each has a new one.
    """

    names: tuple[str, ...] = ()
    expires_in: Seconds = 60 * 86400.0
    issuer: Literal["lab", "self"] = "lab"
    key: Annotated[int, Field(ge=1, lt=2**32)] | None = None


class Host(_Model):
    """An SMTP host. Its A record and its PTR record come with it.

    `relays`: it takes mail of anyone to anyone; `clear_auth`: it lets people log in before TLS.
    """

    address: Loopback
    ports: frozenset[Port] = frozenset({25, 465, 587})
    listening: bool = True
    starttls: bool = True
    tls: Tls = Tls()
    certificate: Certificate = Certificate()
    manner: Manner = Manner.NORMAL
    relays: bool = False
    clear_auth: bool = False


class SiteManner(StrEnum):
    """How a site behaves towards its clients; all but the normal one do it whatever the path."""

    NORMAL = "normal"
    ENDLESS = "endless"
    HUGE = "huge"
    LIAR = "liar"
    STALLED = "stalled"
    TARPIT = "tarpit"


class Document(_Model):
    """What a site answers for a path. In text, `{in 30d}` is the time in thirty days."""

    type: str = "text/plain"
    body: Annotated[str | bytes, AfterValidator(_parsable_times)] = ""
    status: Annotated[int, Field(ge=200, le=599)] = 200
    location: str = ""


class Site(_Model):
    """An HTTPS host. Its A record and its PTR record come with it; what it has no document for is 404."""

    address: Loopback
    listening: bool = True
    tls: Tls = Tls()
    certificate: Certificate = Certificate()
    manner: SiteManner = SiteManner.NORMAL
    documents: dict[Annotated[str, Field(pattern="^/")], Document] = {}


class Deed(StrEnum):
    """What a behaviour does to the questions that it matches."""

    DROP = "drop"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    SLOW = "slow"
    TRUNCATE = "truncate"
    LAME = "lame"
    FLAP = "flap"
    GARBAGE_FIRST = "garbage_first"
    NXDOMAIN_REWRITE = "nxdomain_rewrite"
    ANSWER = "answer"
    HUGE = "huge"
    LARGE_TEXT = "large_text"
    MANY_STRINGS = "many_strings"
    UDP_ONLY = "udp_only"
    WRONG_CLASS = "wrong_class"
    WRONG_PORT = "wrong_port"
    POINTER_LOOP = "pointer_loop"
    BOGUS = "bogus"


class Behaviour(_Model):
    """Something odd that the DNS does to questions under `suffix`.

    `types` limits it to record types, `server` to one name server (or `resolver`), `only: addresses` to
    names that are reversed addresses under the suffix, and `share` to that part of the questions,
    drawn with the scenario's seed. Of several that match, the one declared last acts. `large_text` is
    what it `begins` with and `repeats`.
    """

    suffix: DomainName
    do: Deed
    types: frozenset[str] = frozenset()
    server: str | None = None
    only: Literal["addresses"] | None = None
    share: Share = 1.0
    delay: Seconds = 2.0
    answers: tuple[IPv4Address, ...] = ()
    count: Annotated[int, Field(ge=1, le=2000)] = 1000
    begins: str = "v=spf1 "
    repeats: Annotated[str, Field(min_length=1)] = "a"


class Listing(_Model):
    """One listed address or domain: the codes answered and the reason in the TXT record."""

    codes: tuple[IPv4Address, ...] = (IPv4Address("127.0.0.2"),)
    reason: str = "listed by the lab"


class ReturnCode(_Model):
    """What a blocklist means by a code, for the catalogue given to the daemon."""

    meaning: str
    severity: Literal["page", "ticket", "info"]


class Blocklist(_Model):
    """A blocklist zone with its RFC 5782 §5 test entries; `entries` are addresses or domains."""

    kinds: tuple[Literal["ip4", "ip6", "domain"], ...]
    description: str = ""
    codes: dict[IPv4Address, ReturnCode] = {}
    entries: dict[str, Listing] = {}


class Traffic(_Model):
    """The flow of mail events that one hook of the daemon receives.

    `proof` is whether the hook knows the secret that the sender proves itself with. `rate` is in messages
    a second; `bounced`, `deferred`, `complained` and `opened` are shares of them; `history` is how far
    back the flow begins when the lab starts. `recipients` weighs the domains.
    """

    kind: Literal["generic", "sendgrid"]
    sender: str
    domain: DomainName
    stream: str
    proof: Literal["right", "wrong"] = "right"
    rate: Annotated[float, Field(ge=0, le=1000)] = 2.0
    bounced: Share = 0.01
    deferred: Share = 0.02
    complained: Share = 0.0005
    opened: Share = 0.2
    history: Seconds = 3600.0
    recipients: Annotated[dict[DomainName, float], Field(min_length=1)]


class Burst(_Model):
    """Messages that happen at once, with the share of them that bounces."""

    messages: Annotated[int, Field(ge=1, le=1_000_000)]
    bounced: Share = 0.0


class Incident(_Model):
    """A named change of the world: a merge patch, and bursts of mail when it starts and ends."""

    description: str
    world: dict[str, Any] = {}
    on_start: dict[str, Burst] = {}
    on_end: dict[str, Burst] = {}


class Scenario(_Model):
    """The whole world. Names inside records are absolute; owner names are relative to their zone.

    `signed` are names of which the resolver says, as a validating one would, that DNSSEC vouches for
    them and all below them (the flag AD); where there are any, for the root's own records too.
    """

    name: str
    description: str = ""
    seed: int = 1
    ttl: Annotated[int, Field(ge=0, le=86400)] = 2
    zones: dict[DomainName, dict[str, Records]]
    pointers: dict[IPv4Address | IPv6Address, tuple[DomainName, ...]] = {}
    nameservers: dict[DomainName, Loopback] = {}
    hosts: dict[DomainName, Host] = {}
    sites: dict[DomainName, Site] = {}
    behaviours: dict[str, Behaviour] = {}
    signed: tuple[DomainName, ...] = ()
    blocklists: dict[DomainName, Blocklist] = {}
    egress: dict[Port | Literal[443], Literal["open", "refused", "silent"]] = {}
    traffic: dict[str, Traffic] = {}
    configuration: dict[str, Any] = {}
    incidents: dict[str, Incident] = {}

    @model_validator(mode="after")
    def _addresses_are_distinct(self) -> Self:
        if both := self.hosts.keys() & self.sites.keys():
            raise ValueError(f"a host and a site of the same name: {', '.join(sorted(both))}")
        servers = (self.hosts | self.sites).values()
        addresses = [server.address for server in servers] + list(self.nameservers.values())
        twice = {str(address) for address in addresses if addresses.count(address) > 1}
        if twice:
            raise ValueError(f"several servers at the same address: {', '.join(sorted(twice))}")
        return self
