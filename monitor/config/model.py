"""The configuration file as frozen models: every key that a user may write, with its meaning.

Names, addresses and durations are put into one form while they are read. What needs more than one
key to be judged (a sender naming a domain) is in `monitor.config.crosschecks`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from monitor.check import Duration
from monitor.config import names
from monitor.model import Role
from monitor.protocol.sendgrid_key import verification_key


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, and not more than can be looked at."""
    sizes = (names.network(text).num_addresses for text in values)
    total = sum(size for size in sizes if size <= names.MAX_ADDRESSES)
    if total > MAX_OF_SENDER:
        raise ValueError(f"{total} addresses: a sender may have at most {MAX_OF_SENDER}")
    return tuple(dict.fromkeys(values))


def _network(text: str) -> str:
    return str(names.network(text))


def _host_port(default: int | None) -> Callable[[str], str]:
    return lambda text: names.joined(*names.host_port(text, default=default))


def _nameserver(text: str) -> str:
    host, port = names.host_port(text, default=53)
    if not names.is_address(host):
        raise ValueError(f"`{text[:80]}` is no address: a nameserver is an address or address:port")
    return names.joined(host, port)


def _optional_address(text: str) -> str:
    if text and not names.is_address(text):
        raise ValueError(f"`{text[:80]}` is no IPv4 or IPv6 address")
    return text


def _sqlite_url(url: str) -> str:
    if url.startswith(("postgresql:", "postgres:")):
        raise ValueError(
            "PostgreSQL is not in this version: use sqlite:///relative or sqlite:////absolute"
        )
    if not url.startswith("sqlite:///") or not url.removeprefix("sqlite:///"):
        raise ValueError("is no store: use sqlite:///relative or sqlite:////absolute")
    return url


def _http_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("is no address of a web site: it starts with http:// or https://")
    return url.rstrip("/")


MAX_OF_SENDER = 65_536
"""Addresses that one sender may declare."""

_NOT_EMPTY = Field(min_length=1)

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=NAME_PATTERN)]
DomainName = Annotated[str, AfterValidator(names.domain_name)]
HostName = Annotated[str, AfterValidator(names.host_name)]
OptionalHostName = Annotated[str, AfterValidator(lambda text: text and names.host_name(text))]
Selector = Annotated[str, AfterValidator(names.selector)]
MailHost = Annotated[str, AfterValidator(_host_port(names.SMTP_PORT))]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=500)]
AddressOrRange = Annotated[str, AfterValidator(names.address_or_range)]


class Section(BaseModel):
    """A part of the file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, coerce_numbers_to_str=True
    )


class OrganisationConfig(Section):
    """Whose mail this is."""

    name: Text = ""
    """What the status site calls it."""


class DomainConfig(Section):
    """A sending domain of the organisation."""

    name: DomainName
    """The domain; Unicode names become their A-labels."""
    role: Role = Role.PRIMARY
    """What it is for; `reserve` is a warm fallback, `parked` sends nothing."""
    owner: Text = ""
    """Who is asked when something is wrong."""
    team: Text = ""
    """The team that alerts go to."""
    dkim_selectors: tuple[Selector, ...] = ()
    """Its DKIM selectors; without any the usual ones are tried."""
    mail_hosts: tuple[MailHost, ...] = ()
    """Own mail hosts besides the MX hosts: `host` or `host:port` (default 25)."""
    tracking_hosts: tuple[HostName, ...] = ()
    """Hosts in the links of its mail: clicks, opens, unsubscribing."""


class LimitConfig(Section):
    """Limits of one ratio; a key that is missing is inherited from the role, then from the general limit."""

    warning: Share | None = None
    """From this ratio on a warning."""
    critical: Share | None = None
    """From this ratio on critical."""
    minimum: Annotated[int, Field(ge=1)] | None = None
    """With fewer messages than this in the window nothing is said."""


class BounceLimitConfig(LimitConfig):
    """The general limit of bounces."""

    warning: Share | None = 0.02
    critical: Share | None = 0.05
    minimum: Annotated[int, Field(ge=1)] | None = 100


class KindThresholds(Section):
    """Limits by kind of ratio."""

    bounce: LimitConfig = LimitConfig()
    """Bounced messages per message accepted."""


class ThresholdsConfig(KindThresholds):
    """The general limits, and those of roles; a stream may have its own."""

    bounce: BounceLimitConfig = BounceLimitConfig()
    """Bounced messages per message accepted."""
    roles: dict[Role, KindThresholds] = {}
    """Limits of the domains of a role."""


class StreamConfig(Section):
    """One kind of mail of a sender."""

    name: Name
    """Its name, as events and labels have it."""
    trigger: Text = ""
    """What makes the mail go out."""
    audience: Text = ""
    """Who receives it."""
    owner: Text = ""
    """Who owns the copy."""
    template: Text = ""
    """Where its template is."""
    thresholds: KindThresholds = KindThresholds()
    """Limits of this stream."""


class SenderConfig(Section):
    """A system that sends: an ESP account, a workspace tenant, an MTA, an application."""

    name: Name
    """Its name, as labels and pages show it."""
    domains: Annotated[tuple[DomainName, ...], _NOT_EMPTY]
    """The domains that it sends under; each is declared under `domains`."""
    owner: Text = ""
    """Who is asked when something is wrong."""
    team: Text = ""
    """The team that alerts go to."""
    purpose: Text = ""
    """What it sends."""
    platform: Text = "other"
    """What it runs on, such as `postfix` or `sendgrid`; `other` where none fits."""
    envelope_domains: tuple[DomainName, ...] = ()
    """Domains of its envelope senders (bounce domains) where they differ."""
    addresses: Annotated[tuple[AddressOrRange, ...], AfterValidator(_addresses)] = ()
    """Addresses that it sends from: IPv4, IPv6, or ranges (CIDR). All of a range up to 256 addresses are looked
    up on blocklists; of a larger IPv6 range those that MX hosts, HELO names or SPF name. Whether an address
    has a name, and may send, is judged of single addresses; of a range only that SPF admits some of it."""
    pool: Literal["dedicated", "shared"] = "dedicated"
    """Whether the addresses are its own or shared with other customers of the platform."""
    helo: OptionalHostName = ""
    """The name that it says in HELO."""
    dkim_selectors: tuple[Selector, ...] = ()
    """The selectors that it signs with."""
    dkim_domains: tuple[DomainName, ...] = ()
    """Domains that it signs as (`d=`) besides its own, looked up on blocklists."""
    streams: tuple[StreamConfig, ...] = ()


class CheckSection(Section):
    """What every check has; its own settings stand beside these keys."""

    enabled: bool | None = None
    """Whether it runs. Default: yes, unless it is a check to be asked for."""
    interval: Annotated[Duration, Field(ge=1)] | None = None
    """How often a target is looked at; at least 1s. Default: the check's own."""
    timeout: Annotated[Duration, Field(gt=0)] | None = None
    """The limit of one run. Default: the check's own."""
    confirmations: Annotated[int, Field(ge=0, le=10)] = 2
    """How often what got worse is seen again before it counts."""
    confirm_after: Duration = 60.0
    """The time between those looks."""
    targets: tuple[Text, ...] = ()
    """What to look at instead of the default targets."""


