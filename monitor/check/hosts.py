"""What a check asks of hosts: conversations by SMTP, documents by HTTPS, and the TLS under both."""

from collections.abc import Mapping
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

    The name is not part of `untrusted`: `monitor.protocol.tls` judges names.
    """

    protocol: str
    cipher: str
    chain: tuple[Certificate, ...]
    untrusted: str | None = None


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


class SmtpClient(Protocol):
    """Talks to mail hosts as a guest; never raises for what a server sends."""

    async def converse(self, address: str, host: str, port: int) -> SmtpConversation:
        """One conversation with `address`; `host` is the name for SNI. Port 465 is TLS from the start."""
        ...


# --- HTTPS -----------------------------------------------------------------------------------------


class HttpsFailure(StrEnum):
    """Why there is no whole reply. `connect` and `timeout` may be our own network's fault."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    FORBIDDEN = "forbidden"
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
