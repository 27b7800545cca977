"""DNSSEC as our resolver sees it: validated, bogus or unsigned, with the signatures themselves."""

import itertools
from functools import partial

import dns.edns
import dns.flags
import dns.rdatatype
from dns.message import Message

from monitor.check import (
    DnsAnswer,
    DnsClient,
    DnsStatus,
    Question,
    SecureAnswer,
    Signature,
    Validation,
)
from monitor.world.dns_exchange import over_udp
from monitor.world.dns_message import (
    Asking,
    answer_of,
    failed,
    name_text,
    query_for,
    read_message,
)
from monitor.world.dns_wire import Nameserver

MOST_SIGNATURES = 16
_TRIES = 2
_NOT_VALIDATING = "our resolver does not validate DNSSEC (it does not even set AD for the root)"


class DnssecWatch:
    """Implements `monitor.check.DnssecClient`.

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
        question = Question(name.lower().removesuffix(".") or ".", rtype.upper())
        response, trouble = await self._response(question, Asking.RESOLVED)
        if response is None:
            unknown = failed(question, DnsStatus.TIMEOUT, trouble)
            return SecureAnswer(unknown, Validation.UNCHECKED, reason=trouble)
        answer = answer_of(question, response)
        if answer.status is DnsStatus.SERVFAIL:
            return await self._without_checking(question, answer, response)
        if not answer.known:
            return SecureAnswer(answer, Validation.UNCHECKED, reason=answer.reason)
        signatures = _signatures(response)
        if answer.authenticated:
            return SecureAnswer(answer, Validation.SECURE, signatures)
        if not (await self._resolver.ask(".", "NS")).authenticated:
            return SecureAnswer(answer, Validation.UNCHECKED, signatures, _NOT_VALIDATING)
        return SecureAnswer(answer, Validation.INSECURE, signatures)

    async def _without_checking(
        self, question: Question, answer: DnsAnswer, response: Message
    ) -> SecureAnswer:
        """SERVFAIL: bogus where there is an answer with checking disabled, else merely not to be had."""
        why = _extended_error(response)
        unchecked, trouble = await self._response(question, Asking.UNCHECKED)
        seen = answer_of(question, unchecked) if unchecked is not None else answer
        if unchecked is None or not seen.known:
            reason = why or trouble or seen.reason
            return SecureAnswer(answer, Validation.UNCHECKED, reason=reason)
        reason = why or "the resolver refuses it, and answers with checking disabled"
        return SecureAnswer(seen, Validation.BOGUS, _signatures(unchecked), reason)

    async def _response(self, question: Question, asking: Asking) -> tuple[Message | None, str]:
        """The first response of our resolvers; None and why where there is none."""
        reason = "no nameserver is configured"
        try:
            query = query_for(question, asking)
        except ValueError as error:
            return None, str(error)
        seconds = self._timeout / (_TRIES * max(1, len(self._nameservers)))
        for _, server in itertools.product(range(_TRIES), self._nameservers):
            read = partial(read_message, query)
            try:
                return await over_udp(query, server, seconds, read, tcp_seconds=seconds), ""
            except TimeoutError:
                reason = f"no answer from {server}"
            except Exception as error:  # noqa: BLE001 - whatever a server sends, the look goes on
                reason = f"{server}: {str(error) or type(error).__name__}"[:200]
        return None, reason


def _signatures(response: Message) -> tuple[Signature, ...]:
    records = [
        record
        for each in (*response.answer, *response.authority)
        if each.rdtype == dns.rdatatype.RRSIG
        for record in each
    ]
    return tuple(
        Signature(
            covers=dns.rdatatype.to_text(record.type_covered),
            algorithm=int(record.algorithm),
            key_tag=record.key_tag,
            signer=name_text(record.signer),
            inception=float(record.inception),
            expiration=float(record.expiration),
        )
        for record in records[:MOST_SIGNATURES]
    )


def _extended_error(response: Message) -> str:
    """RFC 8914."""
    errors = (option for option in response.options if isinstance(option, dns.edns.EDEOption))
    return "; ".join(
        f"{dns.edns.EDECode(error.code).name.replace('_', ' ').lower()}"
        f"{': ' + error.text if error.text else ''}"
        if error.code in set(dns.edns.EDECode)
        else f"extended error {error.code}"
        for error in errors
    )[:200]
