"""What a change of a DMARC record means for those who could send as the domain."""

from collections.abc import Iterator

from monitor.model import Classification, Drift
from monitor.protocol.dmarc.record import Alignment, DmarcRecord, Policy, is_dmarc, read
from monitor.protocol.problem import Problem

_CONSEQUENCE = {
    Policy.NONE: "anyone can now send as",
    Policy.QUARANTINE: "forged mail is only put into spam folders for",
    Policy.REJECT: "forged mail is refused for",
}
_WHOM = {"p": "you", "sp": "your subdomains", "np": "subdomains that do not exist"}
# Problems after which receivers no longer do what the record was published for.
_BREAKING = frozenset({"policy", "missing_policy", "duplicate_tag"})


def classify(accepted: str, seen: str) -> Drift | None:
    """How ``seen`` differs in meaning from ``accepted``; "" is a record that is absent.

    Order, white space, letter case and the cut into strings mean nothing. Compared is what
    receivers apply: a ``t=y`` counts as one policy level less (RFC 9989 §4.7), an ``sp`` that only
    repeats ``p`` counts as none. One weakened protection makes the whole change weakened. Never raises.
    """
    before, after = _read(accepted), _read(seen)
    if before is None:
        return _appeared(accepted, after) if seen != accepted else None
    if after is None:
        return _gone(seen)
    broken = _newly_broken(before, after)
    if broken is not None:
        consequence = f"receivers act on {_in_short(after)}"
        return Drift(Classification.BROKEN, f"{broken.message}; {consequence}")
    for classification, reasons in (
        (Classification.WEAKENED, list(_weaker(before, after))),
        (Classification.STRENGTHENED, list(_weaker(after, before, reverse=True))),
        (Classification.CHANGED, list(_other(before, after))),
    ):
        if reasons:
            return Drift(classification, "; ".join(reasons))
    return None


def _read(text: str) -> DmarcRecord | None:
    return read(text) if is_dmarc(text) else None


def _appeared(accepted: str, after: DmarcRecord | None) -> Drift | None:
    if after is None:
        return Drift(Classification.CHANGED, "another text, and still no DMARC record")
    what = f"there was {'no valid' if accepted else 'no'} record, now there is {_in_short(after)}"
    protects = after.applied and _applied(after, "p") is not Policy.NONE
    return Drift(Classification.STRENGTHENED if protects else Classification.CHANGED, what)


def _gone(seen: str) -> Drift:
    if seen:
        return Drift(
            Classification.BROKEN,
            "the record no longer starts with `v=DMARC1`: receivers ignore it, anyone can send as you",
        )
    return Drift(Classification.VANISHED, "the record is gone: anyone can now send as you")


def _in_short(record: DmarcRecord) -> str:
    return f"`p={record.policy}`" if record.applied else "no DMARC record at all"


def _newly_broken(before: DmarcRecord, after: DmarcRecord) -> Problem | None:
    """The first breaking problem, if the accepted record had none of its kind.

    Other syntax errors break nothing: receivers ignore them (RFC 9989 §4.7), so nobody is woken.
    """
    known = {problem.code for problem in before.problems}
    return next((p for p in after.problems if p.code in _BREAKING and p.code not in known), None)


def _applied(record: DmarcRecord, tag: str) -> Policy:
    asked = {
        "p": record.policy,
        "sp": record.policy_for_subdomains,
        "np": record.policy_for_nonexistent,
    }[tag]
    if not record.applied:
        return Policy.NONE
    return asked.one_level_below() if record.testing else asked


def _weaker(before: DmarcRecord, after: DmarcRecord, *, reverse: bool = False) -> Iterator[str]:
    """Why ``after`` protects less than ``before``; with ``reverse`` told the other way round."""
    then, now = (after, before) if reverse else (before, after)
    testing = _testing(then, now)
    for tag, whom in _WHOM.items():
        old, new = _applied(before, tag), _applied(after, tag)
        # What follows from `p` alone is said once.
        if new.strength < old.strength and (tag == "p" or (old, new) != _both(before, after, tag)):
            was, is_now = _applied(then, tag), _applied(now, tag)
            yield f"`{tag}={was}` → `{tag}={is_now}`{testing}: {_CONSEQUENCE[is_now]} {whom}"
    for name, kind in (("adkim", "DKIM"), ("aspf", "SPF")):
        if _alignment(before, name) is Alignment.STRICT is not _alignment(after, name):
            effect = "only the very domain aligns" if reverse else "any subdomain now aligns"
            yield f"`{name}={_alignment(then, name)}` → `{name}={_alignment(now, name)}`: {effect} in {kind}"


def _both(before: DmarcRecord, after: DmarcRecord, tag: str) -> tuple[Policy, Policy]:
    """The same step one tag up: of ``p`` for ``sp``, of ``sp`` for ``np``."""
    above = {"sp": "p", "np": "sp"}[tag]
    return _applied(before, above), _applied(after, above)


def _testing(then: DmarcRecord, now: DmarcRecord) -> str:
    if then.testing == now.testing:
        return ""
    return " (`t=y`: one level less is applied)" if now.testing else " (`t=y` is gone)"


def _alignment(record: DmarcRecord, name: str) -> Alignment:
    return record.adkim if name == "adkim" else record.aspf


def _other(before: DmarcRecord, after: DmarcRecord) -> Iterator[str]:
    # Losing `rua` lowers no protection: receivers treat forged mail as before (RFC 9989 §4.7: the
    # tag only requests reports). It takes our sight away, which is worth a ticket and no page.
    for name, old, new in (("rua", before.rua, after.rua), ("ruf", before.ruf, after.ruf)):
        then, now = ({uri.address.lower() for uri in uris} for uris in (old, new))
        gone, come = sorted(then - now), sorted(now - then)
        if gone and not new:
            yield f"`{name}` is gone: reports about who sends as you no longer arrive"
        elif gone or come:
            yield f"`{name}` {_moved(gone, come)}"
    if before.psd is not after.psd:
        yield f"`psd={before.psd}` → `psd={after.psd}`: another organizational domain may apply"
    if before.failure_options != after.failure_options:
        options = (":".join(sorted(r.failure_options)) for r in (before, after))
        yield "`fo` {} → {}".format(*options)
    # `pct` has no meaning since RFC 9989 (appendix C), though older receivers still act on it.
    if dict(before.removed_tags) != dict(after.removed_tags):
        tags = (", ".join(f"{n}={v}" for n, v in r.removed_tags) or "none" for r in (before, after))
        yield "tags changed that RFC 9989 removed: {} → {}".format(*tags) + _share(before, after)
    known = {problem.message for problem in before.problems}
    yield from (problem.message for problem in after.problems if problem.message not in known)


def _share(before: DmarcRecord, after: DmarcRecord) -> str:
    if before.percentage == after.percentage:
        return ""
    share = f"the policy to {after.percentage} % of the mail, before to {before.percentage} %"
    return f" (receivers that still follow RFC 7489 apply {share})"


def _moved(gone: list[str], come: list[str]) -> str:
    return ", ".join([f"without {address}" for address in gone] + [f"with {a}" for a in come])
