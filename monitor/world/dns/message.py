"""DNS responses: from bytes to a `DnsAnswer`. Pure; dnspython does the wire format."""

import struct
from ipaddress import ip_address
from itertools import product

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.nsbase
import dns.rrset

from monitor.check import DnsAnswer, DnsStatus, Question, Signature
from monitor.world.dns.frame import UnfitError, readable
from monitor.world.dns.query import Query, labels, rdata_type

LONGEST_CHAIN = 16
"""CNAMEs followed in one answer."""
MOST_SIGNATURES = 16
MOST_RECORDS = 256
"""Records of one set. A message ends at 64 KiB, which bounds the text of a TXT set too."""

_TC = 0x02
_AD, _Z = 0x20, 0x40
_LONGEST_REASON = 200
_PLAIN_OPT = 11
_POINTER = 0xC000
_SOA_IN = 0x0006_0001
_SOA_HEAD = struct.Struct("!HIIH")
"""A pointer to a name, type and class, TTL, and the size of what follows."""
_SHORTEST_SOA = 22
"""Bytes of its data: two names of the root, and five numbers."""


def _quick_headers() -> dict[bytes, tuple[DnsStatus, bool, bool]]:
    """What follows the id in the responses that say that there is nothing: the status, AD, and whether with SOA.

    No record in the answer, one or none of authority, one or none besides; not truncated.
    """
    told = {}
    for first, second, soa, more in product(range(0x80, 0x86), range(0, 256, 16), (0, 1), (0, 1)):
        if first & _TC or second & _Z:
            continue
        for rcode, status in ((0, DnsStatus.NODATA), (3, DnsStatus.NXDOMAIN)):
            header = bytes((first, second | rcode)) + struct.pack("!4H", 1, 0, soa, more)
            told[header] = status, bool(second & _AD), bool(soa)
    return told


_QUICK = _quick_headers()
_FAILURES = {dns.rcode.SERVFAIL: DnsStatus.SERVFAIL, dns.rcode.REFUSED: DnsStatus.REFUSED}


class NotOursError(Exception):
    """The bytes are no whole response to the query."""


class TruncatedError(Exception):
    """The response says that the whole of it comes over TCP."""


def read_answer(question: Question, query: Query, wire: bytes) -> DnsAnswer:
    """What the response to the query says.

    Raises:
        NotOursError: the bytes are no response to the query, or cannot be parsed.
        TruncatedError: it is to be had over TCP.
    """
    quick = _quick_negative(question, query, wire)
    if quick is not None:
        return quick
    try:
        return answer_of(question, read_message(query, wire))
    except UnfitError as error:
        return failed(question, DnsStatus.ERROR, str(error))


def _quick_negative(question: Question, query: Query, wire: bytes) -> DnsAnswer | None:
    """The commonest answers of all: that there is nothing, with one SOA record or none; None for every other.

    The same as `answer_of` says of them, at a tenth of its cost: judged from the header and the question. Of
    the SOA no more is read than how long nothing may be kept (RFC 2308 §5).
    """
    told = _QUICK.get(wire[2:12])
    if told is None or not query.is_repeated_by(wire):
        return None
    status, authenticated, has_soa = told
    ttl, end = 0, query.question_end
    if has_soa:
        if len(wire) < end + _SOA_HEAD.size:
            return None
        pointer, rtype_and_class, ttl, size = _SOA_HEAD.unpack_from(wire, end)
        end += _SOA_HEAD.size + size
        # A TTL with the highest bit set is zero (RFC 2181 §8).
        if pointer < _POINTER or rtype_and_class != _SOA_IN or ttl >> 31:
            return None
        if size < _SHORTEST_SOA or end > len(wire):
            return None
        ttl = min(ttl, int.from_bytes(wire[end - 4 : end]))
    if not _only_options(wire, end):
        return None
    name = question.name
    return DnsAnswer(
        question, status, (), ttl, authenticated, name.lower().removesuffix(".") or "."
    )


def _only_options(wire: bytes, at: int) -> bool:
    """Whether nothing but an OPT record without options follows, which says no more than the header."""
    rest = wire[at:]
    if not rest:
        return wire[11] == 0
    # The extended part of the response code, and the version, are both zero (RFC 6891 §6.1.3).
    is_plain = len(rest) == _PLAIN_OPT and rest[:3] == b"\0\0\x29" and rest[5:7] == b"\0\0"
    return is_plain and rest[9:] == b"\0\0" and wire[11] == 1


def read_message(query: Query, wire: bytes) -> dns.message.Message:
    """The response to the query.

    Raises:
        NotOursError: the bytes are no response to the query, or cannot be parsed.
        TruncatedError: it is to be had over TCP.
        UnfitError: it is too much, or makes no sense.
    """
    if not query.is_answered_by(wire) and not query.is_refused_by(wire):
        raise NotOursError("sent no response to our query")
    if wire[2] & _TC:
        raise TruncatedError("sent a truncated response")
    asked = int.from_bytes(query.wire[query.question_end - 4 : query.question_end - 2], "big")
    try:
        return dns.message.from_wire(readable(wire, asked))
    except UnfitError:
        raise
    except Exception as error:
        # Not only dnspython's own: hostile bytes raise what its parts raise.
        raise NotOursError(f"sent what cannot be parsed: {error}") from error


