"""What a check asks of the DNS: a resolver, the authoritative servers themselves, and DNSSEC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol


class DnsStatus(StrEnum):
    """What asking a question came to. The first three are knowledge, the others are not."""

    OK = "ok"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    ERROR = "error"

    __hash__ = str.__hash__  # each answer is counted by it; that of an Enum is written in Python


class Question(NamedTuple):
    """A DNS question: an absolute name without the trailing dot, and a type such as `TXT`.

    A tuple, since very many are hashed and compared.
    """

    name: str
    rtype: str


@dataclass(frozen=True, slots=True)
class Signature:
    """An RRSIG record (RFC 4034 §3.1); times in seconds since the epoch."""

    covers: str
    algorithm: int
    key_tag: int
    signer: str
    inception: float
    expiration: float


@dataclass(
    slots=True
)  # not frozen: that would be a tenth of what a lookup in bulk costs; nobody changes one
class DnsAnswer:
    """The answer to one question.

    `records` are the record data as presentation text: TXT strings joined and decoded as latin-1
    (RFC 7208 §3.3), addresses canonical, MX as `10 mx.example.com` (names without trailing dot,
    lower case), others as in a zone file. `reason` says what failed where nothing is known.
    `canonical_name` is the name at the end of the CNAME chain. `disagreement` is "" where all who were
    asked say the same (see `Authorities`), else who says what. `signatures` came with the answer, also
    with one that there is nothing.
    """

    question: Question
    status: DnsStatus
    records: tuple[str, ...] = ()
    ttl: int = 0
    authenticated: bool = False
    canonical_name: str = ""
    reason: str = ""
    disagreement: str = ""
    signatures: tuple[Signature, ...] = ()

    @property
    def known(self) -> bool:
        """True where the answer tells something: records, or that there are none."""
        status = self.status
        return status is DnsStatus.NXDOMAIN or status is DnsStatus.OK or status is DnsStatus.NODATA

    @property
    def blindness(self) -> str:
        """For the reason of an unknown look: what was asked, what came of it, and why."""
        because = f" ({self.reason})" if self.reason else ""
        return f"{self.question.name} {self.question.rtype}: {self.status}{because}"


class DnsClient(Protocol):
    """Asks the configured resolver; each question once a look; never raises for what a server sends."""

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The answer, within the resolver's time limit."""
        ...

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        """The answers in the order of the questions."""
        ...


# --- the authoritative servers ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one server of a zone said. `server` is its name; `address` is "" where none of it is known.

    `authoritative` is the AA bit (RFC 1035 §4.1.1): an answer without it comes from a server that does
    not serve the zone (lame). `heard` is False where no answer came: the server is silent (`timeout`),
    or we could not ask it (`error`).
    """

    server: str
    address: str
    answer: DnsAnswer
    authoritative: bool = False
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Delegation:
    """How the parent's servers refer to a zone.

    Attributes:
        zone, parent: names of the two zones.
        nameservers: names of the zone's servers as the parent has them, sorted; empty where the parent
            answered that there is no such delegation.
        glue: the addresses that the parent gives of these servers.
        reason: why nothing is known (no server of the parent answered); "" where it is.
    """

    zone: str
    parent: str
    nameservers: tuple[str, ...] = ()
    glue: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reason: str = ""


def every_record(_record: str) -> bool:
    """All records of an answer are compared."""
    return True


class Authorities(Protocol):
    """Asks the servers that a zone is served by, past every resolver; never raises for what they send."""

    async def ask(
        self, name: str, rtype: str, *, watched: Callable[[str], bool] = every_record
    ) -> DnsAnswer:
        """The answer that all authoritative servers of the name's zone give.

        Where they differ, `disagreement` says who says what, and the rest is the resolver's answer. Where
        none of them can be reached, the resolver's answer counts. For a record that is watched: a
        resolver may still have the old one. Only records that are `watched` are compared: others may
        stand at the same name.
        """
        ...

    async def each(self, zone: str, name: str, rtype: str) -> tuple[ServerAnswer, ...]:
        """What each server of `zone` says, one answer an address; empty where its servers are not known."""
        ...

    async def delegation(self, zone: str) -> Delegation:
        """How the parent of `zone` refers to it."""
        ...


# --- DNSSEC ----------------------------------------------------------------------------------------


class Validation(StrEnum):
    """What a validating resolver makes of an answer (RFC 4035 §4.3)."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"
    UNCHECKED = "unchecked"
    """Our resolver does not validate, or nothing was answered: nothing is known."""


@dataclass(frozen=True, slots=True)
class SecureAnswer:
    """An answer with what DNSSEC says of it.

    `answer` is the validated one; where `validation` is `bogus`, what is there with checking disabled
    (the CD bit). `reason` says why it is bogus (RFC 8914) or unchecked.
    """

    answer: DnsAnswer
    validation: Validation
    reason: str = ""

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Those of the answer."""
        return self.answer.signatures


class DnssecClient(Protocol):
    """Asks the configured resolver with an eye on DNSSEC; never raises for what a server sends."""

    async def ask(self, name: str, rtype: str) -> SecureAnswer:
        """The answer, its signatures, and whether the resolver could validate it."""
        ...
