"""An answer that is lost never wakes anyone, and never clears what was found: in the world of every case folder.

Each world is looked at again with one of its DNS answers lost, with all of one type lost, with our ways out
closed, and with an authoritative server that is of no use. A graver finding must not be there that was not there
before, and one that was there may only be missing where its subject is unknown, so that the daemon keeps it.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from monitor.check import About
from monitor.model import LookState, Outcome, Severity
from monitor.world.fake import FakeWorld
from tests.checks.test_cases import FOLDERS, Case, check_class, fake_world, read_case, target_of

ASKS_NOBODY = {"bulk_sender", "rates", "self"}
# Loss is what the check ns tells of; its own cases lose servers and answers one by one.
LOOKED_AT = [f for f in FOLDERS if f.parent.name not in {*ASKS_NOBODY, "ns"}]
CLOSED = dict.fromkeys((25, 443, 465, 587), "nothing gets out")

ITS_OWN_TROUBLE = {
    # That senders get no answer for TLSA records is what it says.
    "dane.lookup_fails",
    # That zones do not answer is what it says of the monitor itself.
    "blocklist.zone_silent",
    "blocklist.zones_blind",
}
TOLD_IN_ITS_PLACE = {
    # Another trouble of the same subject is told then, or its absence follows from the lost answer alone.
    "blocklist.resolver_public",
    "blocklist.zone_dead",
    "blocklist.zone_lists_everyone",
    "blocklist.zone_refused",
    "dane.anchor_not_sent",
    "dane.mismatch",
    "dane.no_tls",
    "dane.renewal_breaks",
    "dane.unsigned",
    "dane.unusable",
    "spf.include_broken",
    "spf.include_dead",
}
# The name servers' disagreement cannot be seen without them: then the resolver's answer counts.
ASKED_ANYHOW = {("dkim/17-servers-disagree", "NS")}

Zone = dict[str, Any]
Found = set[tuple[str, str, str]]


def worlds(fake: FakeWorld, zone: Zone) -> Iterator[tuple[str, Zone]]:
    """The zone with something lost, and what that is."""
    asked = dict.fromkeys((q.name.lower().removesuffix("."), q.rtype) for q in fake.asked)
    for name, rtype in asked:
        yield f"{name} {rtype}", failing(zone, {f"{name} {rtype}": "servfail"})
    for rtype in sorted({rtype for _, rtype in asked}):
        lost = {f"{name} {kind}": "timeout" for name, kind in asked if kind == rtype}
        yield f"all {rtype}", failing(zone, lost)
    if "ns" not in zone:
        servers = {"example.com": ["ns1.example.net", "ns2.example.net"]}
        for trouble in ("timeout", "refused", "lame"):
            said = {"ns2.example.net": {"*": trouble}}
            yield f"ns2, {trouble}", zone | {"ns": servers, "servers": said}
    if fake.got or fake.conversed or fake.audited:
        yield "our ways out", zone | {"https": {}, "smtp": {}, "egress_trouble": CLOSED}


def failing(zone: Zone, lost: Mapping[str, str]) -> Zone:
    return zone | {"fail": {**zone.get("fail", {}), **lost}}


def grave(about: About, outcome: Outcome) -> Found:
    """By subject, code and severity: a page that becomes a ticket has resolved."""
    usual = {code.name: code.severity for code in about.codes}
    return {
        (look.subject, f"{about.name}.{finding.code}", severity)
        for look in outcome.looks
        for finding in look.findings
        if (severity := finding.severity or usual[finding.code]) is not Severity.INFO
    }


def drifted(check: Any, before: Outcome, after: Outcome) -> Found:
    """What drift would say if the records of `before` were the accepted ones."""
    accepted = {look.subject: look.record for look in before.looks if not look.disputed}
    return {
        (look.subject, "drift", "")
        for look in after.looks
        if look.record is not None
        and not look.disputed
        and accepted.get(look.subject) is not None
        and check.classify(accepted[look.subject], look.record)
    }


async def seen(case: Case, zone: Zone) -> tuple[Any, FakeWorld, Outcome]:
    made = check_class(case.folder.parent.name)
    check = made(made.about.settings.model_validate(case.expected.get("settings", {})))
    fake = fake_world(deepcopy(zone))
    outcome = await check.run(target_of(made.about, case), fake.world())
    return check, fake, outcome


@pytest.mark.parametrize(
    "folder", LOOKED_AT, ids=lambda folder: f"{folder.parent.name}/{folder.name}"
)
async def test_a_lost_answer_neither_wakes_nor_clears(folder: Path) -> None:
    case = read_case(folder)
    check, fake, whole = await seen(case, case.zone)
    known = grave(check.about, whole)
    for lost, zone in worlds(fake, case.zone):
        if (f"{folder.parent.name}/{folder.name}", lost.split()[-1]) in ASKED_ANYHOW:
            continue
        _, _, partly = await seen(case, zone)
        told = grave(check.about, partly)
        new = {(s, code, how) for s, code, how in told - known if code not in ITS_OWN_TROUBLE}
        assert not new | drifted(check, whole, partly), f"without {lost}"
        if partly.failure is not None:
            continue
        states = {look.subject: look.state for look in partly.looks}
        kept = LookState.UNKNOWN if partly.incomplete else None
        cleared = {
            (subject, code)
            for subject, code, _ in known - told
            if states.get(subject, kept) is not LookState.UNKNOWN and code not in TOLD_IN_ITS_PLACE
        }
        assert not cleared, f"without {lost}"
        watched = {look.subject for look in whole.looks if look.record and not look.disputed}
        telling = {subject for subject, code, _ in told if code in ITS_OWN_TROUBLE}
        blind = {
            look.subject
            for look in partly.looks
            if look.state is LookState.KNOWN and look.record is None
        } - telling
        assert not watched & blind, f"without {lost} nobody would know that the record changed"
