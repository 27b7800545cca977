"""A world that is data, so that a check's test reads like a zone file and runs with no socket.

fake = FakeWorld(
txt={"_dmarc.example.com": "v=DMARC1; p=none"},
mx={"example.com": "10 mx.example.com"},
a={"mx.example.com": ["192.0.2.1", "192.0.2.2"]},
ptr={"192.0.2.1": "mx.example.com"},
fail={"slow.example.com TXT": "timeout", "*.dead.example": "servfail"},
servers={"ns2.example.net": {"example.com SOA": "refused"}},
)
outcome = await check.run(target, fake.world())
assert Question("example.com", "MX") in fake.asked
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

from monitor.check import (
    AuditPart,
    Delegation,
    DnsAnswer,
    DnsClient,
    DnsStatus,
    Envelope,
    HttpsFailure,
    HttpsReply,
    PastResult,
    Question,
    SecureAnswer,
    ServerAnswer,
    Signature,
    SmtpAudit,
    SmtpConversation,
    SmtpFailure,
    Threshold,
    Validation,
    World,
)
from monitor.model import Counts
from monitor.world.authorities import compared
from monitor.world.memory import ExpiringMemory

Records = Mapping[str, str | Sequence[str]]
"""Record data by owner name: one record or several, as `DnsAnswer.records` has them."""

CountsByWindow = Mapping[int, Counts]
FakeCounts = Mapping[tuple[str, str], Mapping[tuple[str, str], CountsByWindow]]
"""By (sender, domain), then by (stream, provider), then by the window's seconds."""

TTL = 300
_LONGEST_CHAIN = 16


