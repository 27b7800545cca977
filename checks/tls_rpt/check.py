"""The TLS-RPT record of a domain, and whether reports reach where it sends them (RFC 8460)."""

import asyncio
from typing import ClassVar

from checks.tls_rpt import evaluate
from monitor.check import About, Code, DnsAnswer, Question, Settings, World
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Finding,
    Look,
    Outcome,
    Role,
    Severity,
)
from monitor.protocol import mx
from monitor.protocol.tls_rpt import Destination, Scheme

_RECORD = "record"
_MOST_DESTINATIONS = 10
"""That are looked at: a record names one or two."""


class TlsRptCheck:
    """Looks at the record, and at each destination that it names."""

    about: ClassVar[About] = About(
        name="tls_rpt",
        title="TLS reports",
        targets=DomainTarget,
        interval=3600.0,
        codes=(
            Code("record_invalid", Severity.WARNING, "senders take nothing of the record"),
            Code("several_records", Severity.WARNING, "more than one record: none is taken"),
            Code("destination_invalid", Severity.WARNING, "senders ignore a part of the record"),
            Code("destination_unusable", Severity.WARNING, "reports do not get there"),
            Code("record_vanished", Severity.WARNING, "the record is gone"),
            Code("record_inconsistent", Severity.WARNING, "the name servers disagree"),
            Code("record_changed", Severity.INFO, "other destinations than accepted"),
            Code("missing", Severity.INFO, "no TLS-RPT record"),
        ),
        absent=("missing",),
        drift_codes={
            Classification.VANISHED: "record_vanished",
            Classification.CHANGED: "record_changed",
            Classification.INCONSISTENT: "record_inconsistent",
        },
        # Nobody delivers mail to a parked domain.
        applies=lambda target: target.role is not Role.PARKED,
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at the subject `record` and one at each destination's host."""
        txt, mx_answer = await asyncio.gather(
            world.authorities.ask(f"_smtp._tls.{target.name}", "TXT"),
            world.dns.ask(target.name, "MX"),
        )
        if not txt.known:
            return Outcome.unknown(txt.blindness)
        record = evaluate.usable(txt.records)
        state = evaluate.watched(record) if record else None
        if evaluate.is_absent(txt.records):
            state = ""
        takes_mail = not mx_answer.known or bool(mx.judge(mx_answer.records).hosts)
        look = Look.known(
            _RECORD,
            evaluate.of_record(target.name, txt.records, takes_mail=takes_mail),
            # What is disputed is not taken for the record's state, but needs one to be told.
            record=(state or "") if txt.disagreement else state,
            disputed=txt.disagreement,
        )
        destinations = _places(record.rua if record else ())
        return Outcome((look, *await _looks(target.name, destinations, world)))

    def classify(self, accepted: str, seen: str) -> Drift | None:
        """How the destinations differ from the accepted ones, None where they do not."""
        return evaluate.classify(accepted, seen)


def _places(rua: tuple[Destination, ...]) -> list[Destination]:
    """One destination for each way to a host: several mailboxes of a domain have the same fate."""
    places = {(destination.scheme, destination.host): destination for destination in rua}
    return list(places.values())[:_MOST_DESTINATIONS]


async def _looks(domain: str, destinations: list[Destination], world: World) -> list[Look]:
    answers = await asyncio.gather(*(_ask(destination, world) for destination in destinations))
    return [
        _look(domain, destination, found)
        for destination, found in zip(destinations, answers, strict=True)
    ]


async def _ask(destination: Destination, world: World) -> list[DnsAnswer]:
    rtypes = ["A", "AAAA"] + ["MX"] * (destination.scheme is Scheme.MAILTO)
    return await world.dns.ask_many([Question(destination.host, rtype) for rtype in rtypes])


def _look(domain: str, destination: Destination, answers: list[DnsAnswer]) -> Look:
    subject = f"{destination.scheme}:{destination.host}"
    ip4, ip6, *mail = answers
    found = evaluate.of_destination(domain, destination, (ip4, ip6), mail[0] if mail else None)
    if isinstance(found, str):
        return Look.unknown(subject, found)
    return Look.known(subject, (found,) if isinstance(found, Finding) else ())
