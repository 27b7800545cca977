"""What a check asks of hosts: conversations by SMTP, documents by HTTPS, and the TLS under both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of a chain. Times in UTC. `names` are its subjectAltName entries (DNS names, addresses).

    `der` is the certificate itself, for those who compare keys (DANE).
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint_sha256: str
    der: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What was negotiated. `chain` has the leaf first; `untrusted` is None where the chain verifies, else why not.

    `no_authorities`: this machine trusts nobody at all, so that `untrusted` says nothing of the server.
    The name is not part of `untrusted`: `monitor.protocol.tls` judges names. `whole` is False where a
    certificate could not be read and is missing in the chain.
    """

    protocol: str
    cipher: str
    chain: tuple[Certificate, ...]
    untrusted: str | None = None
    no_authorities: bool = False
    whole: bool = True


class SmtpFailure(StrEnum):
    """Where an SMTP conversation ended early. `connect` and `timeout` may be our own network's fault."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    FORBIDDEN = "forbidden"
    REPLY = "reply"
    TLS = "tls"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class SmtpConversation:
    """What one polite conversation (EHLO, STARTTLS, EHLO, QUIT; never MAIL or RCPT) showed.

    Attributes:
        phases: seconds by phase: `connect`, `banner`, `ehlo`, `starttls`, `tls`.
        greeting: the first line of the reply to the last EHLO: the name that the host says it has, and more.
        extensions: EHLO keywords of the last EHLO, upper case -> parameters.
        starttls_offered: None where TLS was spoken from the start or EHLO was not reached.
        injected: plaintext followed the server's answer to STARTTLS (RFC 3207 §4.2); it was dropped.
        failure, reason: where and why it ended early; None and "" where it did not.
    """

    address: str
    phases: Mapping[str, float]
    banner: str = ""
    greeting: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)
    starttls_offered: bool | None = None
    tls: TlsSession | None = None
    injected: bool = False
    reply_code: int | None = None
    failure: SmtpFailure | None = None
    reason: str = ""

    @property
    def reached(self) -> bool:
        """False where nobody answered: that may be our own network's fault."""
        return self.failure not in {SmtpFailure.CONNECT, SmtpFailure.TIMEOUT}

    @property
    def starttls_refused(self) -> bool:
        """STARTTLS was offered and the command was answered with an error."""
        return (
            self.failure is SmtpFailure.REPLY and bool(self.starttls_offered) and self.tls is None
        )


class SmtpClient(Protocol):
    """Talks to mail hosts as a guest; never raises for what a server sends."""

    async def converse(self, address: str, host: str, port: int) -> SmtpConversation:
        """One conversation with `address`; `host` is the name for SNI. Port 465 is TLS from the start."""
        ...


# --- what is only done to hosts of our own ---------------------------------------------------------


class AuditPart(StrEnum):
    """One thing that an audit finds out."""

    PROTOCOLS = "protocols"
    CIPHERS = "ciphers"
    RENEGOTIATION = "renegotiation"
    INJECTION = "injection"
    RELAY = "relay"
    AUTH = "auth"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A sender and a recipient (RFC 5321 §4.1.1.2, §4.1.1.3), ASCII without angle brackets; "" is the null sender."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True)
class EnvelopeReply:
    """How a host answered an envelope: `code` and `text` to RCPT, or to MAIL where that was refused already."""

    envelope: Envelope
    code: int
    text: str
    refused_sender: bool = False


@dataclass(frozen=True, slots=True)
class SmtpAudit:
    """What an intrusive look at one address of a host showed.

    Attributes:
        source: our end of the connections; "" where none came about.
        protocols: whether each TLS version is accepted, by its name (`SSLv3` … `TLSv1.3`).
        weak_suites: IANA names of the weak cipher suites that are accepted, one at least of each weakness.
        secure_renegotiation: whether RFC 5746 is known; None where only TLS 1.3 is spoken, which has no renegotiation.
        injectable: a command sent in plaintext behind STARTTLS was answered inside TLS (CVE-2011-0411).
        replies: to the envelopes, in their order, as far as the host let us try.
        clear_mechanisms: SASL mechanisms that are offered before TLS.
        unknown: why a part is not known.
    """

    address: str
    source: str = ""
    protocols: Mapping[str, bool] = field(default_factory=dict)
    weak_suites: tuple[str, ...] = ()
    secure_renegotiation: bool | None = None
    injectable: bool = False
    replies: tuple[EnvelopeReply, ...] = ()
    clear_mechanisms: tuple[str, ...] = ()
    unknown: Mapping[AuditPart, str] = field(default_factory=dict)


class SmtpAuditor(Protocol):
    """Does to a mail host what only its owner may do; never raises for what a server sends.

    Only for a `HostTarget` that is `own`. No mail is ever sent: no DATA.
    """

    async def audit(
        self, address: str, host: str, port: int, envelopes: Sequence[Envelope]
    ) -> SmtpAudit:
        """Everything that can be found out at `address`, one connection after the other; minutes, if need be."""
        ...


# --- HTTPS -----------------------------------------------------------------------------------------


class HttpsFailure(StrEnum):
    """Why there is no whole reply. `connect` and `timeout` may be our own network's fault.

    `forbidden` and `unable` say nothing of the server: we may not ask it, or have not what it takes.
    """

    RESOLVE = "resolve"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    FORBIDDEN = "forbidden"
    UNABLE = "unable"
    TLS = "tls"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class HttpsReply:
    """What one GET brought.

    Attributes:
        status: of the HTTP response; None where there was none.
        content_type: the media type without parameters, lower case; "" where none was sent.
        location: where a redirect points to, as sent; it was not followed.
        body: at most as many bytes as were allowed; b"" with a failure.
        tls: what was negotiated, also where the certificate does not verify; None where it did not get so far.
        seconds: from the beginning to the end.
        failure, reason: what went wrong; None and "" where nothing did. A status that is no success is no failure.
    """

    url: str
    status: int | None = None
    content_type: str = ""
    location: str = ""
    body: bytes = field(default=b"", repr=False)
    tls: TlsSession | None = None
    seconds: float = 0.0
    failure: HttpsFailure | None = None
    reason: str = ""


class HttpsClient(Protocol):
    """Gets documents over HTTPS; never raises for what a server sends."""

    async def get(self, url: str, *, limit: int = 65536) -> HttpsReply:
        """One GET of an `https:` URL; redirects are told, not followed.

        `limit` is the number of bytes that the body may have. A certificate that does not verify for
        the host is the failure `tls`; nothing is asked of such a host.
        """
        ...