class FakeClock:
    """Implements `monitor.check.Clock`; moves only by `advance`."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        self._monotonic += seconds


class FakeWorld:
    """The outside as data. What is not listed does not exist: NXDOMAIN, connection refused, no mail.

    Attributes given:
        a, aaaa, cname, mx, ns, soa, txt: records by name; `*.zone` is a wildcard (RFC 4592).
            A name that only has names below it exists without records (NODATA).
        ptr: names by address (`192.0.2.1`), or by the reverse name itself.
        ds, dnskey, tlsa: the same, in presentation form.
        fail: `name TYPE` or `name`, or `*.name` for all below, -> a `DnsStatus` that tells nothing.
        servers: what single authoritative servers say otherwise than the data, by the server's name, then
            by `name TYPE`: records, a status that tells nothing, or `lame`. A key `*` stands for all.
        delegations: names of servers as the parent has them, by zone, or a status that tells nothing; else
            the zone's own NS records.
        glue: addresses as the parent has them, by the server's name; else those of the data.
        secure: names whose answers DNSSEC makes `secure` with all below them; `bogus`: those it makes bogus.
            Where neither is given, the resolver does not validate (`unchecked`).
        signatures: RRSIGs by `name TYPE`.
        https: replies by URL.
        smtp: conversations by (address, port).
        smtp_audit: audits by (address, port).
        counts: messages, see `FakeCounts`; a window not listed has no mail.
        thresholds: by `kind`, `kind role` or `kind stream`; the most specific wins.
        resolver_trouble, network_trouble, egress_trouble (by port): what the canaries say.
        results: last results of other checks, by domain.
        now: seconds since the epoch; `clock.advance` moves it.

    Attributes kept: `asked` (DNS questions in order), `conversed` and `audited` ((address, host, port) in
    order) and `got` (URLs in order).
    """

    def __init__(
        self,
        *,
        a: Records | None = None,
        aaaa: Records | None = None,
        cname: Records | None = None,
        mx: Records | None = None,
        ns: Records | None = None,
        soa: Records | None = None,
        txt: Records | None = None,
        ptr: Records | None = None,
        ds: Records | None = None,
        dnskey: Records | None = None,
        tlsa: Records | None = None,
        servers: Mapping[str, Records] | None = None,
        delegations: Records | None = None,
        glue: Records | None = None,
        secure: Sequence[str] = (),
        bogus: Mapping[str, str] | None = None,
        signatures: Mapping[str, Sequence[Signature]] | None = None,
        https: Mapping[str, HttpsReply] | None = None,
        fail: Mapping[str, str] | None = None,
        smtp: Mapping[tuple[str, int], SmtpConversation] | None = None,
        smtp_audit: Mapping[tuple[str, int], SmtpAudit] | None = None,
        counts: FakeCounts | None = None,
        thresholds: Mapping[str, Threshold] | None = None,
        resolver_trouble: str | None = None,
        network_trouble: str | None = None,
        egress_trouble: Mapping[int, str] | None = None,
        results: Mapping[str, Sequence[PastResult]] | None = None,
        now: float = 1_800_000_000.0,
    ) -> None:
        self.asked: list[Question] = []
        self.conversed: list[tuple[str, str, int]] = []
        self.audited: list[tuple[str, str, int]] = []
        self.got: list[str] = []
        self.clock = FakeClock(now)
        self.memory = ExpiringMemory(clock=self.clock)
        reverse = {_reverse(owner): names for owner, names in (ptr or {}).items()}
        self._zone = _zone(
            A=a,
            AAAA=aaaa,
            CNAME=cname,
            MX=mx,
            NS=ns,
            SOA=soa,
            TXT=txt,
            PTR=reverse,
            DS=ds,
            DNSKEY=dnskey,
            TLSA=tlsa,
        )
        self._servers = servers or {}
        self._delegations = delegations or {}
        self._glue = glue or {}
        self._validation = (tuple(secure), bogus or {})
        self._signatures = signatures or {}
        self._https = https or {}
        self._fail = {key.lower(): DnsStatus(value) for key, value in (fail or {}).items()}
        self._smtp = smtp or {}
        self._smtp_audit = smtp_audit or {}
        self._counts = counts or {}
        self._thresholds = thresholds or {}
        self._troubles = (resolver_trouble, network_trouble)
        self._egress = egress_trouble or {}
        self._results = results or {}

    def world(self, *, confirming: bool = False) -> World:
        """The world to hand to a check; all of a FakeWorld's worlds share its data and its records."""
        return World(
            dns=self,
            authorities=FakeAuthorities(
                self, self._servers, delegations=self._delegations, glue=self._glue
            ),
            dnssec=FakeDnssec(self, *self._validation, signatures=self._signatures),
            smtp=self,
            smtp_audit=self,
            https=self,
            windows=self,
            thresholds=self,
            canaries=self,
            clock=self.clock,
            results=self,
            memory=self.memory,
            confirming=confirming,
        )

    # --- DnsClient ---

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The answer from the data."""
        answer = self._answer(name, rtype)
        secure = _is_below(name, self._validation[0]) and not _is_below(name, self._validation[1])
        return replace(answer, authenticated=True) if answer.known and secure else answer

    def _answer(self, name: str, rtype: str) -> DnsAnswer:
        question = Question(name, rtype)
        self.asked.append(question)
        owner, kind = name.lower().removesuffix("."), rtype.upper()
        for _ in range(_LONGEST_CHAIN + 1):
            failure = self._failure(owner, kind)
            if failure is not None:
                return DnsAnswer(question, failure, reason=f"{owner} {kind}: {failure}")
            records = self._records(owner)
            if records is None:
                return DnsAnswer(question, DnsStatus.NXDOMAIN, ttl=TTL, canonical_name=owner)
            if kind in records:
                return DnsAnswer(question, DnsStatus.OK, records[kind], TTL, canonical_name=owner)
            if "CNAME" not in records:
                return DnsAnswer(question, DnsStatus.NODATA, ttl=TTL, canonical_name=owner)
            owner = records["CNAME"][0].lower()
        return DnsAnswer(question, DnsStatus.ERROR, reason=f"CNAME loop at {owner}")

    async def ask_many(self, questions: Sequence[Question]) -> list[DnsAnswer]:
        """The answers in the order of the questions."""
        return [await self.ask(question.name, question.rtype) for question in questions]

    def _failure(self, owner: str, kind: str) -> DnsStatus | None:
        names = [owner, *(f"*.{parent}" for parent in _parents(owner))]
        keys = (key for name in names for key in (f"{name} {kind.lower()}", name))
        return next((self._fail[key] for key in keys if key in self._fail), None)

    def _records(self, owner: str) -> Mapping[str, tuple[str, ...]] | None:
        """The records of the name by type; None where it does not exist."""
        if owner in self._zone:
            return self._zone[owner]
        for parent in _parents(owner):
            if f"*.{parent}" in self._zone:
                return self._zone[f"*.{parent}"]
            if parent in self._zone:
                return None
        return None

    # --- SmtpClient ---

    async def converse(self, address: str, host: str, port: int) -> SmtpConversation:
        """The listed conversation, else a refused connection."""
        self.conversed.append((address, host, port))
        refused = SmtpConversation(
            address, {}, failure=SmtpFailure.CONNECT, reason="connection refused"
        )
        return self._smtp.get((address, port), refused)

    # --- SmtpAuditor ---

    async def audit(
        self,
        address: str,
        host: str,
        port: int,
        envelopes: Sequence[Envelope],  # noqa: ARG002
    ) -> SmtpAudit:
        """The listed audit, else a refused connection."""
        self.audited.append((address, host, port))
        refused = SmtpAudit(address, unknown=dict.fromkeys(AuditPart, "connection refused"))
        return self._smtp_audit.get((address, port), refused)

    # --- HttpsClient ---

    async def get(self, url: str, *, limit: int = 65536) -> HttpsReply:
        """The listed reply, cut off where it is too large; else a refused connection."""
        self.got.append(url)
        refused = HttpsReply(url, failure=HttpsFailure.CONNECT, reason="connection refused")
        reply = self._https.get(url, refused)
        if len(reply.body) > limit:
            reason = f"the body has more than {limit} bytes"
            return replace(reply, body=b"", failure=HttpsFailure.TOO_LARGE, reason=reason)
        return reply

    # --- EventWindows, Thresholds, Results ---

    async def counts(
        self, sender: str, domain: str, seconds: Sequence[int]
    ) -> Mapping[tuple[str, str], Mapping[int, Counts]]:
        """The listed counts of the windows asked for."""
        listed = self._counts.get((sender, domain), {})
        chosen = {
            key: {s: windows[s] for s in seconds if s in windows} for key, windows in listed.items()
        }
        return {key: windows for key, windows in chosen.items() if windows}

    def of(self, kind: str, *, role: str, sender: str, stream: str) -> Threshold | None:  # noqa: ARG002
        """The most specific listed threshold."""
        keys = (f"{kind} {stream}", f"{kind} {role}", kind)
        return next((self._thresholds[key] for key in keys if key in self._thresholds), None)

    def of_domain(self, domain: str) -> Sequence[PastResult]:
        """The listed results."""
        return self._results.get(domain, ())

    # --- Canaries ---

    async def resolver(self) -> str | None:
        """The given trouble."""
        return self._troubles[0]

    async def network(self) -> str | None:
        """The given trouble."""
        return self._troubles[1]

    async def egress(self, port: int) -> str | None:
        """The given trouble with this port."""
        return self._egress.get(port)


class FakeAuthorities:
    """Implements `monitor.check.Authorities`: every server of a zone says what the data say, unless listed."""

    def __init__(
        self,
        dns: DnsClient,
        servers: Mapping[str, Records],
        *,
        delegations: Records,
        glue: Records,
    ) -> None:
        self._dns = dns
        self._servers = servers
        self._delegations = {zone: _several(names) for zone, names in delegations.items()}
        self._glue = {server: _several(addresses) for server, addresses in glue.items()}

    async def ask(self, name: str, rtype: str) -> DnsAnswer:
        """The data, with the disagreement of the listed servers."""
        answer = await self._dns.ask(name, rtype)
        return compared(answer, await self._of_zone(name, rtype))

    async def each(self, zone: str, name: str, rtype: str) -> tuple[ServerAnswer, ...]:
        """One answer for each server that the zone's NS records name."""
        nameservers = await self._dns.ask(zone, "NS")
        return tuple([await self._one(server, name, rtype) for server in nameservers.records])

    async def delegation(self, zone: str) -> Delegation:
        """The listed delegation, else the zone's own NS records."""
        parent = zone.partition(".")[2]
        names = self._delegations.get(zone, (await self._dns.ask(zone, "NS")).records)
        if set(names) & set(DnsStatus):
            return Delegation(zone, parent, reason=f"{parent}: {names[0]}")
        below = [name for name in names if name.endswith(f".{zone}")]
        glue = {name: self._glue.get(name, await self._addresses(name)) for name in below}
        present = {name: addresses for name, addresses in glue.items() if addresses}
        return Delegation(zone, parent, tuple(sorted(names)), present)

    async def _addresses(self, server: str) -> tuple[str, ...]:
        answers = [await self._dns.ask(server, rtype) for rtype in ("A", "AAAA")]
        return tuple(address for answer in answers for address in answer.records)

    async def _of_zone(self, name: str, rtype: str) -> tuple[ServerAnswer, ...]:
        for zone in (name, *_parents(name)):
            if answers := await self.each(zone, name, rtype):
                return answers
        return ()

    async def _one(self, server: str, name: str, rtype: str) -> ServerAnswer:
        question, listed = Question(name, rtype), self._servers.get(server, {})
        addresses = (await self._dns.ask(server, "A")).records
        said = listed.get(f"{name} {rtype}", listed.get("*"))
        if said is None:
            answer = await self._dns.ask(name, rtype)
            return ServerAnswer(server, next(iter(addresses), ""), answer, authoritative=True)
        status = said if isinstance(said, str) and said in set(DnsStatus) else DnsStatus.OK
        records = _several(said) if status is DnsStatus.OK and said != "lame" else ()
        answer = DnsAnswer(question, DnsStatus(status), records, TTL, reason=f"{server}: {status}")
        return ServerAnswer(
            server,
            next(iter(addresses), ""),
            answer,
            authoritative=answer.known and said != "lame",
            heard=status not in {DnsStatus.TIMEOUT, DnsStatus.ERROR},
        )


