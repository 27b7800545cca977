"""That there is nothing is read without dnspython, and says what dnspython would have said."""

from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st

from monitor.check import Question
from monitor.world.dns import message as dns_message
from monitor.world.dns.frame import UnfitError, readable
from monitor.world.dns.message import (
    NotOursError,
    TruncatedError,
    answer_of,
    read_answer,
)
from monitor.world.dns.query import query_for

LABEL = st.from_regex(r"\A[a-zA-Z0-9_-]{1,20}\Z")
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)


@dataclass(frozen=True)
class Said:
    owner: str
    ttl: int
    minimum: int
    rcode: int
    flags: int
    edns: bool


def response_to(wire: bytes, said: Said) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
    response.set_rcode(said.rcode)
    response.flags |= said.flags
    data = f"ns.{said.owner}. h.{said.owner}. 1 2 3 4 {said.minimum}"
    response.authority = [dns.rrset.from_text(f"{said.owner}.", said.ttl, "IN", "SOA", data)]
    if not said.edns:
        response.use_edns(False)
    return response.to_wire()


@given(
    NAME,
    st.builds(
        Said,
        owner=NAME,
        ttl=st.integers(0, 2**31 - 1),
        minimum=st.integers(0, 2**31 - 1),
        rcode=st.sampled_from([dns.rcode.NOERROR, dns.rcode.NXDOMAIN]),
        flags=st.sampled_from([0, dns.flags.AD, dns.flags.AA]),
        edns=st.booleans(),
    ),
)
def test_it_says_the_same(name: str, said: Said) -> None:
    question = Question(f"{name}.{said.owner}", "TXT")
    query = query_for(question)
    wire = response_to(query.wire, said)
    assert dns_message._quick_negative(question, query, wire) is not None, "the quick way is taken"
    assert read_answer(question, query, wire) == answer_of(question, dns.message.from_wire(wire))


@given(place=st.integers(0, 200), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_a_broken_response_is_no_other_answer(place: int, value: int, cut: int) -> None:
    """One byte changed, or the end missing: refused, or read as dnspython reads it."""
    question = Question("gone.example.com", "A")
    query = query_for(question)
    good = response_to(query.wire, Said("example.com", 60, 30, rcode=3, flags=0, edns=True))
    broken = bytearray(good)
    broken[place % len(good)] = value
    wire = bytes(broken[: len(good) - cut])
    try:
        seen = read_answer(question, query, wire)
    except (NotOursError, TruncatedError):
        return
    try:
        slow = answer_of(question, dns.message.from_wire(readable(wire, dns.rdatatype.A)))
    except (dns.exception.DNSException, ValueError, UnfitError):
        assert not seen.records
    else:
        assert seen == slow
