"""Whether a domain that sends nothing says so: SPF `-all`, DMARC `p=reject`, a null MX (RFC 7505)."""

from typing import ClassVar

from checks.parked import evaluate
from monitor.check import About, Code, DnsAnswer, Question, Settings, World
from monitor.model import DomainTarget, Finding, Look, Outcome, Role, Severity
from monitor.protocol import dmarc, spf

_SPF, _DMARC, _MX = "spf", "dmarc", "mx"
_LONGEST_CHAIN = 10  # RFC 7208 §4.6.4: `redirect` counts against the limit of lookups


class ParkedCheck:
    """Looks at what the records of a parked domain allow; what is wrong with a record is for its own check."""

    about: ClassVar[About] = About(
        name="parked",
        title="Parked domains",
        targets=DomainTarget,
        interval=3600.0,
        codes=(
            Code("spf_open", Severity.WARNING, "SPF does not refuse all mail"),
            Code("dmarc_open", Severity.WARNING, "DMARC does not reject all mail"),
            Code("mx_open", Severity.WARNING, "senders try to deliver mail"),
        ),
        applies=lambda target: target.role is Role.PARKED,
    )

    def __init__(self, settings: Settings) -> None:
        """It has no settings of its own."""

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        """One look at each of the subjects `spf`, `dmarc` and `mx`."""
        own = [Question(target.name, rtype) for rtype in ("TXT", "MX", "A", "AAAA")]
        walk = [Question(name, "TXT") for name in dmarc.tree_walk(target.name)]
        txt, mx, ip4, ip6, *policies = await world.dns.ask_many([*own, *walk])
        return Outcome(
            (
                await _spf(target.name, txt, world),
                _dmarc(target.name, policies),
                _mx(target.name, mx, (ip4, ip6)),
            )
        )


async def _spf(domain: str, txt: DnsAnswer, world: World) -> Look:
    decisive = spf.usable_record(txt.records)
    answer = txt
    for _ in range(_LONGEST_CHAIN):
        name = evaluate.goes_on_at(decisive)
        if not answer.known or name is None:
            break
        answer = await world.dns.ask(name, "TXT")
        decisive = spf.usable_record(answer.records)
    if not answer.known:
        return Look.unknown(_SPF, answer.blindness)
    return _look(_SPF, evaluate.of_spf(domain, txt.records, decisive))


def _dmarc(domain: str, answers: list[DnsAnswer]) -> Look:
    texts = {answer.question.name: answer.records if answer.known else None for answer in answers}
    discovery = dmarc.discover(domain, texts)
    blind = [answer for answer in answers if not answer.known]
    # The domain's own record applies, whatever stands above it (RFC 9989 §4.10.1).
    if blind and discovery.found_at != discovery.domain:
        return Look.unknown(_DMARC, blind[0].blindness)
    return _look(_DMARC, evaluate.of_dmarc(discovery))


def _mx(domain: str, answer: DnsAnswer, addresses: tuple[DnsAnswer, ...]) -> Look:
    found = evaluate.of_mx(
        domain, answer.records, [text for one in addresses for text in one.records]
    )
    blind = [one for one in (answer, *addresses) if not one.known]
    # An address counts only where it is known that no MX record hides it.
    if not answer.known or (blind and found is None and not answer.records):
        return Look.unknown(_MX, blind[0].blindness)
    return _look(_MX, found)


def _look(subject: str, finding: Finding | None) -> Look:
    return Look.known(subject, (finding,) if finding else ())
