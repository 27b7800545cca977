"""What a zone's answer about one subject comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checks.blocklist.catalogue import Zone
from checks.blocklist.proof import mend
from monitor.check import DnsAnswer
from monitor.model import Address, Finding, Look, LookState, Sample, Severity
from monitor.protocol.dnsbl import Kind, Meaning, Reading, State, kind_of

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
    def trouble(self) -> str:
        """Why an answer that came teaches nothing; "" where it does."""
        match self.reading.state:
            case State.REFUSED:
                return f"the zone refuses this resolver ({self.reading.reason}); {mend(self.zone)}"
            case State.NONSENSE:
                return f"the zone's answer is no blocklist's: {self.reading.reason}"
            case _:
                return ""

    def with_text(self, texts: Sequence[str]) -> "Answered":
        """The same with the listing's text."""
        return replace(self, texts=tuple(texts))


def known(said: Answered, subject: Address | str) -> Look:
    """The look at a zone that answered: clean, or its listing."""
    zone, kind = said.zone, kind_of(subject)
    meanings = [_believed(zone, kind, meaning) for meaning in said.reading.meanings]
    if not meanings:
        return Look.known(zone.name, weight=zone.weight)
    return Look.known(
        zone.name,
        (_finding(said, subject, meanings),),
        samples=tuple(_sample(zone, kind, meaning) for meaning in meanings),
        weight=zone.weight,
    )


def state_label(look: Look) -> str:
    """`listed`, `clean` or `unknown`."""
    if look.state is LookState.UNKNOWN:
        return "unknown"
    return "listed" if look.findings else "clean"


def _believed(zone: Zone, kind: Kind, meaning: Meaning) -> Meaning:
    """What cannot be proved by a listed test entry never pages."""
    if meaning.severity is Severity.CRITICAL and zone.proofs[kind] is None:
        return replace(meaning, severity=Severity.WARNING)
    return meaning


def _finding(said: Answered, subject: Address | str, meanings: Sequence[Meaning]) -> Finding:
    zone = said.zone
    domain = isinstance(subject, str)
    codes = ", ".join(said.answer.records)
    removal = f" Then ask for removal: {zone.delist}" if zone.delist else ""
    cause = (
        "mail or web pages in its name that somebody else made, and lists it mailed without consent"
        if domain
        else "the mail that left it in the last days: bounces, complaints, stolen accounts, other tenants"
    )
    return Finding(
        "domain_listed" if domain else "address_listed",
        f"{subject} is listed in {zone.name} ({', '.join(m.name for m in meanings)})",
        fix=f"First find and stop what caused it ({cause}).{removal}",
        evidence=zone.redacted("; ".join([codes, *said.texts])),
        severity=meanings[0].severity,
    )


def _sample(zone: Zone, kind: Kind, meaning: Meaning) -> Sample:
    labels = {
        "kind": kind.value,
        "zone": zone.name,
        "severity": meaning.severity.value,
        "meaning": meaning.name,
    }
    return Sample("blocklist_listed", 1.0, labels)
