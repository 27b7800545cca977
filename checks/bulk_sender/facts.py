"""What is known of a sender's authentication, from what the other checks found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.check import PastResult
from monitor.model import SenderTarget, Status
from monitor.protocol.platforms import includes_of
from monitor.protocol.psl import registrable_domain


class Fact(StrEnum):
    """Something that holds or does not."""

    SPF = "spf"
    """The envelope domain has a usable SPF record, and it lets the sender's servers pass."""
    DKIM = "dkim"
    """Verifiers can use the keys that the sender signs with."""
    DMARC = "dmarc"
    """Receivers find a DMARC record that they act on."""
    ALIGNED = "aligned"
    """The domain in From has the organizational domain of what passes SPF or DKIM (RFC 9989 §4.4)."""
    PTR = "ptr"
    """Each of the sender's addresses has a name that leads back to it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a fact holds: True, False, or None where that is not known, with the reason.

    `causes` are the codes of the findings because of which it does not hold. `no_failure`: it is
    not known although every look succeeded: it lies with the platform, or is not declared.
    """

    holds: bool | None
    reason: str = ""
    causes: tuple[str, ...] = ()
    no_failure: bool = False


Verdicts = Mapping[Fact, Verdict]

_SPF = frozenset(
    {
        "spf.record_missing",
        "spf.record_invalid",
        "spf.several_records",
        "spf.include_dead",
        "spf.include_broken",
        "spf.too_many_lookups",
        "spf.record_vanished",
        "spf.record_broken",
    }
)
_SPF_OF_SENDER = frozenset({"spf.sender_not_authorised", "spf.platform_not_included"})
_DKIM = frozenset(
    {
        "dkim.key_missing",
        "dkim.alias_dangling",
        "dkim.key_invalid",
        "dkim.key_revoked",
        "dkim.key_too_short",
        "dkim.key_vanished",
        "dkim.key_broken",
    }
)
_DMARC = frozenset(
    {
        "dmarc.record_missing",
        "dmarc.record_unusable",
        "dmarc.several_records",
        "dmarc.record_vanished",
        "dmarc.record_broken",
    }
)
_PTR = frozenset({"rdns.missing", "rdns.not_confirmed"})

BREAKING = _SPF | _SPF_OF_SENDER | _DKIM | _DMARC | _PTR
"""The codes of other checks by which a fact does not hold."""


def verdicts(target: SenderTarget, results: Sequence[PastResult]) -> Verdicts:
    """What holds of a sender's mail under a domain, from the last results about that domain."""
    spf, dkim = _spf(target, results), _dkim(target, results)
    return {
        Fact.SPF: spf,
        Fact.DKIM: dkim,
        Fact.DMARC: _judged(_of(results, "dmarc", target.domain), _DMARC, "dmarc", target.domain),
        Fact.ALIGNED: _aligned(target, spf, dkim),
        Fact.PTR: _ptr(target, results),
    }


def all_hold(wanted: Iterable[Fact], known: Verdicts) -> Verdict:
    """Whether all of these hold; one that does not decides, then one that is not known."""
    chosen = [known[fact] for fact in wanted]
    false = [verdict for verdict in chosen if verdict.holds is False]
    unknown = [verdict for verdict in chosen if verdict.holds is None]
    decisive = false or unknown
    if not decisive:
        return Verdict(True)
    causes = tuple(dict.fromkeys(cause for verdict in false for cause in verdict.causes))
    reason = "; ".join(verdict.reason for verdict in decisive)
    no_failure = not false and all(verdict.no_failure for verdict in unknown)
    return Verdict(decisive[0].holds, reason, causes, no_failure)


def _of(results: Sequence[PastResult], check: str, *targets: str) -> list[PastResult]:
    return [past for past in results if past.check == check and past.target in targets]


