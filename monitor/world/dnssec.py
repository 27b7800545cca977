"""DNSSEC as our resolver sees it: validated, bogus or unsigned."""

import itertools
from functools import partial

from monitor.check import DnsAnswer, DnsClient, DnsStatus, Question, SecureAnswer, Validation
from monitor.world.dns_exchange import over_udp
from monitor.world.dns_message import Asking, failed, query_for, read_answer
from monitor.world.dns_wire import Nameserver

_TRIES = 2
_NOT_VALIDATING = "our resolver does not validate DNSSEC (it does not even set AD for the root)"


class DnssecWatch:
    """Implements `monitor.check.DnssecClient` over the resolver's answers; only what it refuses is asked again.

    Whether a resolver validates is told by AD on its answer for the root, which is signed: its AD is
    believed, so the way to it must be ours (loopback, our own network).
    """

    def __init__(
        self, *, resolver: DnsClient, nameservers: tuple[Nameserver, ...], timeout: float
    ) -> None:
        self._resolver = resolver
        self._nameservers = nameservers
        self._timeout = timeout

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
        seen = await self._unchecked(refused.question)
        if not seen.known:
            return SecureAnswer(refused, Validation.UNCHECKED, refused.reason)
        return SecureAnswer(seen, Validation.BOGUS, refused.reason)

    async def _unchecked(self, question: Question) -> DnsAnswer:
        """The first answer of our resolvers that tells something, with checking disabled (RFC 4035 §3.2.2)."""
        answer = failed(question, DnsStatus.ERROR, "no nameserver is configured")
        seconds = self._timeout / (_TRIES * max(1, len(self._nameservers)))
        for _, server in itertools.product(range(_TRIES), self._nameservers):
            query = query_for(question, Asking.UNCHECKED)
            read = partial(read_answer, question, query)
            try:
                answer = await over_udp(query, server, seconds, read, tcp_seconds=seconds)
            except TimeoutError:
                answer = failed(question, DnsStatus.TIMEOUT, f"no answer from {server}")
            except Exception as error:  # noqa: BLE001 - whatever a server sends, the look goes on
                text = str(error) or type(error).__name__
                answer = failed(question, DnsStatus.ERROR, f"{server}: {text[:200]}")
            if answer.known:
                break
        return answer
