"""The BIMI record of a domain, its logo, its mark certificate, and whether DMARC is strong enough."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from checks.bimi import evaluate
from checks.bimi.evaluate import Held, Place
from checks.bimi.fetch import Fetched, fetch
from monitor.check import About, Code, DnsAnswer, Gauge, Question, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Look,
    Outcome,
    Role,
    Sample,
    Severity,
)
from monitor.protocol import bimi, dmarc
from monitor.protocol.bimi import BimiRecord, EvidenceError, Svg
from monitor.protocol.dmarc import DmarcRecord

_RECORD, _DMARC, _LOGO, _CERTIFICATE = "record", "dmarc", "logo", "certificate"
_DAY = 86400.0


class BimiSettings(Settings):
    """When the end of a mark certificate is near."""

    certificate_warning_days: Annotated[
        float, Field(gt=0, description="Days before the end; to issue one again takes weeks.")
    ] = 30


@dataclass(frozen=True, slots=True)
class _Dmarc:
    """The organizational domain, and the records that count by where they stand; `blindness`: why that is not known."""

    organizational: str
    records: Mapping[str, DmarcRecord]
    blindness: str = ""

    @property
    def strong_enough(self) -> bool:
        """Known, and strong enough for a logo."""
        return not self.blindness and not bimi.dmarc_problems(tuple(self.records.values()))


@dataclass(frozen=True, slots=True)
class _Applies:
    """The TXT records that apply to a domain, and where they stand."""

    place: Place
    answer: DnsAnswer


class BimiCheck:
    """Looks at what a receiver looks at before it shows a logo."""

    about: ClassVar[About] = About(
        name="bimi",
        title="BIMI logo",
        targets=DomainTarget,
        interval=21600.0,
        timeout=60.0,
        settings=BimiSettings,
        codes=(
            Code("record_invalid", Severity.WARNING, "receivers take nothing of the record"),
            Code("record_vanished", Severity.WARNING, "the record is gone"),
            Code("record_broken", Severity.WARNING, "the record is valid no longer"),
            Code("record_weakened", Severity.WARNING, "the record lost its certificate"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("dmarc_too_weak", Severity.WARNING, "DMARC is too weak for a logo"),
            Code("logo_unreachable", Severity.WARNING, "the logo cannot be fetched"),
            Code("logo_invalid", Severity.WARNING, "the logo is no SVG Tiny PS"),
            Code("certificate_unreachable", Severity.WARNING, "the certificate cannot be fetched"),
            Code("certificate_invalid", Severity.WARNING, "receivers refuse the certificate"),
            Code("certificate_other_domain", Severity.WARNING, "it is for another domain"),
            Code("certificate_expired", Severity.WARNING, "the certificate is not valid now"),
            Code("certificate_expiring", Severity.WARNING, "the certificate is about to end"),
            Code("logo_differs", Severity.WARNING, "the certificate is for another logo"),
            Code("record_changed", Severity.INFO, "another logo, certificate or preference"),
            Code("certificate_missing", Severity.INFO, "a logo without a certificate"),
            Code("logo_advice", Severity.INFO, "the logo may look wrong"),
            Code("missing", Severity.INFO, "no logo, though DMARC would allow one"),
        ),
        gauges=(
            Gauge(
                "bimi_certificate_not_after_timestamp_seconds",
                "When the first certificate of the domain's BIMI evidence document ends, or ended.",
                labels=("domain",),
            ),
        ),
        absent=("missing",),
        drift_codes={
            Classification.VANISHED: "record_vanished",
            Classification.BROKEN: "record_broken",
            Classification.WEAKENED: "record_weakened",
            Classification.CHANGED: "record_changed",
            Classification.STRENGTHENED: "record_changed",
            Classification.INCONSISTENT: "record_inconsistent",
        },
        # A parked domain sends nothing that a logo could stand beside.
        applies=lambda target: target.role is not Role.PARKED,
    )

    def __init__(self, settings: BimiSettings) -> None:
        self._warning = settings.certificate_warning_days * _DAY

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """A look at `record`, and where it names a logo at `dmarc`, `logo` and `certificate`."""
        own, policy = await asyncio.gather(
            world.authorities.ask(bimi.record_name(target.name), "TXT"), _dmarc(target.name, world)
        )
        applies = await _applying(target.name, own, policy, world)
        if isinstance(applies, str):
            return Outcome.unknown(applies)
        texts = applies.answer.records
        looks = [
            Look.known(
                _RECORD,
                evaluate.of_record(applies.place, texts, ready=policy.strong_enough),
                record=evaluate.watched(texts),
                disputed=applies.answer.disagreement,
            )
        ]
        record = evaluate.usable(texts)
        if record is not None and record.location:
            looks += await self._shown(applies.place, record, policy, world)
        return Outcome(tuple(looks))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the record differs from the accepted one in meaning, None where it does not."""
        return bimi.classify(accepted, seen)

    async def _shown(
        self, place: Place, record: BimiRecord, policy: _Dmarc, world: World
    ) -> list[Look]:
        logo, mark = await asyncio.gather(
            fetch(record.location, world),
            fetch(record.authority, world) if record.authority else _nothing(),
        )
        svg = bimi.read_svg(logo.body) if not (logo.trouble or logo.ours) else None
        domains = dict.fromkeys((place.domain, place.at, policy.organizational))
        held = Held(tuple(domains), svg, world.clock.now(), self._warning)
        return [
            _dmarc_look(place.domain, policy),
            _logo_look(record.location, logo, svg),
            _certificate_look(place, record, mark, held, policy),
        ]