class HookConfig(Section):
    """A webhook that receives events at `/hooks/<name>`."""

    name: Name
    """The last part of its path, `/hooks/<name>`."""
    kind: Literal["generic", "sendgrid"] = "generic"
    """The format of its requests."""
    sender: Name
    """The sender that the events belong to."""
    secret: Annotated[
        tuple[Annotated[SecretStr, Field(min_length=1)], ...],
        BeforeValidator(_one_or_many, json_schema_input_type=SecretStr | list[SecretStr]),
        _NOT_EMPTY,
    ]
    """`${NAME}` or `file:PATH`; several while one is being replaced. For `sendgrid` the verification
    public key (base64 SPKI), as its settings page shows it."""

    @model_validator(mode="after")
    def _usable_keys(self) -> "HookConfig":
        if self.kind == "sendgrid":
            for secret in self.secret:
                text = secret.get_secret_value()
                if text.startswith(("${", "file:")):
                    continue  # could not be resolved, which is said already
                try:
                    verification_key(text)
                except ValueError as error:
                    raise ValueError(f"secret: {error}") from None
        return self


class EventsConfig(Section):
    """Where events come from."""

    hooks: tuple[HookConfig, ...] = ()


class ResolverConfig(Section):
    """Who answers our DNS questions."""

    nameservers: tuple[Annotated[str, AfterValidator(_nameserver)], ...] = ()
    """Addresses of resolvers, `address` or `address:port`; default: the system's."""
    timeout: Annotated[Duration, Field(gt=0)] = 5.0
    """The limit of one question with its retries."""
    canaries: Annotated[tuple[DomainName, ...], _NOT_EMPTY] = (
        "iana.org",
        "gmail.com",
        "outlook.com",
    )
    """Domains that always resolve, and one of which at least answers HTTPS: when they do not, the trouble is ours."""


class NetworkConfig(Section):
    """How we reach others; an ordinary network needs nothing here."""

    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Ranges that we may connect to although they are not public (the lab: 127.0.0.0/8)."""
    ports: dict[Port, Port] = {}
    """Connect to another port instead, such as `{25: 2525}`."""
    ca: Path | None = None
    """A file of certificates to trust besides the system's; relative to the configuration file."""
    port25_canaries: tuple[MailHost, ...] = (
        "gmail-smtp-in.l.google.com:25",
        "outlook-com.olc.protection.outlook.com:25",
        "mta5.am0.yahoodns.net:25",
    )
    """Mail hosts that always answer: when none does, our way out to port 25 is closed."""


class VantageConfig(Section):
    """Who we say that we are when we talk to mail hosts."""

    helo: OptionalHostName = ""
    """Our name in EHLO; default: this machine's."""
    source_address: Annotated[str, AfterValidator(_optional_address)] = ""
    """The address to connect from; never a sending address. Default: as the system routes."""


class StoreConfig(Section):
    """Where state is kept."""

    url: Annotated[str, AfterValidator(_sqlite_url)] = "sqlite:///var/state.db"
    """`sqlite:///relative` (to the working directory) or `sqlite:////absolute`."""

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))


class ServerConfig(Section):
    """Our own HTTP server."""

    listen: Annotated[str, AfterValidator(_host_port(None))] = "127.0.0.1:9825"
    """`address:port`."""
    external_url: Annotated[str, AfterValidator(_http_url)] = ""
    """Where people reach it: `deliverability rules` makes the links to runbooks with it."""
    probe_any: bool = False
    """Whether `/probe` may look at targets that are not configured."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return names.host_port(self.listen)


class Config(Section):
    """The configuration file of deliverability-monitor."""

    organisation: OrganisationConfig = OrganisationConfig()
    domains: Annotated[tuple[DomainConfig, ...], _NOT_EMPTY]
    senders: tuple[SenderConfig, ...] = ()
    checks: Section = Section()
    thresholds: ThresholdsConfig = ThresholdsConfig()
    events: EventsConfig = EventsConfig()
    resolver: ResolverConfig = ResolverConfig()
    network: NetworkConfig = NetworkConfig()
    vantage: VantageConfig = VantageConfig()
    store: StoreConfig = StoreConfig()
    server: ServerConfig = ServerConfig()
