"""A conversation with one address of a host, and what can be made of how it ended."""

from dataclasses import dataclass

from monitor.check import SmtpConversation, SmtpFailure


@dataclass(frozen=True, slots=True)
class Conversed:
    """A conversation with one address.

    Attributes:
        ours: why its failure lies with ourselves; "" where it does not.
        matters: False where we could never see such an address, so that it must not blind us to the others.
        nameless: the name that the host says it has was asked for, and has no address.
    """

    conversation: SmtpConversation
    ours: str = ""
    matters: bool = True
    nameless: bool = False

    @property
    def unknown(self) -> str:
        """Why nothing was learnt of the host; "" where something was."""
        talk = self.conversation
        if self.ours:
            return self.ours
        if talk.failure is SmtpFailure.FORBIDDEN:
            return f"{talk.address}: {talk.reason}"
        if self._temporary and not talk.starttls_refused:
            return f"{talk.address} is busy and asks to come later: {talk.reason}"
        return ""

    @property
    def offers_starttls(self) -> bool | None:
        """None where it is not known: EHLO was not answered."""
        talk = self.conversation
        return talk.starttls_offered and not talk.starttls_refused

    @property
    def _temporary(self) -> bool:
        talk = self.conversation
        code = talk.reply_code
        return talk.failure is SmtpFailure.REPLY and code is not None and 400 <= code < 500  # noqa: PLR2004 - RFC 5321 §4.2.1
