"""``check_host()``: whether an address may send for a domain (RFC 7208 §4 to §7).

Pure but for the resolver that it is handed. Whatever a zone says, an evaluation ends after at most
ten terms that look up, of which ``mx`` and ``ptr`` ask for ten more names each (§4.6.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from monitor.model import Address
from monitor.protocol.problem import quoted
from monitor.protocol.rdns import reverse_name
from monitor.protocol.spf.lookups import MAX_LOOKUPS
from monitor.protocol.spf.macros import (
    MacroError,
    expand,
    needs_validated_name,
    query_name,
)
from monitor.protocol.spf.record import (
    Mechanism,
    MechanismName,
    Qualifier,
    SpfError,
    SpfRecord,
    is_spf,
    parse,
)
from monitor.protocol.spf.verdict import Answer, Lookup, Result, Step, Verdict

MAX_VOID_LOOKUPS = 2  # RFC 7208 §4.6.4
MAX_NAMES = 10  # of one `mx` or `ptr`, the same
# More does not fit into the reply that it is made for (RFC 5321 §4.5.3.1.5: 512 octets a line).
_LONGEST_EXPLANATION = 2000
# Of a sender and a HELO name: no path is longer (RFC 5321 §4.5.3.1.3), and a record may repeat it often.
_LONGEST_PATH = 256


_OF_QUALIFIER: Mapping[Qualifier, Result] = {
    Qualifier.PASS: Result.PASS,
    Qualifier.FAIL: Result.FAIL,
    Qualifier.SOFTFAIL: Result.SOFTFAIL,
    Qualifier.NEUTRAL: Result.NEUTRAL,
}


async def check_host(
    address: Address,
    domain: str,
    sender: str,
    *,
    lookup: Lookup,
    helo: str = "unknown",
    receiver: str = "unknown",
    now: float = 0.0,
) -> Verdict:
    """Whether ``address`` may send for ``domain`` (§4.1).

    ``sender`` is the envelope sender or, for a HELO check, the domain alone; without a local part
    it is ``postmaster`` (§4.3). ``helo``, ``receiver`` (our host's name) and ``now`` (seconds since
    the epoch) are what the macros ``h``, ``r`` and ``t`` stand for.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    local, _, sender_domain = sender[-_LONGEST_PATH:].rpartition("@")
    macros = {
        "l": local or "postmaster",
        "o": sender_domain,
        "s": f"{local or 'postmaster'}@{sender_domain}",
        "h": helo[-_LONGEST_PATH:],
        "r": receiver,
        "t": str(int(now)),
    }
    # "an IPv4-mapped IPv6 address MUST still be considered an IPv4 address" (§5).
    return await _Evaluation(mapped or address, lookup, macros).run(domain)


async def check_mail(
    address: Address,
    envelope_from: str,
    helo: str,
    *,
    lookup: Lookup,
    receiver: str = "unknown",
    now: float = 0.0,
) -> Verdict:
    """Whether mail from ``envelope_from`` may come from ``address``.

    A bounce (``envelope_from`` is empty) is judged as ``postmaster@`` and the HELO name (§2.4).
    """
    sender = envelope_from or f"postmaster@{helo}"
    domain = sender.rpartition("@")[2]
    return await check_host(
        address, domain, sender, lookup=lookup, helo=helo, receiver=receiver, now=now
    )


class _EndedError(Exception):
    """The whole evaluation ends here with `temperror` or `permerror`, however deep it is."""

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


