"""The product's words as frozen types (docs/architecture.md has the glossary). Imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


class Status(StrEnum):
    """Of a check on a target. `unknown` means: we could not look, so we do not say `ok`."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much a finding matters: `critical` pages, `warning` is a ticket, `info` is neither."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Role(StrEnum):
    """What a domain is for. `reserve` is a warm fallback, `parked` sends nothing."""

    PRIMARY = "primary"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    OUTREACH = "outreach"
    INTERNAL = "internal"
    RESERVE = "reserve"
    PARKED = "parked"


class Provider(StrEnum):
    """The mailbox provider that receives; consumer and business services are different worlds."""

    GMAIL = "gmail"
    GOOGLE_WORKSPACE = "google_workspace"
    OUTLOOK = "outlook"
    MICROSOFT365 = "microsoft365"
    YAHOO = "yahoo"
    APPLE = "apple"
    PROOFPOINT = "proofpoint"
    MIMECAST = "mimecast"
    BARRACUDA = "barracuda"
    CISCO = "cisco"
    OTHER = "other"


class PlatformClass(StrEnum):
    """The three ways a sending platform is run."""

    SMTP = "smtp"
    GOOGLE = "google"
    MICROSOFT = "microsoft"


class Classification(StrEnum):
    """How a record differs from its accepted state."""

    WEAKENED = "weakened"
    STRENGTHENED = "strengthened"
    BROKEN = "broken"
    CHANGED = "changed"
    VANISHED = "vanished"
    INCONSISTENT = "inconsistent"


class EventKind(StrEnum):
    """What happened to one message."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"


@dataclass(frozen=True, slots=True)
class Drift:
    """A classified difference from the accepted state, with the reason a person reads.

    `fix` says what to do if nobody meant it, where that is not to publish the accepted record again.
    """

    classification: Classification
    reason: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to act on.

    `code` is the check's own short code (`policy_weakened`); the full name is `<check>.<code>`.
    `severity` overrides the code's own severity where the data decide (a blocklist zone's weight).
    `evidence` is untrusted text from outside: it is escaped and cut where it is shown, never a label.
    `fix` says exactly what to do.
    """

    code: str
    summary: str
    fix: str = ""
    evidence: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a gauge that the check's `About` declares. Labels are closed sets or configuration.

    The labels `target` and `domain` are filled in by the daemon where the gauge declares them.
    """

    gauge: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class LookState(StrEnum):
    """What one look at one subject came to."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    NOT_DUE = "not_due"


