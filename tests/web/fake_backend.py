"""A daemon that is data: what the web side serves in tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from checks.bulk_sender.check import BulkSenderCheck
from checks.dmarc.check import DmarcCheck
from checks.mx.check import MxCheck
from checks.rdns.check import RdnsCheck
from checks.self.check import SelfCheck
from checks.spf.check import SpfCheck
from monitor.check import DeadZone, Settings, ZoneCode, ZoneEntries, ZoneFacts, ZoneStanding
from monitor.config.sections import CheckConfig
from monitor.ingest.hooks import Reply
from monitor.model import (
    Domain,
    Finding,
    Look,
    Outcome,
    PlatformClass,
    Role,
    Sender,
    Status,
    Stream,
)
from monitor.store.error import StoreError
from monitor.store.kept import FIRST_SIGHT, Baseline, Change, Course, Kept, KeptFinding, KeptSubject
from monitor.store.records import AcceptanceError, RecordChange, accept, beginning, changes
from monitor.web.backend import (
    ListedZones,
    NoSuchTargetError,
    Probe,
    Snapshot,
    StaleDriftError,
)

NOW = 1_795_000_000.0
HOUR = 3600.0
HOSTILE = '<script>alert(1)</script> "} \x1b[31m \u202eevil\u2066 \x00\x9b \ud800 ' + "x" * 600

ACCEPTED = "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
SEEN = "v=DMARC1; p=none; rua=mailto:dmarc@example.com"


ACCEPTED_EVENT = Reply(200, {"accepted": 1, "duplicates": 0, "rejected": []})


def check_config(check, interval=900.0):
    return CheckConfig(
        name=check.about.name,
        check=check,
        enabled=True,
        interval=interval,
        timeout=30.0,
        confirmations=1,
        confirm_after=60.0,
        severities={},
        targets=(),
        settings=Settings(),
    )


CHECKS = {
    check.about.name: check_config(check)
    for check in (BulkSenderCheck, DmarcCheck, MxCheck, RdnsCheck, SelfCheck, SpfCheck)
}


def kept(check, target, domain, status=Status.OK, *subjects, **changes):
    values = {
        "status_since": NOW - 5 * HOUR,
        "looked_at": NOW - 60,
        "known_at": NOW - 60,
        "subjects": {subject.subject: subject for subject in subjects},
        "clean": 0 if subjects else 1,
        "clean_weight": 0.0 if subjects else 1.0,
        "history": (Change(NOW - 5 * HOUR, status, ()),),
    }
    return Kept(check, target, domain, status, **(values | changes))


def subject(name, *findings, known_at=NOW - 60, **changes):
    return KeptSubject(name, known_at, tuple(findings), **changes)


def finding(code, severity, summary, fix="", evidence=""):
    short = code.partition(".")[2]
    return KeptFinding(Finding(short, summary, fix, evidence), code, severity, NOW - 5 * HOUR)


OWN = kept("self", "monitor", "")

WEAKENED = kept(
    "dmarc",
    "example.com",
    "example.com",
    Status.CRITICAL,
    subject(
        "record",
        finding(
            "dmarc.policy_weakened",
            "critical",
            "the policy went from reject to none: anyone can send as example.com",
            "If this change was intended, accept it with `deliverability drift accept`; "
            "otherwise publish the accepted record again.",
            SEEN,
        ),
        record=SEEN,
    ),
    history=(
        Change(NOW - 5 * HOUR, Status.CRITICAL, ("dmarc.policy_weakened",)),
        Change(NOW - 90 * HOUR, Status.OK, ()),
    ),
    courses=(
        Course(
            "record",
            "dmarc.policy_weakened",
            first_seen=NOW - 24 * HOUR,
            last_seen=NOW - 6 * HOUR,
            returns=3,
            flapped_at=NOW - 5 * HOUR,
        ),
        Course(
            "record",
            "dmarc.record_missing",
            first_seen=NOW - 96 * HOUR,
            last_seen=NOW - 94 * HOUR,
            gone_at=NOW - 93 * HOUR,
        ),
    ),
)

HOSTILE_SPF = kept(
    "spf",
    "news.example.com",
    "news.example.com",
    Status.WARNING,
    subject(
        "record",
        finding(
            "spf.no_all", "warning", "the record ends without `all`", "End it with ~all", HOSTILE
        ),
        record=HOSTILE,
    ),
)

BLIND = kept(
    "rdns",
    "192.0.2.10",
    "example.com",
    Status.UNKNOWN,
    subject("192.0.2.10", known_at=None, unknown_reason="timeout: the resolver did not answer"),
    known_at=None,
)

DRIFTED = Baseline(
    "dmarc",
    "example.com",
    "record",
    ACCEPTED,
    NOW - 900 * HOUR,
    SEEN,
    NOW - 5 * HOUR,
    "weakened",
    "the policy went from reject to none",
    FIRST_SIGHT,
)

DOMAINS = (
    Domain("example.com", Role.PRIMARY, "platform@example.com", "platform"),
    Domain("news.example.com", Role.MARKETING, "growth@example.com"),
)

SENDERS = (
    Sender(
        "shop-mta",
        ("example.com",),
        owner="shop team",
        purpose="order mail",
        platform="postfix",
        platform_class=PlatformClass.SMTP,
        addresses=("192.0.2.10",),
        streams=(Stream("orders", trigger="order placed"),),
    ),
)

ZONES = ListedZones(
    "blocklist",
    living=(
        ZoneFacts(
            "zen.example.org",
            ("ip4", "ip6"),
            ZoneStanding.ASKED,
            "page",
            codes=(
                ZoneCode("127.0.0.2", "spam", "page", "page"),
                ZoneCode("127.0.0.10", "policy", "ticket", "never", "range"),
            ),
            refusals=("bit 1",),
            entries=(ZoneEntries("ip4", "127.0.0.2", "127.0.0.1"), ZoneEntries("ip6", "", "::1")),
            queries_a_day=300_000,
            queries_a_second=0.5,
            operator="Example <Lists>",
            terms="not for companies",
            delist="https://check.example.org/",
            sources=("example.org",),
            notes="Beware.",
        ),
        ZoneFacts("dbl.example.org", ("domain",), ZoneStanding.ASKED, "ticket"),
        ZoneFacts(
            "low.example.org",
            ("ip4",),
            ZoneStanding.OFFERED,
            "never",
            to_be_asked="name it under zones",
        ),
        ZoneFacts(
            "keyed.example.org",
            ("ip4",),
            ZoneStanding.WANTS_KEY,
            "page",
            key="example_key",
            to_be_asked="set keys.example_key",
            instead_of="zen.example.org",
        ),
    ),
    dead=(DeadZone("old.example.org", "2019-10", "lists everyone", "Gone.", ("example.org",)),),
)


def snapshot(*kept_, **changes):
    values = {
        "at": NOW,
        "version": "0.1.0",
        "organisation": "Example Ltd",
        "domains": DOMAINS,
        "senders": SENDERS,
        "checks": CHECKS,
        "kept": kept_,
        "baselines": (),
        "waiting": (),
        "zones": (ZONES,),
    }
    return Snapshot(**(values | changes))


TROUBLED = snapshot(
    OWN,
    WEAKENED,
    HOSTILE_SPF,
    BLIND,
    kept("mx", "example.com", "example.com"),
    kept("mx", "news.example.com", "news.example.com"),
    kept("spf", "example.com", "example.com"),
    baselines=(DRIFTED,),
    waiting=(("dmarc", "news.example.com", "news.example.com"),),
)

CALM = snapshot(
    OWN,
    *(
        kept(check, domain.name, domain.name)
        for check in ("dmarc", "mx", "spf")
        for domain in DOMAINS
    ),
)


@dataclass
class FakeBackend:
    """Implements `monitor.web.backend.Backend`; remembers what it was asked to do."""

    state: Snapshot = TROUBLED
    unready: str | None = None
    reload_errors: Sequence[str] = ()
    exposition: bytes = b"# TYPE deliverability_up gauge\ndeliverability_up 1\n"
    hook_reply: Reply = ACCEPTED_EVENT
    hooked: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    reloads: int = 0
    history: dict[tuple[str, str, str], list[RecordChange]] = field(default_factory=dict)
    history_fails: bool = False

    def metrics(self, *, openmetrics):
        return self.exposition + (b"# EOF\n" if openmetrics else b"")

    async def not_ready(self):
        return self.unready

    async def reload(self):
        self.reloads += 1
        return self.reload_errors

    def snapshot(self):
        return self.state

    async def probe(self, check, target):
        found = next((k for k in self.state.kept if (k.check, k.target) == (check, target)), None)
        if found is None:
            raise NoSuchTargetError(f"{target!r} is not a configured target of the check {check}")
        looks = tuple(
            Look.known(s.subject, tuple(f.finding for f in s.findings), record=s.record)
            if s.known
            else Look.unknown(s.subject, s.unknown_reason)
            for s in found.subjects.values()
        )
        return Probe(
            about=CHECKS[check].about,
            target=target,
            kept=found,
            outcome=Outcome(looks),
            seconds=0.25,
            settings='{\n  "zones": []\n}',
            log=(f"debug dns.asked name={target}", f"info check.finished status={found.status}"),
            metrics="# HELP deliverability_dmarc_policy P.\n# TYPE deliverability_dmarc_policy gauge\n"
            f'deliverability_dmarc_policy{{domain="{found.domain}",policy="none"}} 1\n',
        )

    async def hook(self, name, headers, body):
        self.hooked.append((name, headers, body))
        return self.hook_reply

    async def record_history(self, targets):
        if self.history_fails:
            raise StoreError("the disk fails")
        keys = {(b.check, b.target, b.subject): b for b in self.state.baselines}
        return {
            key: self.history.get(key) or beginning(b)
            for key, b in keys.items()
            if key[:2] in targets
        }

    async def accept_drift(self, check, target, subject, seen, acceptance):
        key = (check, target, subject)
        known = {(b.check, b.target, b.subject): b for b in self.state.baselines}
        try:
            known[key] = accepted = accept(before := known.get(key), seen, acceptance, at=NOW)
        except AcceptanceError as error:
            raise StaleDriftError(str(error)) from None
        self.history.setdefault(key, list(beginning(before))).extend(changes(before, accepted))
        self.state = replace(self.state, baselines=tuple(known.values()))