def _permerror(reason: str) -> _EndedError:
    return _EndedError(Result.PERMERROR, reason)


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What one record says; ``record`` is the one whose `exp` counts."""

    result: Result
    reason: str
    domain: str
    term: str = ""
    record: SpfRecord | None = None


@dataclass(slots=True)
class _Evaluation:
    """One call of `check_host`: its arguments, and what it has used up."""

    address: Address
    lookup: Lookup
    macros: Mapping[str, str]
    lookups: int = 0
    voids: int = 0
    trace: list[Step] = field(default_factory=list)
    pointers: Answer | None = None
    validated: tuple[str, ...] | None = None
    # Where the evaluation is, for the reader of an error.
    depth: int = 0
    domain: str = ""
    term: str = ""

    async def run(self, domain: str) -> Verdict:
        explanation = ""
        try:
            ruling = await self._record_of(domain, 0)
            if ruling.result is Result.FAIL and ruling.record is not None:
                explanation = await self._explanation(ruling.record, ruling.domain)
        except _EndedError as ended:
            self.trace.append(self._step(ended.result))
            ruling = _Ruling(ended.result, ended.reason, self.domain, self.term)
        return Verdict(
            ruling.result,
            ruling.reason,
            ruling.domain,
            ruling.term,
            explanation,
            self.lookups,
            self.voids,
            tuple(self.trace),
        )

    def _at(self, depth: int, domain: str, term: str) -> None:
        self.depth, self.domain, self.term = depth, domain, term

    def _step(self, outcome: str) -> Step:
        return Step(self.depth, self.domain, self.term, outcome)

    # --- records ---

    async def _record_of(self, domain: str, depth: int) -> _Ruling:
        """§4.3 to §4.7 for one domain."""
        self._at(depth, domain, "")
        name = query_name(domain)
        if name is None or "." not in name:
            reason = f"{quoted(domain)} is no domain name of several labels"
            return _Ruling(Result.NONE, reason, domain)
        answer = await self._ask(name, "TXT")
        if depth and not answer.records:
            self._count_void()
        texts = [text for text in answer.records if is_spf(text)]
        if not texts:
            return _Ruling(Result.NONE, f"{quoted(name)} has no SPF record", name)
        if len(texts) > 1:
            raise _permerror(f"{quoted(name)} has {len(texts)} SPF records")
        try:
            record = parse(texts[0])
        except SpfError as error:
            raise _permerror(f"the record of {quoted(name)} is wrong: {error.message}") from None
        return await self._evaluate(name, texts[0], record, depth)

    async def _evaluate(self, domain: str, text: str, record: SpfRecord, depth: int) -> _Ruling:
        for mechanism in record.reachable:
            term = text[mechanism.offset :].partition(" ")[0]
            self._at(depth, domain, term)
            if mechanism.looks_up:
                self._count_lookup()
            if await self._matches(mechanism, domain, depth):
                result = _OF_QUALIFIER[mechanism.qualifier]
                self.trace.append(self._step(result))
                reason = f"{quoted(term)} of {quoted(domain)} says {result} of {self.address}"
                return _Ruling(result, reason, domain, term, record)
            if mechanism.looks_up and mechanism.name is not MechanismName.INCLUDE:
                self.trace.append(self._step("no match"))
        if record.redirect is not None:
            return await self._redirect(record.redirect, domain, depth)
        # §4.7: the default.
        reason = f"no term of {quoted(domain)} says anything of {self.address}"
        self.trace.append(Step(depth, domain, "", Result.NEUTRAL))
        return _Ruling(Result.NEUTRAL, reason, domain, "", record)

    async def _redirect(self, target: str, domain: str, depth: int) -> _Ruling:
        """§6.1: what the other record says, its explanation too."""
        term = f"redirect={target}"
        self._at(depth, domain, term)
        self._count_lookup()
        self.trace.append(self._step("its record takes over"))
        ruling = await self._record_of(await self._expanded(target, domain), depth + 1)
        if ruling.result is Result.NONE:
            self._at(depth, domain, term)
            raise _permerror(f"{quoted(term)} of {quoted(domain)}: {ruling.reason}")
        return ruling

    # --- mechanisms (§5) ---

    async def _matches(self, mechanism: Mechanism, domain: str, depth: int) -> bool:
        if mechanism.network is not None:
            return self.address in mechanism.network
        if mechanism.name is MechanismName.ALL:
            return True
        if mechanism.name is MechanismName.INCLUDE:
            return await self._include(mechanism, domain, depth)
        target = query_name(await self._expanded(mechanism.domain, domain))
        return target is not None and await self._matches_name(mechanism, target)

    async def _matches_name(self, mechanism: Mechanism, target: str) -> bool:
        match mechanism.name:
            case MechanismName.A:
                return self._holds(mechanism, await self._addresses(target))
            case MechanismName.MX:
                return await self._mx(mechanism, target)
            case MechanismName.EXISTS:
                # §5.7: A "even when the connection type is IPv6".
                return bool(await self._records(target, "A"))
            case _:
                return await self._ptr(target)

    async def _include(self, mechanism: Mechanism, domain: str, depth: int) -> bool:
        """§5.2: a match where the other record says `pass`; where it has none, `permerror`."""
        term = self.term
        target = await self._expanded(mechanism.domain, domain)
        ruling = await self._record_of(target, depth + 1)
        self._at(depth, domain, term)
        if ruling.result is Result.NONE:
            raise _permerror(f"{quoted(term)} of {quoted(domain)}: {ruling.reason}")
        if ruling.result is Result.PASS:
            return True
        self.trace.append(self._step(f"no match: it says {ruling.result}"))
        return False

    async def _mx(self, mechanism: Mechanism, target: str) -> bool:
        """§5.4. No MX record is no match: the name's own addresses do not count."""
        hosts = sorted(map(_preference_and_host, await self._records(target, "MX")))
        if len(hosts) > MAX_NAMES:
            raise _permerror(f"{quoted(target)} has {len(hosts)} MX hosts, {MAX_NAMES} are allowed")
        for _, host in hosts:
            name = query_name(host)  # that of a null MX (RFC 7505) is none
            if name is not None and self._holds(mechanism, await self._addresses(name)):
                return True
        return False

    async def _ptr(self, target: str) -> bool:
        """§5.5: a validated name of the address is the target or below it."""
        pointers = await self._pointers()
        if not pointers.records and not pointers.failure:
            self._count_void()
        return any(_is_below(name, target) for name in await self._validated_names())

    def _holds(self, mechanism: Mechanism, addresses: list[Address]) -> bool:
        ours = self.address
        prefix = mechanism.ip4_prefix if ours.version == 4 else mechanism.ip6_prefix  # noqa: PLR2004
        shift = ours.max_prefixlen - prefix
        return any(
            other.version == ours.version and int(other) >> shift == int(ours) >> shift
            for other in addresses
        )

    # --- names and macros ---

    async def _expanded(self, spec: str, domain: str) -> str:
        """A domain-spec with its macros replaced; the current domain where it is empty (§4.8)."""
        return expand(spec, await self._macros_in(spec, domain)) if spec else domain

    async def _macros_in(self, text: str, domain: str) -> dict[str, str]:
        address = self.address
        values = {
            **self.macros,
            "d": domain,
            "c": str(address),
            "i": _dotted(address),
            "v": "ip6" if isinstance(address, IPv6Address) else "in-addr",
        }
        if needs_validated_name(text):
            values["p"] = _best_name(await self._validated_names(), domain)
        return values

    async def _validated_names(self) -> tuple[str, ...]:
        """The names of the address that lead back to it (§5.5); what cannot be asked for is left out."""
        if self.validated is None:
            names = []
            for record in (await self._pointers()).records[:MAX_NAMES]:
                name = query_name(record)
                forward = await self.lookup(name, self._address_type) if name else Answer()
                if name and self.address in _read_addresses(forward.records):
                    names.append(name)
            self.validated = tuple(names)
        return self.validated

    async def _pointers(self) -> Answer:
        if self.pointers is None:
            self.pointers = await self.lookup(reverse_name(self.address), "PTR")
        return self.pointers

    async def _explanation(self, record: SpfRecord, domain: str) -> str:
        """§6.2: whatever goes wrong, there is none."""
        spec = record.explanation
        if spec is None:
            return ""
        name = query_name(await self._expanded(spec, domain))
        answer = await self.lookup(name, "TXT") if name is not None else Answer()
        if len(answer.records) != 1 or len(answer.records[0]) > _LONGEST_EXPLANATION:
            return ""
        text = answer.records[0]
        try:
            expanded = expand(text, await self._macros_in(text, domain))
        except MacroError:
            return ""
        return expanded[:_LONGEST_EXPLANATION]

    # --- DNS and its limits (§4.6.4) ---

    @property
    def _address_type(self) -> str:
        return "AAAA" if isinstance(self.address, IPv6Address) else "A"

    async def _addresses(self, name: str) -> list[Address]:
        return _read_addresses(await self._records(name, self._address_type))

    async def _records(self, name: str, rtype: str) -> tuple[str, ...]:
        """The records that a mechanism asks for; that there are none is counted."""
        records = (await self._ask(name, rtype)).records
        if not records:
            self._count_void()
        return records

    async def _ask(self, name: str, rtype: str) -> Answer:
        answer = await self.lookup(name, rtype)
        if answer.failure:
            raise _EndedError(Result.TEMPERROR, answer.failure)
        return answer

    def _count_lookup(self) -> None:
        if self.lookups == MAX_LOOKUPS:
            raise _permerror(f"more than {MAX_LOOKUPS} terms look up in DNS")
        self.lookups += 1

    def _count_void(self) -> None:
        self.voids += 1
        if self.voids > MAX_VOID_LOOKUPS:
            raise _permerror(f"more than {MAX_VOID_LOOKUPS} lookups find nothing")


def _dotted(address: Address) -> str:
    """Macro ``i``: IPv4 as ever, IPv6 as 32 digits in upper case between dots (§7.3)."""
    if isinstance(address, IPv6Address):
        return ".".join(address.packed.hex().upper())
    return str(address)


def _best_name(names: tuple[str, ...], domain: str) -> str:
    """Macro ``p``: the domain itself, else a name below it, else any; ``unknown`` where there is none (§7.3)."""
    same = (name for name in names if name.lower() == domain.lower())
    below = (name for name in names if _is_below(name, domain))
    return [*same, *below, *names, "unknown"][0]


def _is_below(name: str, parent: str) -> bool:
    return f".{name.lower()}".endswith(f".{parent.lower()}")


def _preference_and_host(record: str) -> tuple[int, str]:
    preference, _, host = record.partition(" ")
    # A preference has 16 bits (RFC 1035 §3.3.9).
    return int(preference[:5]) if preference.isdecimal() else 0, host.strip()


def _read_addresses(records: tuple[str, ...]) -> list[Address]:
    addresses = []
    for record in records:
        try:
            addresses.append(ip_address(record))
        except ValueError:
            continue  # what is no address cannot match
    return addresses
