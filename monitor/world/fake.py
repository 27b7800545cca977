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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

from monitor.check import (
    AuditPart,
    DnsAnswer,
    DnsStatus,
    Envelope,
    HttpsFailure,
    HttpsReply,
    PastResult,
    Question,
    Signature,
    SmtpAudit,
    SmtpConversation,
    SmtpFailure,
    Threshold,
    World,
)
from monitor.model import Counts
from monitor.world.budgets import PacedBudgets
from monitor.world.fake_dns import TTL, FakeAuthorities, FakeDnssec, Records, parents, several
from monitor.world.memory import ExpiringMemory

CountsByWindow = Mapping[int, Counts]
FakeCounts = Mapping[tuple[str, str], Mapping[tuple[str, str], CountsByWindow]]
"""By (sender, domain), then by (stream, provider), then by the window's seconds."""

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
        nameservers: addresses of those that the resolver asks.
        now: seconds since the epoch; `clock.advance` moves it, and so does waiting for a party's second.

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
        nameservers: Sequence[str] = ("127.0.0.1",),
        now: float = 1_800_000_000.0,
    ) -> None:
        self.asked: list[Question] = []
        self._nameservers = tuple(nameservers)
        self.conversed: list[tuple[str, str, int]] = []
        self.audited: list[tuple[str, str, int]] = []
        self.got: list[str] = []
        self.clock = FakeClock(now)
        self.memory = ExpiringMemory(clock=self.clock)
        self.budgets = PacedBudgets(clock=self.clock, sleep=self._wait)
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
            zones=self,
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
            budgets=self.budgets,
            nameservers=self._nameservers,
            confirming=confirming,
        )

    async def _wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

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
        names = [owner, *(f"*.{parent}" for parent in parents(owner))]
        keys = (key for name in names for key in (f"{name} {kind.lower()}", name))
        return next((self._fail[key] for key in keys if key in self._fail), None)

    def _records(self, owner: str) -> Mapping[str, tuple[str, ...]] | None:
        """The records of the name by type; None where it does not exist."""
        if owner in self._zone:
            return self._zone[owner]
        for parent in parents(owner):
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


def _zone(**by_type: Records | None) -> dict[str, dict[str, tuple[str, ...]]]:
    zone: dict[str, dict[str, tuple[str, ...]]] = {}
    for kind, records in by_type.items():
        for owner, data in (records or {}).items():
            zone.setdefault(owner.lower(), {})[kind] = several(data)
    for owner in list(zone):
        for parent in parents(owner):  # RFC 4592 §2.2.2: empty non-terminals exist
            zone.setdefault(parent, {})
    return zone


def _is_below(name: str, zones: Collection[str]) -> bool:
    return any(zone in zones for zone in (name, *parents(name)))


def _reverse(owner: str) -> str:
    try:
        return ip_address(owner).reverse_pointer
    except ValueError:
        return owner
