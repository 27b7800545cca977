"""Whether a host offers STARTTLS, watched as a record: what was offered once and is gone was taken away."""

from collections.abc import Sequence

from checks.smtp.conversed import Conversed
from monitor.check import Code
from monitor.model import Classification, Drift, Look, Severity

SUBJECT = "starttls"
OFFERED = "offered"

CODES = (
    Code("starttls_withdrawn", Severity.CRITICAL, "STARTTLS was offered and is not any more"),
    Code("starttls_gained", Severity.INFO, "STARTTLS is offered now, and was not"),
)
DRIFT_CODES = {
    Classification.VANISHED: "starttls_withdrawn",
    Classification.STRENGTHENED: "starttls_gained",
}


def look(conversed: Sequence[Conversed], *, complete: bool) -> Look:
    """The record of the host as a whole: offered only where each of its addresses offers it.

    An address that could not be asked, or (not `complete`) found out, hides whether it still does.
    """
    told = [one.offers_starttls for one in conversed if one.matters]
    if False in told:
        return Look.known(SUBJECT, record="")
    if not complete or not told or None in told:
        return Look.unknown(SUBJECT, "not every address could be asked for STARTTLS", weight=0)
    return Look.known(SUBJECT, record=OFFERED)


def classify(accepted: str, seen: str) -> Drift | None:
    """A host that never offered it is another finding; one that stopped may be under attack."""
    if accepted == seen:
        return None
    if seen == OFFERED:
        reason = "STARTTLS is offered now: accept it, so that its loss is noticed"
        return Drift(Classification.STRENGTHENED, reason, "find out who configured it")
    reason = "STARTTLS was offered and is not any more: mail travels readable"
    fix = (
        "see whether the server lost its certificate or TLS setting, and give it back; if others are still offered "
        "STARTTLS, somebody between the monitor and the host strips it from the answer"
    )
    return Drift(Classification.VANISHED, reason, fix)
