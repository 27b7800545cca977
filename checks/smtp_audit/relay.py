"""Whether a host carries strangers' mail to strangers: the envelopes to try, and what their answers mean.

No mail is sent: each is taken back before DATA. That a recipient is accepted proves nothing where the host
accepts every recipient of that form, so each form is tried with a mailbox that cannot exist as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.check import Envelope, EnvelopeReply

_SMTP_PORT = 25
_NOBODY = "no-such-mailbox-8f2c"


@dataclass(frozen=True, slots=True)
class Trial:
    """An envelope that only an open relay accepts.

    `control` must be refused for that to mean anything; None where the recipient is plainly a stranger's.
    `plain`: the recipient is written as mail really is.
    """

    form: str
    envelope: Envelope
    control: Envelope | None = None
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Trials:
    """All that is tried on a host, and its answers found again."""

    postmaster: Envelope
    trials: tuple[Trial, ...]

    @property
    def envelopes(self) -> tuple[Envelope, ...]:
        """Each once, in the order to try them."""
        controls = [trial.control for trial in self.trials if trial.control]
        return tuple(
            dict.fromkeys((self.postmaster, *(t.envelope for t in self.trials), *controls))
        )


def trials(domain: str, host: str, address: str, sender: str, recipient: str) -> Trials:
    """What to try on `host` at `address`, which takes mail of `domain`; the other two are strangers' addresses."""
    local, _, elsewhere = recipient.partition("@")
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def of_form(form: str, written: str, ending: str = "") -> Trial:
        nobody = Envelope("", f"{_NOBODY}{ending}")
        return Trial(form, Envelope("", f"{written}{ending}"), control=nobody)

    return Trials(
        postmaster=Envelope("", f"postmaster@{domain}"),
        trials=(
            Trial("stranger to stranger", Envelope(sender, recipient), plain=True),
            Trial("null sender", Envelope("", recipient), plain=True),
            Trial("local sender", Envelope(f"postmaster@{domain}", recipient), plain=True),
            Trial("the host's own sender", Envelope(f"postmaster@{host}", recipient), plain=True),
            Trial("address literal", Envelope("", f"{local}@[192.0.2.1]"), plain=True),
            of_form("percent hack", f"{local}%{elsewhere}", f"@{domain}"),
            of_form("percent hack at the address", f"{local}%{elsewhere}", f"@{literal}"),
            of_form("bang path", f"{elsewhere}!{local}"),
            of_form("bang path at the domain", f"{elsewhere}!{local}", f"@{domain}"),
            of_form("quoted", f'"{recipient}"'),
            of_form("quoted at the domain", f'"{recipient}"', f"@{domain}"),
            Trial("source route", Envelope("", f"@{domain}:{recipient}"), plain=True),
        ),
    )


def relayed(asked: Trials, replies: Sequence[EnvelopeReply]) -> Iterator[tuple[Trial, str]]:
    """The trials that only a relay accepts and this host did, each with its words."""
    by_envelope = {reply.envelope: reply for reply in replies}
    for trial in asked.trials:
        reply = by_envelope.get(trial.envelope)
        control = by_envelope.get(trial.control) if trial.control else None
        if reply and _accepts(reply) and (trial.control is None or _refuses(control)):
            yield trial, f"{reply.code} {reply.text}"


def blindness(asked: Trials, replies: Sequence[EnvelopeReply], port: int) -> str:
    """Why refusals say nothing about relaying; "" where they do.

    A host that asks to come later, or wants nothing from us, refuses for that and not because it is no relay.
    """
    by_envelope = {reply.envelope: reply for reply in replies}
    plain = [by_envelope[t.envelope] for t in asked.trials if t.plain and t.envelope in by_envelope]
    if plain and all(_temporary(reply) for reply in plain):
        return f"the host asks to come later: {plain[0].code} {plain[0].text}"
    postmaster = by_envelope.get(asked.postmaster)
    about_relaying = any("relay" in reply.text.lower() for reply in plain)
    if port == _SMTP_PORT and postmaster and _refuses(postmaster) and not about_relaying:
        said = f"{postmaster.code} {postmaster.text}"
        return (
            f"the host takes nothing from us, mail for {asked.postmaster.recipient} neither: {said}"
        )
    return ""


def _accepts(reply: EnvelopeReply) -> bool:
    return not reply.refused_sender and 200 <= reply.code < 300  # noqa: PLR2004 - RFC 5321 §4.2.1


def _refuses(reply: EnvelopeReply | None) -> bool:
    return reply is not None and reply.code >= 500  # noqa: PLR2004 - RFC 5321 §4.2.1


def _temporary(reply: EnvelopeReply) -> bool:
    """4yz, but for those that say "not you" and only mean it mildly (postfix: 454 4.7.1 Relay access denied)."""
    mild = reply.text.startswith("4.7.1") or "relay" in reply.text.lower()
    return 400 <= reply.code < 500 and not mild  # noqa: PLR2004 - RFC 5321 §4.2.1
