from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Address, Severity
from monitor.protocol import dnsbl
from monitor.protocol.dnsbl import Kind, Meaning, Reading, State, ZoneCodes


@pytest.mark.parametrize(
    ("subject", "kind", "name"),
    [
        (IPv4Address("192.0.2.99"), Kind.IPV4, "99.2.0.192.bl.test"),
        # RFC 5782 §2.4 has this very example.
        (
            IPv6Address("2001:db8:1:2:3:4:567:89ab"),
            Kind.IPV6,
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.test",
        ),
        ("Example.COM.", Kind.DOMAIN, "example.com.bl.test"),
    ],
)
def test_the_name_to_ask_for(subject: Address | str, kind: Kind, name: str) -> None:
    assert dnsbl.kind_of(subject) is kind
    assert dnsbl.query_name(subject, "BL.test.") == name


@pytest.mark.parametrize(
    ("kind", "listed", "clean"),
    [
        (Kind.IPV4, "2.0.0.127.z", "1.0.0.127.z"),
        (
            Kind.IPV6,
            "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20 + ".z",
            "1.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20 + ".z",
        ),
        (Kind.DOMAIN, "test.z", "invalid.z"),
    ],
)
def test_the_proof_entries_of_rfc_5782(kind: Kind, listed: str, clean: str) -> None:
    entries = dnsbl.PROOF_ENTRIES[kind]
    assert dnsbl.query_name(entries.listed, "z") == listed
    assert dnsbl.query_name(entries.clean, "z") == clean


SBL = Meaning("sbl", Severity.CRITICAL)
PBL = Meaning("pbl", Severity.INFO)
BLACK = Meaning("black", Severity.CRITICAL)
GREY = Meaning("grey", Severity.WARNING)
LISTED = Meaning("listed", Severity.WARNING)
TRUSTED = Meaning("trusted", None)


def net(text: str) -> IPv4Network:
    return IPv4Network(text)


ZEN = ZoneCodes(meanings={net("127.0.0.2"): SBL, net("127.0.0.10/31"): PBL})
URIBL = ZoneCodes(bits={2: BLACK, 4: GREY}, refused_bits=1)
KARMA = ZoneCodes(
    meanings={net("127.0.0.2"): BLACK}, not_listed=(net("127.0.0.1"), net("127.0.0.5"))
)
WHITE = ZoneCodes(meanings={net("127.0.0.3"): TRUSTED, net("127.0.0.2"): LISTED})
DNSWL = ZoneCodes(not_listed=(net("127.0.0.0/16"),), refused=(net("127.0.0.255"),))
DBL = ZoneCodes(
    meanings={net("127.0.1.4"): BLACK, net("127.0.1.100/30"): LISTED},
    refused=(net("127.0.1.255"),),
)
PLAIN = ZoneCodes(meanings={net("127.0.0.2"): LISTED})


@pytest.mark.parametrize(
    ("answers", "codes", "expected"),
    [
        ([], ZEN, Reading(State.CLEAN)),
        (["127.0.0.2"], ZEN, Reading(State.LISTED, (SBL,))),
        (["127.0.0.11", "127.0.0.2"], ZEN, Reading(State.LISTED, (SBL, PBL))),
        # A code next to a known one says no more than the known one.
        (["127.0.0.2", "127.0.0.77"], ZEN, Reading(State.LISTED, (SBL,))),
        (["127.0.0.6"], URIBL, Reading(State.LISTED, (BLACK, GREY))),
        (["127.0.0.5"], KARMA, Reading(State.CLEAN)),
        (["127.0.0.1"], KARMA, Reading(State.CLEAN)),
        (["127.0.10.3"], DNSWL, Reading(State.CLEAN)),
        (["127.0.1.4"], DBL, Reading(State.LISTED, (BLACK,))),
        (["127.0.1.103", "127.0.1.4"], DBL, Reading(State.LISTED, (BLACK, LISTED))),
        (["127.0.0.3", "127.0.0.2"], WHITE, Reading(State.LISTED, (LISTED, TRUSTED))),
    ],
)
def test_codes_mean_what_the_zone_says(
    answers: list[str], codes: ZoneCodes, expected: Reading
) -> None:
    assert dnsbl.read(answers, codes) == expected


@pytest.mark.parametrize(
    ("answers", "codes", "state", "reason"),
    [
        (["127.255.255.254"], ZEN, State.REFUSED, "public"),
        (["127.255.255.255"], PLAIN, State.REFUSED, "too many"),
        (["127.255.255.7"], PLAIN, State.REFUSED, "127.255.255.7"),
        # A zone that refuses is not believed in what else it says.
        (["127.0.0.2", "127.255.255.254"], ZEN, State.REFUSED, "public"),
        (["127.0.0.1"], URIBL, State.REFUSED, "127.0.0.1"),
        (["127.0.0.3"], URIBL, State.REFUSED, "127.0.0.3"),
        (["127.0.0.255"], DNSWL, State.REFUSED, "127.0.0.255"),
        (["127.0.1.255"], DBL, State.REFUSED, "127.0.1.255"),
        # A parked domain's wildcard, a rewritten NXDOMAIN.
        (["91.195.240.117"], PLAIN, State.NONSENSE, "91.195.240.117"),
        (["127.0.0.2", "203.0.113.9"], ZEN, State.NONSENSE, "203.0.113.9"),
        (["::1"], PLAIN, State.NONSENSE, "::1"),
        (["127.0.0.77"], ZEN, State.UNNAMED, "127.0.0.77"),
        (["127.0.0.1"], PLAIN, State.UNNAMED, "code 127.0.0.1 has no known meaning"),
        (["127.0.0.5"], ZoneCodes(bits={2: BLACK}), State.UNNAMED, "127.0.0.5"),
        # A neutral code beside it does not make it clean.
        (["127.0.0.5", "127.0.0.77"], KARMA, State.UNNAMED, "127.0.0.77"),
        (["127.1.0.2"], URIBL, State.UNNAMED, "127.1.0.2"),
    ],
)
def test_what_is_no_listing_is_never_read_as_one(
    answers: list[str], codes: ZoneCodes, state: State, reason: str
) -> None:
    reading = dnsbl.read(answers, codes)
    assert (reading.state, reading.meanings) == (state, ())
    assert reason in reading.reason


@pytest.mark.parametrize(
    ("meaning", "sending", "receiving"),
    [
        (SBL, Severity.CRITICAL, Severity.CRITICAL),
        (TRUSTED, None, None),
        (Meaning("pbl", Severity.CRITICAL, receiving=None), Severity.CRITICAL, None),
        (
            Meaning("css", Severity.CRITICAL, receiving=Severity.WARNING),
            Severity.CRITICAL,
            Severity.WARNING,
        ),
    ],
)
def test_a_listing_may_matter_less_where_no_mail_leaves(
    meaning: Meaning, sending: Severity | None, receiving: Severity | None
) -> None:
    assert meaning.severity_of(sends=True) is sending
    assert meaning.severity_of(sends=False) is receiving


texts = st.ip_addresses().map(str) | st.text(max_size=12) | st.just("127.0.0.2")


@given(st.lists(texts, max_size=3), st.sampled_from([ZEN, URIBL, KARMA, DNSWL, DBL, PLAIN]))
@settings(max_examples=200)
def test_only_answers_in_127_8_can_list(answers: list[str], codes: ZoneCodes) -> None:
    reading = dnsbl.read(answers, codes)
    if reading.state in {State.LISTED, State.CLEAN}:
        assert all(ip_address(answer) in net("127.0.0.0/8") for answer in answers)
    assert bool(reading.meanings) == (reading.state is State.LISTED)
