"""DNSSEC as our resolver sees it: validated, bogus or unsigned."""

from monitor.check import DnsAnswer, DnsClient, DnsStatus, SecureAnswer, Validation

_NOT_VALIDATING = "our resolver does not validate DNSSEC (it does not even set AD for the root)"


class DnssecWatch:
    """Implements `monitor.check.DnssecClient` over the resolver's answers.

    Only what it refuses is asked again, of `unchecked`: the same resolver with checking disabled.

    Whether a resolver validates is told by AD on its answer for the root, which is signed: its AD is
    believed, so the way to it must be ours (loopback, our own network).
    """

    def __init__(self, *, resolver: DnsClient, unchecked: DnsClient) -> None:
        self._resolver = resolver
        self._unchecked = unchecked

    async def ask(self, name: str, rtype: str) -> SecureAnswer:
        """The answer, its signatures, and whether the resolver could validate it."""
        answer = await self._resolver.ask(name, rtype)
        if answer.status is DnsStatus.SERVFAIL:
            return await self._without_checking(answer)
        if not answer.known:
            return SecureAnswer(answer, Validation.UNCHECKED, answer.reason)
        if answer.authenticated:
            return SecureAnswer(answer, Validation.SECURE)
        if not (await self._resolver.ask(".", "NS")).authenticated:
            return SecureAnswer(answer, Validation.UNCHECKED, _NOT_VALIDATING)
        return SecureAnswer(answer, Validation.INSECURE)

    async def _without_checking(self, refused: DnsAnswer) -> SecureAnswer:
        """Bogus where there is an answer with checking disabled, else merely not to be had."""
        question = refused.question
        seen = await self._unchecked.ask(question.name, question.rtype)
        if not seen.known:
            return SecureAnswer(refused, Validation.UNCHECKED, refused.reason)
        return SecureAnswer(seen, Validation.BOGUS, refused.reason)
