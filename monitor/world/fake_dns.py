"""Authoritative servers and DNSSEC of a fake world, from its data and from what differs from them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.check import (
    Delegation,
    DnsAnswer,
    DnsClient,
    DnsStatus,
    Question,
    SecureAnswer,
    ServerAnswer,
    Signature,
    Validation,
)
from monitor.check.dns import every_record
from monitor.world.dns.authorities import compared

Records = Mapping[str, str | Sequence[str]]
"""Record data by owner name: one record or several, as `DnsAnswer.records` has them."""

TTL = 300


class FakeAuthorities:
    """Implements `monitor.check.Authorities`: every server of a zone says what the data say, unless listed."""

    def __init__(
        self,
        dns: DnsClient,
        servers: Mapping[str, Records],
        *,
        delegations: Records,
        glue: Records,
    ) -> None:
        self._dns = dns
        self._servers = servers
        self._delegations = {zone: several(names) for zone, names in delegations.items()}
        self._glue = {server: several(addresses) for server, addresses in glue.items()}

    async def ask(
        self, name: str, rtype: str, *, watched: Callable[[str], bool] = every_record
    ) -> DnsAnswer:
        """The data, with the disagreement of the listed servers."""
        answer = await self._dns.ask(name, rtype)
        return compared(answer, await self._of_zone(name, rtype), watched)

    async def each(self, zone: str, name: str, rtype: str) -> tuple[ServerAnswer, ...]:
        """One answer for each server that the zone's NS records name."""
        nameservers = await self._dns.ask(zone, "NS")
        return tuple([await self._one(server, name, rtype) for server in nameservers.records])

    async def delegation(self, zone: str) -> Delegation:
        """The listed delegation, else the zone's own NS records."""
        parent = zone.partition(".")[2]
        names = self._delegations.get(zone, (await self._dns.ask(zone, "NS")).records)
        if set(names) & set(DnsStatus):
            return Delegation(zone, parent, reason=f"{parent}: {names[0]}")
        below = [name for name in names if name.endswith(f".{zone}")]
        glue = {name: self._glue.get(name, await self._addresses(name)) for name in below}
        present = {name: addresses for name, addresses in glue.items() if addresses}
        return Delegation(zone, parent, tuple(sorted(names)), present)

    async def _addresses(self, server: str) -> tuple[str, ...]:
        answers = [await self._dns.ask(server, rtype) for rtype in ("A", "AAAA")]
        return tuple(address for answer in answers for address in answer.records)

    async def _of_zone(self, name: str, rtype: str) -> tuple[ServerAnswer, ...]:
        for zone in (name, *parents(name)):
            if answers := await self.each(zone, name, rtype):
                return answers
        return ()

    async def _one(self, server: str, name: str, rtype: str) -> ServerAnswer:
        question, listed = Question(name, rtype), self._servers.get(server, {})
        addresses = (await self._dns.ask(server, "A")).records
        said = listed.get(f"{name} {rtype}", listed.get("*"))
        if said is None:
            answer = await self._dns.ask(name, rtype)
            return ServerAnswer(server, next(iter(addresses), ""), answer, authoritative=True)
        status = said if isinstance(said, str) and said in set(DnsStatus) else DnsStatus.OK
        records = several(said) if status is DnsStatus.OK and said != "lame" else ()
        answer = DnsAnswer(question, DnsStatus(status), records, TTL, reason=f"{server}: {status}")
        return ServerAnswer(
            server,
            next(iter(addresses), ""),
            answer,
            authoritative=answer.known and said != "lame",
            heard=status not in {DnsStatus.TIMEOUT, DnsStatus.ERROR},
        )


class FakeDnssec:
    """Implements `monitor.check.DnssecClient` from lists of names."""

    def __init__(
        self,
        dns: DnsClient,
        secure: Sequence[str],
        bogus: Mapping[str, str],
        *,
        signatures: Mapping[str, Sequence[Signature]],
    ) -> None:
        self._dns = dns
        self._secure = secure
        self._bogus = bogus
        self._signatures = signatures

    async def ask(self, name: str, rtype: str) -> SecureAnswer:
        """The data with the listed validation."""
        signatures = tuple(self._signatures.get(f"{name} {rtype}", ()))
        answer = replace(await self._dns.ask(name, rtype), signatures=signatures)
        above = (name, *parents(name))
        if reason := next((self._bogus[n] for n in above if n in self._bogus), ""):
            return SecureAnswer(answer, Validation.BOGUS, reason)
        if not answer.known:
            return SecureAnswer(answer, Validation.UNCHECKED, reason=answer.reason)
        if answer.authenticated:
            return SecureAnswer(answer, Validation.SECURE)
        if self._secure or self._bogus:
            return SecureAnswer(answer, Validation.INSECURE)
        reason = "our resolver does not validate"
        return SecureAnswer(answer, Validation.UNCHECKED, reason)


def several(records: str | Sequence[str]) -> tuple[str, ...]:
    """One record or several, as a tuple."""
    return (records,) if isinstance(records, str) else tuple(records)


def parents(name: str) -> Iterator[str]:
    """The names above a name, the nearest first, without the root."""
    labels = name.split(".")
    return (".".join(labels[cut:]) for cut in range(1, len(labels)))