def answer_of(question: Question, response: dns.message.Message) -> DnsAnswer:
    """What the response to our query says; never raises for what a server sends.

    A response code belongs to the end of the CNAME chain (RFC 6604 §3).
    """
    rcode = response.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        text = dns.rcode.to_text(rcode) + _extended_error(response)
        return failed(question, _FAILURES.get(rcode, DnsStatus.ERROR), f"answered {text}")
    try:
        owner, records, ttl = _follow(response, question)
    except ValueError as error:
        return failed(question, DnsStatus.ERROR, str(error))
    if records is None:
        return _negative(question, response, rcode, owner)
    if rcode == dns.rcode.NXDOMAIN:
        return failed(question, DnsStatus.ERROR, "answered NXDOMAIN together with records")
    if len(records) > MOST_RECORDS:
        return failed(question, DnsStatus.ERROR, f"more than {MOST_RECORDS} records in one set")
    return DnsAnswer(
        question,
        DnsStatus.OK,
        tuple(record_text(record) for record in records),
        ttl,
        authenticated=bool(response.flags & dns.flags.AD),
        canonical_name=name_text(owner),
        signatures=_signatures(response),
    )


def failed(question: Question, status: DnsStatus, reason: str) -> DnsAnswer:
    """An answer that tells nothing, and why."""
    return DnsAnswer(question, status, reason=reason)


def _follow(
    response: dns.message.Message, question: Question
) -> tuple[dns.name.Name, dns.rrset.RRset | None, int]:
    """The name at the end of the CNAME chain, its records (None: none), and the smallest TTL on the way.

    Raises:
        ValueError: the chain is too long or turns in a circle.
    """
    owner = dns.name.Name([*labels(question.name), b""])
    rdtype = rdata_type(question.rtype)
    ttl, seen = 2**31, {owner}
    while True:
        records = _rrset(response, owner, rdtype)
        if records is not None:
            return owner, records, min(ttl, records.ttl)
        alias = _rrset(response, owner, dns.rdatatype.CNAME)
        if alias is None:
            return owner, None, 0
        owner, ttl = alias[0].target, min(ttl, alias.ttl)
        if owner in seen:
            raise ValueError(f"CNAME loop at {name_text(owner)}")
        seen.add(owner)
        if len(seen) > LONGEST_CHAIN + 1:
            raise ValueError(f"a chain of more than {LONGEST_CHAIN} CNAMEs")


def _rrset(
    response: dns.message.Message, owner: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    return response.get_rrset(dns.message.ANSWER, owner, dns.rdataclass.IN, rdtype)


def _negative(
    question: Question,
    response: dns.message.Message,
    rcode: dns.rcode.Rcode,
    owner: dns.name.Name,
) -> DnsAnswer:
    soa = next((s for s in response.authority if s.rdtype == dns.rdatatype.SOA), None)
    if soa is None and response.answer and owner == response.question[0].name:
        # RFC 2308 §2: that there is nothing is said by an empty answer, or by one that ends in a CNAME.
        return failed(question, DnsStatus.ERROR, "answered with records that were not asked for")
    if soa is None and any(s.rdtype == dns.rdatatype.NS for s in response.authority):
        # RFC 2308 §2.2: name servers without SOA are a referral, which says nothing of the records.
        return failed(
            question, DnsStatus.ERROR, "answered with a referral: it does not look names up itself"
        )
    return DnsAnswer(
        question,
        DnsStatus.NXDOMAIN if rcode == dns.rcode.NXDOMAIN else DnsStatus.NODATA,
        # RFC 2308 §5: the smaller of the SOA's TTL and its minimum; without SOA not to be kept.
        ttl=min(soa.ttl, soa[0].minimum) if soa is not None else 0,
        authenticated=bool(response.flags & dns.flags.AD),
        canonical_name=name_text(owner),
        signatures=_signatures(response),
    )


def _signatures(response: dns.message.Message) -> tuple[Signature, ...]:
    sections = (*response.answer, *response.authority)
    records = [record for each in sections if each.rdtype == dns.rdatatype.RRSIG for record in each]
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


def _extended_error(response: dns.message.Message) -> str:
    """Why the resolver failed, where it says so (RFC 8914): ` (dnssec bogus: signature expired)`."""
    errors = [option for option in response.options if isinstance(option, dns.edns.EDEOption)]
    told = (f"{_ede_name(e.code)}{': ' + e.text if e.text else ''}" for e in errors)
    return f" ({'; '.join(told)[:_LONGEST_REASON]})" if errors else ""


def _ede_name(code: int) -> str:
    try:
        return dns.edns.EDECode(code).name.replace("_", " ").lower()
    except ValueError:
        return f"extended error {code}"


def name_text(name: dns.name.Name) -> str:
    """Lower case, without the trailing dot; the root is `.`."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else "."


def record_text(record: dns.rdata.Rdata) -> str:
    """One record's data as `DnsAnswer` promises it; never raises for data that came off the wire."""
    if isinstance(record, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(record.strings).decode("latin-1")
    if isinstance(record, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA):
        return str(ip_address(record.address))
    if isinstance(record, dns.rdtypes.ANY.MX.MX):
        return f"{record.preference} {name_text(record.exchange)}"
    if isinstance(record, dns.rdtypes.nsbase.NSBase):  # NS, CNAME, PTR, DNAME
        return name_text(record.target)
    return record.to_text()