@dataclass(frozen=True, slots=True)
class Look:
    """What was learnt of one subject of a target (a zone for an address, a selector, a host's address).

    A known look carries its findings (none: clean), the samples and the record seen (`record` is
    None where the check watches no record, "" where it is known to be absent). An unknown look
    carries its reason and nothing else: what was known before stays. `weight` is 0 where the
    subject does not matter for the roll-up (a blocklist zone that only informs). `disputed` says who
    says what where the authoritative servers disagree about the record: that is no change of it.
    """

    subject: str
    state: LookState
    findings: tuple[Finding, ...] = ()
    samples: tuple[Sample, ...] = ()
    record: str | None = None
    reason: str = ""
    weight: float = 1.0
    disputed: str = ""

    @classmethod
    def known(
        cls,
        subject: str,
        findings: tuple[Finding, ...] = (),
        *,
        samples: tuple[Sample, ...] = (),
        record: str | None = None,
        weight: float = 1.0,
        disputed: str = "",
    ) -> "Look":
        """We looked and know: clean where there are no findings."""
        return cls(subject, LookState.KNOWN, findings, samples, record, "", weight, disputed)

    @classmethod
    def unknown(cls, subject: str, reason: str, *, weight: float = 1.0) -> "Look":
        """We could not look; `reason` is what a person needs to mend that."""
        return cls(subject, LookState.UNKNOWN, reason=reason, weight=weight)

    @classmethod
    def not_due(cls, subject: str, *, weight: float = 1.0) -> "Look":
        """Not asked this time (a zone's query limit); what was known stays, and stays fresh."""
        return cls(subject, LookState.NOT_DUE, weight=weight)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a check on one target learnt: a look for *every* subject the target has now.

    A kept subject that is missing here has left the target (a selector removed, an MX host gone).
    Where the subjects themselves could not be found out, return `Outcome.unknown(reason)`: then
    everything kept stays and is marked unknown. Where only some could not be found out (one of two
    kinds of address), `incomplete` says why: kept subjects that are missing here stay as unknown.
    """

    looks: tuple[Look, ...] = ()
    samples: tuple[Sample, ...] = ()
    failure: str | None = None
    incomplete: str = ""

    @classmethod
    def unknown(cls, reason: str) -> "Outcome":
        """The run as a whole could not look."""
        return cls(failure=reason)


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of mail of a sender."""

    name: str
    trigger: str = ""
    audience: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Domain:
    """A sending domain of the organisation."""

    name: str
    role: Role = Role.PRIMARY
    owner: str = ""
    team: str = ""
    dkim_selectors: tuple[str, ...] = ()
    mail_hosts: tuple[str, ...] = ()
    tracking_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sender:
    """A system that sends: an ESP account, a workspace tenant, an MTA, an application.

    It sends from each of its `addresses`, and from some of those in its `ranges` (CIDR).
    """

    name: str
    domains: tuple[str, ...]
    owner: str = ""
    team: str = ""
    purpose: str = ""
    platform: str = "other"
    platform_class: PlatformClass = PlatformClass.SMTP
    envelope_domains: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    pool: str = "dedicated"
    helo: str = ""
    dkim_selectors: tuple[str, ...] = ()
    dkim_domains: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainTarget:
    """A sending domain with what the inventory knows of it.

    `selectors` are the declared DKIM selectors of the domain and its senders; where there are none,
    the usual selectors are tried and `selectors_declared` is False. `senders` send under this domain;
    `tracking_hosts` are in the links of its mail.
    """

    name: str
    role: Role = Role.PRIMARY
    selectors: tuple[str, ...] = ()
    selectors_declared: bool = True
    senders: tuple[Sender, ...] = ()
    tracking_hosts: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The `domain` label of everything said about this target."""
        return self.name


@dataclass(frozen=True, slots=True)
class AddressTarget:
    """An address of mail. `domain` is the first domain that sends from it, `helo` the declared HELO name.

    `sends`: mail leaves from it straight to receivers. What is only known as a host that receives mail may
    be on lists of addresses that should not send, and nobody minds. `part_of` is the range or the SPF term
    (`192.0.2.0/24`, `a:www.example.com`) that alone tells of it: then mail may leave from it, and nobody knows
    whether any does. "" where the address itself is declared, or found as a mail host's.
    """

    address: Address
    domain: str
    sender: str = ""
    helo: str = ""
    sends: bool = True
    part_of: str = ""

    @property
    def name(self) -> str:
        """The address in its canonical text form (RFC 5952 for IPv6)."""
        return str(self.address)


@dataclass(frozen=True, slots=True)
class HostTarget:
    """A mail host's port. Port 465 speaks TLS at once, the others STARTTLS. `mx`: it receives for `domain`."""

    host: str
    port: int
    domain: str
    own: bool = False

    @property
    def name(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NamedDomainTarget:
    """A registrable domain that mail of `domain` names and that is not declared itself.

    Its links lead there, its envelope senders are there, or its DKIM signatures say so (`d=`).
    """

    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class SenderTarget:
    """A sender's mail under one domain, with what is declared of the sender.

    `envelope_domains` are those of its envelope senders, empty where they are the domain itself. It sends
    from each of its `addresses`, and from some of those in its `ranges` (CIDR, at most 256 addresses each).
    """

    sender: str
    domain: str
    role: Role = Role.PRIMARY
    streams: tuple[str, ...] = ()
    platform: str = "other"
    envelope_domains: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    helo: str = ""
    selectors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`sender/domain`."""
        return f"{self.sender}/{self.domain}"


@dataclass(frozen=True, slots=True)
class MonitorTarget:
    """The monitor itself."""

    name: str = "monitor"
    domain: str = ""


Target = (
    DomainTarget | AddressTarget | HostTarget | NamedDomainTarget | SenderTarget | MonitorTarget
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one message, normalised from whichever source told us.

    `id` is unique within its source (the hook's name); `at` is in seconds since the epoch.
    `sender`, `domain` and `stream` are names of the configuration or `other`; no recipient is kept.
    """

    source: str
    id: str
    kind: EventKind
    at: float
    sender: str
    domain: str
    stream: str
    provider: Provider


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages by what became of them in one window."""

    accepted: int = 0
    delivered: int = 0
    deferred: int = 0
    bounced: int = 0
    dropped: int = 0
    complained: int = 0
