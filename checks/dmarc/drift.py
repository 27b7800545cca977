"""The state of a DMARC record that drift watches, and what a change of it means for the domain."""

import re
from dataclasses import replace

from checks.dmarc.evaluate import UNUSABLE, meant_as_dmarc
from monitor.model import Classification, Drift
from monitor.protocol import dmarc
from monitor.protocol.dmarc import Discovery

_SEVERAL = "several records at: "
_INHERITED = re.compile(r"inherited from (\S+): ")


def watched(discovery: Discovery, own_texts: tuple[str, ...]) -> str:
    """The record as drift watches it: the text, after `inherited from <domain>: ` where it is not the domain's own.

    A text that is there but is no DMARC record stays visible, and so do several records, so that a
    record that was broken is told apart from one that is gone. "" where there is none.
    """
    text = " ".join(discovery.text.split())
    if not text and discovery.several_at:
        return _SEVERAL + " ".join(discovery.several_at)
    if not text:
        return " ".join(filter(meant_as_dmarc, own_texts))
    own = discovery.found_at == discovery.domain
    return text if own else f"inherited from {discovery.found_at}: {text}"


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning *for the domain*.

    Of an inherited record the `sp` is what counts, so a domain that loses its own record and falls
    back on an equally strict parent has changed, not weakened.
    """
    if dmarc.is_dmarc(_placed(accepted)[1]) and seen.startswith(_SEVERAL):
        reason = f"there are several records now ({seen}): receivers discard all of them"
        return Drift(Classification.BROKEN, reason)
    (before_place, before), (after_place, after) = _placed(accepted), _placed(seen)
    drift = dmarc.classify(before, after)
    if drift is None and before_place != after_place:
        moved = f"the record of {after_place} applies" if after_place else "its own record applies"
        return Drift(Classification.CHANGED, f"the same policy, but now {moved}")
    return drift


def _placed(state: str) -> tuple[str, str]:
    """Where a watched record stands ("" for the domain's own) and its text as the domain's own would read."""
    found = _INHERITED.match(state)
    if found is None:
        return "", state
    text = state[found.end() :]
    record = dmarc.read(text) if dmarc.is_dmarc(text) else None
    if record is None or any(problem.code in UNUSABLE for problem in record.problems):
        return found[1], text
    as_own = replace(record, policy=record.policy_for_subdomains, subdomain_policy=None)
    return found[1], dmarc.render(as_own)
