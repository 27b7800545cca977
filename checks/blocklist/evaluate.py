"""What a zone's answer about one subject comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checks.blocklist.catalogue import Zone
from checks.blocklist.proof import Trouble, no_answer, refusal
from monitor.check import DnsAnswer, ZoneState, worst_severity
from monitor.model import Address, Finding, Look, LookState, Sample, Severity
from monitor.protocol.dnsbl import Kind, Meaning, Reading, Scope, State, kind_of

PLURAL = {
    Kind.IPV4: "IPv4 addresses",
    Kind.IPV6: "IPv6 addresses",
    Kind.DOMAIN: "domains",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """A zone's answer, read. `texts` are the TXT records of a listing: untrusted."""

    zone: Zone
    answer: DnsAnswer
    reading: Reading
    texts: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """What it says, as a label: a reading's state, or the DNS status where nothing was learnt."""
        return self.reading.state.value if self.answer.known else self.answer.status.value

    @property
    def trouble(self) -> Trouble | None:
        """Why it teaches nothing; None where it does."""
        if not self.answer.known:
            return no_answer(self.zone, self.answer)
        match self.reading.state:
            case State.REFUSED:
                return refusal(self.zone, self.reading)
            case State.NONSENSE | State.UNNAMED:
                reason = f"the zone's answer cannot be read: {self.reading.reason}"
                return Trouble(ZoneState.DEAD, reason)
            case _:
                return None

    @property
    def discredits(self) -> bool:
        """Whether the whole zone is to be doubted: it refuses, or what answers is no blocklist.

        A code that nobody knows is none of that: the zone may have learnt a new one.
        """
        return self.reading.state in {State.REFUSED, State.NONSENSE}

    def with_text(self, texts: Sequence[str]) -> "Answered":
        """The same with the listing's text."""
        return replace(self, texts=tuple(texts))


def known(
    said: Answered,
    subject: Address | str,
    *,
    sends: bool = True,
    only_by: str = "",
    besides: str = "",
) -> Look:
    """The look at a zone that answered: clean, or its listing.

    `sends`: mail leaves from the subject straight to receivers. `only_by` is what of the domain's SPF record alone
    tells of it, `besides` what else is known of the listing.
    """
    zone = said.zone
    listed = _listed(said, subject, sends=sends, only_by=only_by)
    if not listed:
        return Look.known(zone.name, weight=zone.weight)
    return Look.known(
        zone.name,
        (_finding(said, subject, listed, only_by, besides),),
        samples=tuple(_sample(zone, kind_of(subject), one) for one in listed),
        weight=zone.weight,
    )


def gravest(
    said: Answered, subject: Address | str, *, sends: bool, only_by: str
) -> Severity | None:
    """How grave the listing is that `known` tells of; None where it tells of none."""
    listed = _listed(said, subject, sends=sends, only_by=only_by)
    return worst_severity([one.severity for one in listed])


def state_label(look: Look) -> str:
    """`listed`, `clean` or `unknown`."""
    if look.state is LookState.UNKNOWN:
        return "unknown"
    return "listed" if look.findings else "clean"


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a zone says of the subject, and how much that matters there.

    `undeclared`: it would be graver if anybody had declared that the subject sends.
    """

    meaning: Meaning
    severity: Severity
    undeclared: bool = False


def _listed(said: Answered, subject: Address | str, *, sends: bool, only_by: str) -> list[_Listed]:
    found = []
    for meaning in said.reading.meanings:
        severity = _severity(said.zone, kind_of(subject), meaning, sends=sends)
        if severity is Severity.CRITICAL and only_by:
            # A term such as `a:www.example.com` lets a hoster's address send; whether it does nobody knows.
            found.append(_Listed(meaning, Severity.WARNING, undeclared=True))
        elif severity:
            found.append(_Listed(meaning, severity))
    return found


def _severity(zone: Zone, kind: Kind, meaning: Meaning, *, sends: bool) -> Severity | None:
    """How grave it is; None where it is nobody's trouble. What cannot be proved by a listed test entry never pages."""
    severity = meaning.severity_of(sends=sends)
    if severity is Severity.CRITICAL and zone.proofs[kind] is None:
        return Severity.WARNING
    return severity


_CARE = {
    Severity.CRITICAL: "receivers refuse mail by it",
    Severity.WARNING: "few receivers refuse mail by it, more weigh it",
    Severity.INFO: "hardly any receiver acts on it alone",
}
_SCOPE = {
    Scope.RANGE: "It names the range around the address, not you alone: ask your provider who else sends from there. ",
    Scope.NETWORK: "It names your provider's network, not you: only the provider can get it off. ",
}


def _finding(
    said: Answered,
    subject: Address | str,
    listed: Sequence[_Listed],
    only_by: str,
    besides: str,
) -> Finding:
    zone = said.zone
    domain = isinstance(subject, str)
    severity = worst_severity([one.severity for one in listed]) or Severity.INFO
    names = ", ".join(one.meaning.name for one in listed)
    codes = ", ".join(said.answer.records)
    scopes = dict.fromkeys(one.meaning.scope for one in listed if one.severity is severity)
    range_first = "".join(_SCOPE.get(one, "") for one in scopes if one)
    used_by = f" Who cares: {zone.used_by}" if zone.used_by else ""
    removal = f" Then ask for removal: {zone.delist}." if zone.delist else ""
    care, declare = _CARE[severity], ""
    if any(one.undeclared for one in listed):
        care = f"{_CARE[Severity.CRITICAL]}, but only the domain's SPF record ({only_by}) tells of the address"
        declare = (
            "Does mail leave from it? Then declare it under senders, to be paged; if none does, take it out of the "
            "domain's SPF record. "
        )
    cause = (
        "mail or web pages in its name that somebody else made, and lists it mailed without consent"
        if domain
        else "the mail that left it in the last days: bounces, complaints, stolen accounts, other tenants"
    )
    return Finding(
        "domain_listed" if domain else "address_listed",
        f"{subject} is listed in {zone.name} ({names}): {care}",
        fix=f"{declare}{range_first}First find and stop what caused it ({cause}).{removal}{used_by}",
        evidence=zone.redacted("; ".join(filter(None, [codes, *said.texts, besides]))),
        severity=severity,
    )


def _sample(zone: Zone, kind: Kind, listed: _Listed) -> Sample:
    labels = {
        "kind": kind.value,
        "zone": zone.name,
        "severity": listed.severity.value,
        "meaning": listed.meaning.name,
    }
    return Sample("blocklist_listed", 1.0, labels)
