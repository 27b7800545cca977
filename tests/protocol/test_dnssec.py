import base64
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import dns.dnssec
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import dnssec
from monitor.protocol.dnssec import Dnskey, DnssecRecordError, Ds
from tests.protocol.limits import in_time

OWNER = "shop.example"
NOW = 1_800_000_000.0
DAY = 86400.0


def key_of(private: object, algorithm: dns.dnssec.Algorithm, flags: int = 257) -> str:
    return dns.dnssec.make_dnskey(private.public_key(), algorithm, flags=flags).to_text()


KSK = key_of(ec.generate_private_key(ec.SECP256R1()), dns.dnssec.Algorithm.ECDSAP256SHA256)
ZSK = key_of(ed25519.Ed25519PrivateKey.generate(), dns.dnssec.Algorithm.ED25519, 256)
OTHER = key_of(ec.generate_private_key(ec.SECP256R1()), dns.dnssec.Algorithm.ECDSAP256SHA256)
RSA = key_of(rsa.generate_private_key(65537, 1024), dns.dnssec.Algorithm.RSASHA256)


def ds(key: str, digest_type: int = 2, owner: str = OWNER) -> str:
    return str(dnssec.ds_for(owner, dnssec.parse_dnskey(key), digest_type))


def tag(key: str) -> int:
    return dnssec.parse_dnskey(key).key_tag


@dataclass(frozen=True)
class Signed:
    """An RRSIG, as any room of the house may describe it."""

    covers: str = "DNSKEY"
    algorithm: int = 13
    key_tag: int = 0
    inception: float = NOW - 7 * DAY
    expiration: float = NOW + 7 * DAY


@pytest.mark.parametrize("key", [KSK, ZSK, RSA])
@pytest.mark.parametrize(("digest_type", "name"), [(1, "SHA1"), (2, "SHA256"), (4, "SHA384")])
@pytest.mark.parametrize("owner", ["shop.example", "Shop.EXAMPLE.", "xn--bcher-kva.example"])
def test_key_tags_and_digests_are_those_that_dnspython_computes(
    key: str, digest_type: int, name: str, owner: str
) -> None:
    record = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DNSKEY, key)
    made = dns.dnssec.make_ds(
        owner.rstrip(".") + ".", record, name, policy=dns.dnssec.allow_all_policy
    )
    ours = dnssec.ds_for(owner, dnssec.parse_dnskey(key), digest_type)
    assert str(ours) == made.to_text()
    assert dnssec.parse_ds(made.to_text()) == ours


def test_the_key_tag_of_the_oldest_algorithm_is_its_own() -> None:
    """RFC 4034 B.1."""
    key = Dnskey(257, 3, 1, bytes.fromhex("0103aabbccddee"))
    assert key.key_tag == 0xCCDD


def test_the_root_has_no_name_to_digest_here() -> None:
    with pytest.raises(DnssecRecordError):
        dnssec.ds_for("", dnssec.parse_dnskey(KSK))
    with pytest.raises(ValueError, match="digest type 3"):
        dnssec.ds_for(OWNER, dnssec.parse_dnskey(KSK), 3)


@pytest.mark.parametrize(
    "text", ["", "1 2 3", "1 2 3 abc", "65536 13 2 ab", "1 256 2 ab", "x 13 2 ab"]
)
def test_what_is_no_ds_record_is_refused(text: str) -> None:
    with pytest.raises(DnssecRecordError) as caught:
        dnssec.parse_ds(text)
    assert caught.value.code == "ds"