async def _nothing() -> Fetched:
    return Fetched()


async def _dmarc(domain: str, world: World) -> _Dmarc:
    """The whole tree walk: the organizational domain is needed, and its record as well (the draft's §7.1)."""
    answers = await world.dns.ask_many([Question(n, "TXT") for n in dmarc.tree_walk(domain)])
    blind = next((answer.blindness for answer in answers if not answer.known), "")
    texts = {a.question.name: a.records if a.known else None for a in answers}
    found = dmarc.discover(domain, texts)
    above = dmarc.discover(found.organizational_domain, texts)
    records = {d.found_at: d.record for d in (found, above) if d.record is not None}
    return _Dmarc(found.organizational_domain, records, blind)


async def _applying(domain: str, own: DnsAnswer, policy: _Dmarc, world: World) -> _Applies | str:
    """The domain's own record, else its organizational domain's (§7.2); why that is not known."""
    if not own.known:
        return own.blindness
    here = _Applies(Place(domain, domain), own)
    if evaluate.watched(own.records):
        return here
    if policy.blindness or policy.organizational == domain:
        return policy.blindness or here
    above = await world.authorities.ask(bimi.record_name(policy.organizational), "TXT")
    if not above.known:
        return above.blindness
    inherited = evaluate.usable(above.records) is not None
    return _Applies(Place(domain, policy.organizational), above) if inherited else here


def _dmarc_look(domain: str, policy: _Dmarc) -> Look:
    if policy.blindness:
        return Look.unknown(_DMARC, policy.blindness)
    return Look.known(_DMARC, evaluate.of_dmarc(domain, policy.records))


def _logo_look(url: str, fetched: Fetched, svg: Svg | None) -> Look:
    if fetched.ours:
        return Look.unknown(_LOGO, fetched.ours)
    if svg is None:
        found = evaluate.unreachable("logo_unreachable", "logo", url, fetched.trouble)
        return Look.known(_LOGO, (found,))
    return Look.known(_LOGO, evaluate.of_logo(url, svg))


def _certificate_look(
    place: Place, record: BimiRecord, fetched: Fetched, held: Held, policy: _Dmarc
) -> Look:
    if fetched.ours:
        return Look.unknown(_CERTIFICATE, fetched.ours)
    if not record.authority:
        return Look.known(_CERTIFICATE, (evaluate.certificate_missing(place, record),))
    url = record.authority
    if fetched.trouble:
        found = evaluate.unreachable(
            "certificate_unreachable", "mark certificate", url, fetched.trouble
        )
        return Look.known(_CERTIFICATE, (found,))
    try:
        evidence = bimi.read_evidence(fetched.body)
    except EvidenceError as error:
        return Look.known(_CERTIFICATE, (evaluate.certificate_unreadable(url, error.message),))
    if policy.blindness and not bimi.covers(evidence.names, *held.domains):
        # It may be for the organizational domain, which is not known.
        return Look.unknown(_CERTIFICATE, policy.blindness)
    end = evidence.not_after.timestamp()
    return Look.known(
        _CERTIFICATE,
        evaluate.of_certificate(place, url, evidence, held),
        samples=(Sample("bimi_certificate_not_after_timestamp_seconds", end),),
    )
