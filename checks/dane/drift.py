"""What drift watches of DANE and DNSSEC, and what a change of it means. Pure."""

from collections.abc import Sequence

from monitor.check import Code
from monitor.check.drift import difference
from monitor.model import Classification, Drift, Severity
from monitor.protocol import dane
from monitor.protocol.dane import TlsaError

SIGNED = "signed"
UNSIGNED = "unsigned"
"""The states of a zone, beside those of a host: its TLSA records."""

CODES = (
    Code("record_vanished", Severity.WARNING, "no TLSA record is left that senders use"),
    Code("protection_lost", Severity.WARNING, "the domain is no longer signed"),
    Code("record_changed", Severity.INFO, "other TLSA records than accepted"),
    Code("protection_gained", Severity.INFO, "TLSA records or signatures that were not there"),
)
DRIFT_CODES = {
    Classification.VANISHED: "record_vanished",
    Classification.WEAKENED: "protection_lost",
    Classification.CHANGED: "record_changed",
    Classification.STRENGTHENED: "protection_gained",
}

_SHOWN_LETTERS = 22
"""Of a record, such as `3 1 1` and sixteen digits."""


def watched(texts: Sequence[str]) -> str:
    """The state of a host's TLSA records, in one form and in no order; "" where there are none."""
    return ", ".join(sorted(set(map(_canonical, texts))))


def _canonical(text: str) -> str:
    try:
        return str(dane.parse(text))
    except TlsaError:
        return text


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of a zone or of a host differ in meaning, None where they do not."""
    if accepted == seen:
        return None
    if accepted == SIGNED:
        reason = "the domain is no longer signed, or the zone above no longer vouches for it (DNSSEC): its records can be forged"
        fix = "have the domain signed where its DNS is run, and its DS record published by the registrar"
        return Drift(Classification.WEAKENED, reason, fix)
    if seen == SIGNED:
        reason = "the domain is signed now (DNSSEC): accept it, so that its loss is noticed"
        fix = "have its DS records removed by the registrar before the signing is ended"
        return Drift(Classification.STRENGTHENED, reason, fix)
    return _of_records(accepted, seen)


def _of_records(accepted: str, seen: str) -> Drift | None:
    before, after = (
        frozenset(map(_canonical, state.split(", "))) - {""} for state in (accepted, seen)
    )
    if before == after and after:
        return None
    # The accepted records may name a key that is no longer in use: with them again, mail would be lost.
    again = (
        f"publish again at _25._tcp.<the host>: {accepted}; where the host's key is another one since, "
        "the record `3 1 1` of that key"
    )
    used, uses = any(map(_usable, before)), any(map(_usable, after))
    if not after:
        reason = "the TLSA records are gone: senders no longer demand TLS of the host, nor verify its certificate"
        return Drift(Classification.VANISHED, reason, again)
    if used and not uses:
        reason = "no TLSA record is left that senders use: they no longer verify the certificate"
        return Drift(Classification.VANISHED, reason, again)
    if uses and not used:
        reason = "there are TLSA records that senders use, and were none: accept them, so that their loss is noticed"
        fix = "find out who published them, and remove them: where they do not name the host's key, mail is lost"
        return Drift(Classification.STRENGTHENED, reason, fix)
    reason = (
        f"other certificates or keys are named than accepted: {difference(before, after, _cut)}"
    )
    return Drift(Classification.CHANGED, reason, again if accepted else "remove them")


def _usable(text: str) -> bool:
    try:
        return not dane.unusable(dane.parse(text))
    except TlsaError:
        return False


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…"