@pytest.mark.parametrize("text", ["", "257 3 13", "257 3 13 !", "257 3 13 YWJ", "257 3 256 YWJj"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(DnssecRecordError) as caught:
        dnssec.parse_dnskey(text)
    assert caught.value.code == "dnskey"


def codes(ds_records: Sequence[str], keys: Sequence[str]) -> list[str]:
    return [problem.code for problem in dnssec.judge_link(OWNER, ds_records, keys).problems]


def test_a_zone_whose_key_the_parent_names_hangs_together() -> None:
    link = dnssec.judge_link(OWNER, [ds(KSK)], [KSK, ZSK], [Signed(key_tag=tag(KSK))])
    assert (link.signed, link.delegated, link.bogus, link.problems) == (True, True, "", ())
    assert link.anchors == link.entry_points == (dnssec.parse_dnskey(KSK),)


def test_an_unsigned_zone_is_no_fault_and_a_signed_one_without_ds_is_told() -> None:
    assert dnssec.judge_link(OWNER, [], []) == dnssec.Link(keys=(), delegated=False)
    link = dnssec.judge_link(OWNER, [], [KSK])
    assert (link.signed, link.delegated, link.bogus) == (True, False, "")
    assert codes([], [KSK]) == ["no_ds"]


@pytest.mark.parametrize(
    ("ds_records", "keys", "signatures", "why"),
    [
        ([ds(KSK)], [], [], "not signed"),
        ([ds(KSK)], [OTHER, ZSK], [], "has only"),
        ([ds(KSK, owner="news.example")], [KSK], [], "has only"),
        ([ds(KSK)[:-2] + "00"], [KSK], [], "has only"),
        ([ds(KSK)], [KSK.replace("257", "385")], [], "has only"),
        ([ds(KSK)], [KSK, ZSK], [Signed(key_tag=tag(ZSK), algorithm=15)], "signs the zone's keys"),
    ],
    ids=["no keys", "another key", "another owner", "another digest", "revoked", "not signing"],
)
def test_a_parent_that_vouches_for_what_is_not_there_makes_the_zone_bogus(
    ds_records: list[str], keys: list[str], signatures: list[Signed], why: str
) -> None:
    assert why in dnssec.judge_link(OWNER, ds_records, keys, signatures).bogus


def test_of_two_ds_records_one_is_enough_and_the_other_is_told() -> None:
    link = dnssec.judge_link(OWNER, [ds(KSK), ds(OTHER)], [KSK])
    assert link.bogus == ""
    assert [problem.code for problem in link.problems] == ["unmatched_ds"]


def test_sha_1_counts_only_where_nothing_else_is_there() -> None:
    """RFC 4509 §3."""
    wrong = ds(OTHER)
    assert dnssec.judge_link(OWNER, [ds(KSK, 1)], [KSK]).bogus == ""
    assert dnssec.judge_link(OWNER, [ds(KSK, 1), wrong], [KSK]).bogus
    assert codes([ds(KSK, 1)], [KSK]) == ["digest"]


def test_algorithms_that_validators_do_not_know_make_a_zone_unsigned_never_bogus() -> None:
    for algorithm in (5, 7, 12, 23, 250):
        foreign = KSK.replace(" 13 ", f" {algorithm} ")
        link = dnssec.judge_link(OWNER, [ds(foreign)], [])
        assert (link.delegated, link.bogus) == (False, "")
        assert [problem.code for problem in link.problems] == ["algorithm"]


def test_short_rsa_keys_are_told() -> None:
    short = key_of(rsa.generate_private_key(65537, 1024), dns.dnssec.Algorithm.RSASHA256)
    assert dnssec.parse_dnskey(short).rsa_bits == 1024
    assert codes([ds(short)], [short]) == []
    key = Dnskey(257, 3, 8, b"\x01\x03" + b"\xff" * 64)
    assert codes([], [f"257 3 8 {_base64(key.public_key)}"]) == ["short_key", "no_ds"]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_records_that_cannot_be_read_are_told_and_passed_over() -> None:
    link = dnssec.judge_link(OWNER, ["x", ds(KSK)], [KSK, "y"])
    assert link.bogus == ""
    assert [problem.code for problem in link.problems] == ["syntax", "syntax"]


@pytest.mark.parametrize(
    ("signatures", "expired", "expiring", "future"),
    [
        ([Signed()], False, False, False),
        ([Signed(expiration=NOW + 0.6 * DAY)], False, False, False),
        ([Signed(expiration=NOW + 0.4 * DAY)], False, True, False),
        ([Signed(inception=NOW - 3600, expiration=NOW + 3600)], False, False, False),
        ([Signed(expiration=NOW)], True, False, False),
        ([Signed(inception=NOW + 1)], True, False, True),
        ([Signed(expiration=NOW - 1), Signed()], False, False, False),
        ([Signed(expiration=NOW + 0.1 * DAY), Signed()], False, False, False),
        ([Signed(expiration=NOW + 0.1 * DAY), Signed(inception=NOW + 1)], False, True, False),
    ],
)
def test_how_long_signatures_last(
    signatures: list[Signed], expired: bool, expiring: bool, future: bool
) -> None:
    (lifetime,) = dnssec.lifetimes(signatures, NOW)
    assert (lifetime.expired, lifetime.expiring, lifetime.future) == (expired, expiring, future)


def test_each_type_has_a_lifetime_of_its_own() -> None:
    ends = NOW + 3 * DAY
    signatures = [Signed(), Signed(covers="MX", expiration=ends)]
    assert [(one.covers, one.ends) for one in dnssec.lifetimes(signatures, NOW)] == [
        ("DNSKEY", NOW + 7 * DAY),
        ("MX", ends),
    ]
    assert dnssec.lifetimes([], NOW) == ()


WORDS = st.lists(
    st.sampled_from(["0", "1", "257", "3", "13", "2", "99999", "AQAB", "é", "-1", "=", "٣"])
)


@given(st.text(max_size=60) | WORDS.map(" ".join), st.text(max_size=300) | st.just(OWNER))
@settings(max_examples=300)
def test_any_text_is_judged_or_the_declared_error(text: str, owner: str) -> None:
    for parse in (dnssec.parse_ds, dnssec.parse_dnskey):
        try:
            record = parse(text)
        except DnssecRecordError:
            continue
        if isinstance(record, Ds):
            assert parse(str(record)) == record
        else:
            assert 0 <= record.key_tag <= 65535
    with contextlib.suppress(DnssecRecordError):
        dnssec.judge_link(owner, [text, ds(KSK)], [text, KSK])


def test_long_records_take_no_longer_than_they_should() -> None:
    with in_time():
        key = "257 3 8 " + "AQAB" * 16000
        dnssec.judge_link(OWNER, ["1 " * 30_000, "1 13 2 " + "ab" * 60_000], [key])
