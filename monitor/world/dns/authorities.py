"""The servers that zones are served by, asked themselves: what they agree on, and who says otherwise."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import dns.flags
import dns.rcode
import dns.rdatatype
from dns.message import Message

from monitor.check import (
    Delegation,
    DnsAnswer,
    DnsClient,
    DnsStatus,
    Question,
    ServerAnswer,
)
from monitor.check.dns import every_record
from monitor.world.dns.exchange import exchanged
from monitor.world.dns.message import answer_of, failed, name_text, read_message, record_text
from monitor.world.dns.nameserver import Nameserver
from monitor.world.dns.query import WITHOUT_EDNS, Asking, Query, query_for
from monitor.world.guard import AddressGuard

MOST_SERVERS = 13
"""Servers of a zone that are asked (as many as the root has), each at `MOST_ADDRESSES` of its addresses."""
MOST_ADDRESSES = 2
MOST_OF_PARENT = 3
"""Servers of a parent that are asked one after the other until one answers."""
MOST_LABELS = 10
SERVER_SECONDS = 1.5
"""What one server may take; it gets a second packet after half of it."""
_ROOT = "."
_LONGEST_SHOWN = 200


def compared(
    answer: DnsAnswer,
    said: Sequence[ServerAnswer],
    watched: Callable[[str], bool] = every_record,
) -> DnsAnswer:
    """What the authoritative servers agree on, else the resolver's `answer` with their disagreement.

    Of their records those that are `watched` count.

    The resolver's answer also counts where no server could be heard, or some could not and the others say
    otherwise (they may be behind); where it is not known (a validating resolver refuses what receivers
    refuse); and for an alias, which belongs to other servers.
    """
    heard = [one for one in said if one.authoritative and one.answer.known]
    alias = any(_is_alias(one.answer) for one in heard) or _is_alias(answer)
    if not heard or not answer.known or alias:
        return answer
    views: dict[frozenset[str], list[str]] = {}
    for one in heard:
        views.setdefault(frozenset(filter(watched, one.answer.records)), []).append(one.server)
    if len(views) > 1:
        told = "; ".join(map(_told, views.values(), views))
        return replace(answer, disagreement=f"the name servers disagree: {told}")
    agreed = heard[0].answer
    if len(heard) < len(said) and set(views) != {frozenset(filter(watched, answer.records))}:
        return answer
    return replace(
        agreed, question=answer.question, authenticated=answer.authenticated, reason=answer.reason
    )


def _is_alias(answer: DnsAnswer) -> bool:
    name = answer.question.name.lower().removesuffix(".")
    return answer.canonical_name not in {"", name}


def _told(servers: Sequence[str], records: frozenset[str]) -> str:
    text = " | ".join(sorted(records)) or "no record"
    return f"{', '.join(dict.fromkeys(servers))}: {text[:_LONGEST_SHOWN]}"


class AuthorityWatch:
    """Implements `monitor.check.Authorities`; names are found through `resolver`, each question asked once."""

    def __init__(self, *, resolver: DnsClient, guard: AddressGuard) -> None:
        self._resolver = resolver
        self._guard = guard
        self._asked: dict[tuple[Nameserver, Question], asyncio.Task[Message]] = {}

    async def ask(
        self, name: str, rtype: str, *, watched: Callable[[str], bool] = every_record
    ) -> DnsAnswer:
        """The answer that all servers of the name's zone give."""
        name = _normal(name)
        answer, zone = await asyncio.gather(self._resolver.ask(name, rtype), self._zone_of(name))
        if zone is None or not answer.known:
            return answer
        return compared(answer, await self.each(zone, name, rtype), watched)

    async def each(self, zone: str, name: str, rtype: str) -> tuple[ServerAnswer, ...]:
        """What each server of `zone` says."""
        nameservers = await self._resolver.ask(_normal(zone), "NS")
        question = Question(_normal(name), rtype.upper())
        answers = await asyncio.gather(
            *(self._said_by(server, question) for server in nameservers.records[:MOST_SERVERS])
        )
        return tuple(one for of_server in answers for one in of_server)

    async def delegation(self, zone: str) -> Delegation:
        """How the parent of `zone` refers to it: what the first of its servers that answers says."""
        zone = _normal(zone)
        above = zone.partition(".")[2]
        parent = (await self._zone_of(above) if above else None) or _ROOT
        question, reasons = Question(zone, "NS"), []
        nameservers = await self._resolver.ask(parent, "NS")
        for server in nameservers.records[:MOST_OF_PARENT]:
            for address in (await self._addresses(server))[:1]:
                try:
                    response = await self._response(address, question)
                except Exception as error:  # noqa: BLE001 - the next one may answer
                    reasons.append(f"{server}: {_why(error)}")
                    continue
                answer = answer_of(question, response)
                refers = bool(response.authority) and response.rcode() == dns.rcode.NOERROR
                if not refers and not answer.known:
                    reasons.append(f"{server} {answer.reason}")
                    continue
                return _referral(zone, parent, response)
        if not reasons:
            reasons = [
                nameservers.blindness if not nameservers.known else f"no servers of {parent}"
            ]
        return Delegation(zone, parent, reason="; ".join(reasons)[:_LONGEST_SHOWN])

    async def _zone_of(self, name: str) -> str | None:
        """The zone that the name is in, None where it is not known; never a top-level domain's for a longer name."""
        labels = name.split(".")[-MOST_LABELS:]
        if len(labels) > 1 and labels[1].startswith("_"):
            # `_domainkey` may be delegated, a single selector below it is a record.
            labels = labels[1:]
        above = [".".join(labels[cut:]) for cut in range(len(labels))]
        candidates = above[:-1] or above
        answers = await self._resolver.ask_many([Question(zone, "NS") for zone in candidates])
        found = (a.question.name for a in answers if a.records and not _is_alias(a))
        return next(found, None)

    async def _said_by(self, server: str, question: Question) -> list[ServerAnswer]:
        addresses = await self._addresses(server)
        if not addresses:
            missing = failed(question, DnsStatus.ERROR, f"{server} has no address")
            return [ServerAnswer(server, "", missing, heard=False)]
        return list(
            await asyncio.gather(
                *(self._said_at(server, address, question) for address in addresses)
            )
        )

    async def _said_at(self, server: str, address: str, question: Question) -> ServerAnswer:
        try:
            response = await self._response(address, question)
        except (TimeoutError, ConnectionRefusedError):
            silent = failed(question, DnsStatus.TIMEOUT, f"{server} ({address}) does not answer")
            return ServerAnswer(server, address, silent, heard=False)
        except Exception as error:  # noqa: BLE001 - whatever a server sends, the look goes on
            broken = failed(question, DnsStatus.ERROR, f"{server} ({address}): {_why(error)}")
            return ServerAnswer(server, address, broken, heard=False)
        answer = answer_of(question, response)
        if not answer.known:
            answer = replace(answer, reason=f"{server} ({address}) {answer.reason}")
        return ServerAnswer(server, address, answer, bool(response.flags & dns.flags.AA))

    async def _addresses(self, server: str) -> tuple[str, ...]:
        """IPv6 only where there is no IPv4: many networks that look have no IPv6."""
        for rtype in ("A", "AAAA"):
            answer = await self._resolver.ask(server, rtype)
            if answer.records:
                return answer.records[:MOST_ADDRESSES]
        return ()

    async def _response(self, address: str, question: Question) -> Message:
        """The server's response; asked once, whoever wants it.

        Raises:
            PermissionError: we may not connect there.
            ...: what `exchanged` raises.
        """
        if refusal := self._guard.permit(address):
            raise PermissionError(refusal)
        server = Nameserver(address, self._guard.port(53))
        key = (server, question)
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(_exchanged(question, server))
        return await asyncio.shield(self._asked[key])