class FakeDnssec:
    """Implements `monitor.check.DnssecClient` from lists of names."""

    def __init__(
        self,
        dns: DnsClient,
        secure: Sequence[str],
        bogus: Mapping[str, str],
        *,
        signatures: Mapping[str, Sequence[Signature]],
    ) -> None:
        self._dns = dns
        self._secure = secure
        self._bogus = bogus
        self._signatures = signatures

    async def ask(self, name: str, rtype: str) -> SecureAnswer:
        """The data with the listed validation."""
        answer = await self._dns.ask(name, rtype)
        signatures = tuple(self._signatures.get(f"{name} {rtype}", ()))
        above = (name, *_parents(name))
        if reason := next((self._bogus[n] for n in above if n in self._bogus), ""):
            return SecureAnswer(answer, Validation.BOGUS, signatures, reason)
        if not answer.known:
            return SecureAnswer(answer, Validation.UNCHECKED, reason=answer.reason)
        if answer.authenticated:
            return SecureAnswer(answer, Validation.SECURE, signatures)
        if self._secure or self._bogus:
            return SecureAnswer(answer, Validation.INSECURE, signatures)
        reason = "our resolver does not validate"
        return SecureAnswer(answer, Validation.UNCHECKED, signatures, reason)


def _several(records: str | Sequence[str]) -> tuple[str, ...]:
    return (records,) if isinstance(records, str) else tuple(records)


def _zone(**by_type: Records | None) -> dict[str, dict[str, tuple[str, ...]]]:
    zone: dict[str, dict[str, tuple[str, ...]]] = {}
    for kind, records in by_type.items():
        for owner, data in (records or {}).items():
            zone.setdefault(owner.lower(), {})[kind] = _several(data)
    for owner in list(zone):
        for parent in _parents(owner):  # RFC 4592 §2.2.2: empty non-terminals exist
            zone.setdefault(parent, {})
    return zone


def _is_below(name: str, zones: Collection[str]) -> bool:
    return any(zone in zones for zone in (name, *_parents(name)))


def _parents(name: str) -> Iterator[str]:
    labels = name.split(".")
    return (".".join(labels[cut:]) for cut in range(1, len(labels)))


def _reverse(owner: str) -> str:
    try:
        return ip_address(owner).reverse_pointer
    except ValueError:
        return owner