def _judged(
    past: Sequence[PastResult], breaking: frozenset[str], check: str, target: str
) -> Verdict:
    """A fact that rests on a check: an open finding that breaks it, else whether the check could look."""
    if not past:
        return Verdict(None, f"the check {check} has not looked at {target} yet")
    causes = tuple(sorted({code for one in past for code in one.codes} & breaking))
    if causes:
        return Verdict(False, f"{', '.join(causes)} at {past[0].target}", causes)
    if blind := [one.target for one in past if one.status is Status.UNKNOWN]:
        return Verdict(None, f"the check {check} could not look at {', '.join(blind)}")
    return Verdict(True)


def _spf(target: SenderTarget, results: Sequence[PastResult]) -> Verdict:
    """By the domain's own record, where it is an envelope domain of the sender's; and by what is seen of the sender."""
    envelopes = target.envelope_domains or (target.domain,)
    if target.domain in envelopes:
        domain = _judged(_of(results, "spf", target.domain), _SPF, "spf", target.domain)
        if domain.holds is not True:
            return domain
    if not (target.addresses or target.ranges or includes_of(target.platform)):
        return Verdict(None, f"`addresses` of {target.sender} are not declared", no_failure=True)
    sender = _judged(_of(results, "spf", target.name), _SPF_OF_SENDER, "spf", target.name)
    if sender.causes == ("spf.platform_not_included",) and not target.envelope_domains:
        # Most platforms have an envelope domain of their own: without one declared it may all be well.
        return Verdict(
            None, f"`envelope_domains` of {target.sender} are not declared", no_failure=True
        )
    return sender


def _dkim(target: SenderTarget, results: Sequence[PastResult]) -> Verdict:
    """By the sender's own selectors; without any nobody knows with which key it signs."""
    if not target.selectors:
        return Verdict(
            None, f"`dkim_selectors` of {target.sender} are not declared", no_failure=True
        )
    past = _of(results, "dkim", target.domain)
    if not past:
        return Verdict(None, f"the check dkim has not looked at {target.domain} yet")
    found = past[0].by_subject
    broken = {
        selector: sorted(_DKIM & set(found.get(selector, ()))) for selector in target.selectors
    }
    causes = tuple(dict.fromkeys(code for codes in broken.values() for code in codes))
    if causes:
        where = ", ".join(selector for selector, codes in broken.items() if codes)
        return Verdict(False, f"{', '.join(causes)} at the selector {where}", causes)
    blind = [selector for selector in target.selectors if selector in past[0].blind]
    if blind or past[0].status is Status.UNKNOWN:
        return Verdict(None, f"the check dkim could not look at {', '.join(blind) or 'its keys'}")
    return Verdict(True)


def _ptr(target: SenderTarget, results: Sequence[PastResult]) -> Verdict:
    if not target.addresses and includes_of(target.platform):
        return Verdict(None, f"it sends from addresses of {target.platform}", no_failure=True)
    if not target.addresses:
        single = "single " if target.ranges else ""
        return Verdict(
            None, f"{single}`addresses` of {target.sender} are not declared", no_failure=True
        )
    return _judged(_of(results, "rdns", *target.addresses), _PTR, "rdns", target.addresses[0])


def _aligned(target: SenderTarget, spf: Verdict, dkim: Verdict) -> Verdict:
    """By SPF where an envelope domain is the domain's own or of the same organization, or by DKIM."""
    envelopes = target.envelope_domains or (target.domain,)
    own = registrable_domain(target.domain) or target.domain
    same = any((registrable_domain(name) or name) == own for name in envelopes)
    ways = [dkim, *([spf] if same else [])]
    if any(way.holds for way in ways):
        return Verdict(True)
    if unknown := [way for way in ways if way.holds is None]:
        no_failure = all(way.no_failure for way in unknown)
        return Verdict(None, "; ".join(way.reason for way in unknown), no_failure=no_failure)
    if not same:
        foreign = Verdict(False, f"the envelope domain {envelopes[0]} is another organization's")
        ways = [foreign, *ways]
    causes = tuple(dict.fromkeys(cause for way in ways for cause in way.causes))
    return Verdict(False, "; ".join(way.reason for way in ways), causes)