async def _exchanged(question: Question, server: Nameserver) -> Message:
    query = query_for(question, Asking.AUTHORITATIVE)
    response = await _twice(query, server)
    if response.rcode() in WITHOUT_EDNS:
        response = await _twice(query.without_options(), server)
    return response


async def _twice(query: Query, server: Nameserver) -> Message:
    half = SERVER_SECONDS / 2
    exchange = partial(
        exchanged, query, server, half, partial(read_message, query), tcp_seconds=SERVER_SECONDS
    )
    try:
        return await exchange()
    except TimeoutError:
        return await exchange()


def _referral(zone: str, parent: str, response: Message) -> Delegation:
    sets = [*response.answer, *response.authority]
    names = {
        record_text(record)
        for each in sets
        if each.rdtype == dns.rdatatype.NS and name_text(each.name) == zone
        for record in each
    }
    glue: dict[str, tuple[str, ...]] = {}
    for each in response.additional:
        owner = name_text(each.name)
        if owner in names and each.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            glue[owner] = (*glue.get(owner, ()), *map(record_text, each))
    return Delegation(zone, parent, tuple(sorted(names)), glue)


def _why(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:_LONGEST_SHOWN]


def _normal(name: str) -> str:
    return name.lower().removesuffix(".") or _ROOT
