"""What a change of an assertion record means for those who see the logo."""

from monitor.model import Classification, Drift
from monitor.protocol.bimi.record import BimiRecord, is_bimi, read


def classify(accepted: str, seen: str) -> Drift | None:
    """How ``seen`` differs in meaning from ``accepted``; "" is a record that is absent. Never raises.

    A logo that is no longer shown is broken or vanished, one without its certificate weakened: Gmail
    and Apple show none then.
    """
    before, after = _read(accepted), _read(seen)
    if before == after:
        return None
    if not after.location:
        how = Classification.BROKEN if seen else Classification.VANISHED
        how = how if before.location else Classification.CHANGED
        return Drift(how, "the record is gone" if not seen else "the record names no logo any more")
    if after.problems and not before.problems:
        return Drift(Classification.BROKEN, f"{after.problems[0].message}: no logo is shown")
    if before.problems and not after.problems:
        return Drift(Classification.STRENGTHENED, "the record is valid now")
    return _of_parts(before, after)


def _read(text: str) -> BimiRecord:
    return read(text) if is_bimi(text) else BimiRecord()


def _of_parts(before: BimiRecord, after: BimiRecord) -> Drift:
    if before.authority and not after.authority:
        reason = "the certificate is gone: Gmail and Apple show no logo without one"
        return Drift(Classification.WEAKENED, reason)
    if before.location != after.location:
        what = "another logo" if before.location else "a logo"
        return Drift(Classification.CHANGED, f"the record names {what}")
    if after.authority and not before.authority:
        return Drift(Classification.STRENGTHENED, "the record names a certificate")
    if before.authority != after.authority:
        return Drift(Classification.CHANGED, "the record names another certificate")
    return Drift(Classification.CHANGED, "the preference or the local parts changed")
