"""Whether the reports that a DMARC record asks for arrive: the destination takes them, and takes mail at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.check import DnsAnswer, Question, World
from monitor.model import Finding, Look
from monitor.protocol import dmarc, mx
from monitor.protocol.dmarc import Discovery

MOST_DESTINATIONS = 10
"""Hosts that are looked at; receivers need not send to more than two addresses (RFC 7489 §6.2)."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that reports go to, with the addresses there. `policy_domain` is where the record was found."""

    host: str
    addresses: tuple[str, ...]
    policy_domain: str

    @property
    def subject(self) -> str:
        """Of its look."""
        return f"reports to {self.host}"

    @property
    def authorisation(self) -> str | None:
        """Where it says that it takes the reports, None where no such name can be."""
        return dmarc.authorisation_name(self.policy_domain, self.host)

    def within(self, domain: str) -> bool:
        """Whether the host is the domain or below it."""
        return f".{self.host}".endswith(f".{domain}")


def destinations(discovery: Discovery) -> tuple[Destination, ...]:
    """Of the record that applies; none where it is of no use."""
    record = discovery.record
    if record is None or not record.applied:
        return ()
    by_host = dmarc.destinations(record).items()
    return tuple(
        Destination(host, addresses, discovery.found_at)
        for host, addresses in list(by_host)[:MOST_DESTINATIONS]
    )


async def looks(discovery: Discovery, world: World) -> tuple[Look, ...]:
    """One look at each destination."""
    found = destinations(discovery)
    questions = [question for one in found for question in _questions(one)]
    answers = await world.dns.ask_many(questions) if questions else []
    by_question = dict(zip(questions, answers, strict=True))
    return tuple(_look(discovery, one, by_question) for one in found)


def _questions(one: Destination) -> list[Question]:
    asked = [Question(one.host, rtype) for rtype in ("MX", "A", "AAAA")]
    return [*asked, Question(one.authorisation, "TXT")] if one.authorisation else asked


def _look(discovery: Discovery, one: Destination, answers: dict[Question, DnsAnswer]) -> Look:
    mx_answer, *addresses = (answers[Question(one.host, rtype)] for rtype in ("MX", "A", "AAAA"))
    findings, blind = _of_mail(one, mx_answer, addresses)
    # A host within the organisation needs no leave; which one that is must be known for others.
    if not one.within(one.policy_domain) and not one.within(discovery.organizational_domain):
        if discovery.unanswered:
            blind.append(f"_dmarc.{discovery.unanswered[0]} TXT: no answer")
        elif one.authorisation is None:
            findings.append(_not_authorised(one, "its name would be too long"))
        else:
            answer = answers[Question(one.authorisation, "TXT")]
            refusal = dmarc.refusal(answer.records, one.host)
            if not answer.known:
                blind.append(answer.blindness)
            elif refusal:
                findings.append(_not_authorised(one, refusal, answer.records))
    if blind:
        return Look.unknown(one.subject, blind[0])
    return Look.known(one.subject, tuple(findings))


def _of_mail(
    one: Destination, mx_answer: DnsAnswer, addresses: Sequence[DnsAnswer]
) -> tuple[list[Finding], list[str]]:
    """What keeps the host from taking mail, and what is not known of it."""
    judged = mx.judge(mx_answer.records)
    if not mx_answer.known:
        return [], [mx_answer.blindness]
    if judged.hosts or any(answer.records for answer in addresses if not judged.null):
        return [], []
    blind = [answer.blindness for answer in addresses if not answer.known]
    if blind and not judged.null:
        return [], blind
    what = "takes no mail (null MX)" if judged.null else "has neither an MX record nor an address"
    lost = Finding(
        "reports_undeliverable",
        f"{one.host} {what}: reports to {', '.join(one.addresses)} are lost",
        fix=(
            f"Publish an MX record for {one.host}, or name an address that is read in the record at "
            f"_dmarc.{one.policy_domain}"
        ),
        evidence="\n".join(mx_answer.records),
    )
    return [lost], []


def _not_authorised(one: Destination, why: str, texts: Sequence[str] = ()) -> Finding:
    place = one.authorisation or f"*._report._dmarc.{one.host}"
    return Finding(
        "report_not_authorised",
        f"{one.host} does not say that it takes reports about {one.policy_domain} ({why}): "
        f"receivers send none to {', '.join(one.addresses)}",
        fix=f'Have whoever runs {one.host} publish (RFC 9990 §4): {place}. IN TXT "v=DMARC1"',
        evidence="\n".join(texts),
    )
