import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import dane
from monitor.protocol.dane import (
    CertificateError,
    Fit,
    Matching,
    Rollover,
    Selector,
    TlsaError,
    TlsaRecord,
    Usage,
)
from tests.protocol.limits import in_time

START = datetime(2027, 1, 1, tzinfo=UTC)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Authority:
    """A key with a certificate that another, or it itself, issued."""

    def __init__(self, name: str, issuer: "Authority | None" = None, key: object = None) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(START + timedelta(days=90))
            .sign(signer.key, None if _is_edwards(signer.key) else hashes.SHA256())
        )
        self.der = self.certificate.public_bytes(Encoding.DER)

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_edwards(key: object) -> bool:
    return isinstance(key, ed25519.Ed25519PrivateKey)


ROOT = Authority("root")
ISSUER = Authority("issuer", ROOT, ed25519.Ed25519PrivateKey.generate())
HOST = Authority("mx.example.com", ISSUER)
NEXT = Authority("mx.example.com", ISSUER)
CHAIN = [HOST.der, ISSUER.der]


@pytest.mark.parametrize(
    "text",
    [f"3 1 1 {SHA256}", f" 3  1\t1 {SHA256[:30]} {SHA256[30:]}\n", f"3 1 1 {SHA256.upper()}"],
)
def test_a_record_is_read_however_it_is_broken_up(text: str) -> None:
    record = dane.parse(text)
    assert record == TlsaRecord(3, 1, 1, bytes.fromhex(SHA256))
    assert str(record) == f"3 1 1 {SHA256}"


@pytest.mark.parametrize(
    "text",
    ["", "3 1 1", "3 1 1 abc", "3 1 1 xy", "256 1 1 ab", "-1 1 1 ab", "3 1 ٣ ab", "3 1 1 ab;"],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(TlsaError):
        dane.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"3 1 1 {SHA256}", ""),
        (f"2 0 2 {SHA256}{SHA256}", ""),
        ("3 1 0 00", ""),
        (f"0 1 1 {SHA256}", "PKIX"),
        (f"1 1 1 {SHA256}", "PKIX"),
        (f"4 1 1 {SHA256}", "usage 4"),
        (f"255 1 1 {SHA256}", "usage 255"),
        (f"3 2 1 {SHA256}", "selector 2"),
        (f"3 1 3 {SHA256}", "matching type 3"),
        (f"3 1 1 {SHA256}00", "33 bytes"),
        (f"3 1 2 {SHA256}", "32 bytes"),
    ],
)
def test_what_senders_pass_over_is_told(text: str, why: str) -> None:
    told = dane.unusable(dane.parse(text))
    assert why in told
    assert bool(told) is bool(why)


@pytest.mark.parametrize("authority", [HOST, ISSUER, ROOT])
def test_the_public_key_is_the_one_that_the_certificate_holds(authority: Authority) -> None:
    assert dane.public_key_info(authority.der) == authority.spki


def test_the_record_to_publish_names_the_key_as_openssl_would() -> None:
    digest = hashlib.sha256(HOST.spki).hexdigest()
    assert str(dane.record_for(HOST.der)) == f"3 1 1 {digest}"
    whole = dane.record_for(HOST.der, Usage.DANE_TA, Selector.CERTIFICATE, Matching.SHA512)
    assert str(whole) == f"2 0 2 {hashlib.sha512(HOST.der).hexdigest()}"


@pytest.mark.parametrize("selector", list(Selector))
@pytest.mark.parametrize("matching", list(Matching))
def test_every_way_to_name_a_certificate_matches_it_and_no_other(
    selector: Selector, matching: Matching
) -> None:
    own = dane.record_for(HOST.der, Usage.DANE_EE, selector, matching)
    anchor = dane.record_for(ISSUER.der, Usage.DANE_TA, selector, matching)
    assert [(j.fit, j.member) for j in dane.judge([own, anchor], CHAIN)] == [
        (Fit.MATCHES, 0),
        (Fit.MATCHES, 1),
    ]
    (other,) = dane.judge([own], [NEXT.der, ISSUER.der])
    assert other.fit is Fit.DIFFERS


def fits(*records: TlsaRecord) -> list[Fit]:
    return [judged.fit for judged in dane.judge(records, CHAIN)]


def test_usage_3_is_the_hosts_own_certificate_and_usage_2_one_above_it() -> None:
    assert fits(dane.record_for(ISSUER.der, Usage.DANE_EE)) == [Fit.DIFFERS]
    assert fits(dane.record_for(HOST.der, Usage.DANE_TA)) == [Fit.DIFFERS]


def test_a_weaker_digest_counts_for_nothing_beside_a_stronger_one_of_its_kind() -> None:
    """RFC 7671 §9: so a stale SHA-512 beside a right SHA-256 loses mail."""
    right = dane.record_for(HOST.der)
    stale = dane.record_for(NEXT.der, matching=Matching.SHA512)
    assert fits(right, stale) == [Fit.SUPERSEDED, Fit.DIFFERS]
    of_another_kind = dane.record_for(NEXT.der, Usage.DANE_TA, matching=Matching.SHA512)
    exact = dane.record_for(HOST.der, matching=Matching.EXACT)
    assert fits(right, of_another_kind) == [Fit.MATCHES, Fit.DIFFERS]
    assert fits(exact, stale) == [Fit.MATCHES, Fit.DIFFERS]


def test_an_unusable_record_neither_matches_nor_supersedes() -> None:
    broken = TlsaRecord(3, 1, 2, b"short")
    assert fits(broken, dane.record_for(HOST.der)) == [Fit.UNUSABLE, Fit.MATCHES]


def test_a_whole_anchor_that_was_not_sent_is_undecided() -> None:
    anchor = dane.record_for(ROOT.der, Usage.DANE_TA, Selector.CERTIFICATE, Matching.EXACT)
    assert fits(anchor) == [Fit.UNDECIDED]


def test_a_record_given_twice_is_judged_once() -> None:
    assert fits(dane.record_for(HOST.der), dane.record_for(HOST.der)) == [Fit.MATCHES]


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([dane.record_for(HOST.der)], Rollover.SINGLE),
        ([dane.record_for(HOST.der), dane.record_for(NEXT.der)], Rollover.PREPARED),
        (
            [dane.record_for(HOST.der), dane.record_for(ISSUER.der, Usage.DANE_TA)],
            Rollover.PREPARED,
        ),
        ([dane.record_for(NEXT.der)], Rollover.MISMATCH),
        ([dane.record_for(HOST.der, Usage.PKIX_EE)], Rollover.MISMATCH),
        ([], Rollover.MISMATCH),
    ],
)
def test_the_state_of_a_rollover(records: list[TlsaRecord], state: Rollover) -> None:
    assert dane.rollover(dane.judge(records, CHAIN)) is state


@pytest.mark.parametrize(
    ("chain", "anchor", "link"),
    [
        ([HOST.der, ISSUER.der, ROOT.der], 2, None),
        ([HOST.der, ISSUER.der], 1, None),
        ([HOST.der], 0, None),
        ([HOST.der, ROOT.der], 1, 0),
        ([HOST.der, ISSUER.der, HOST.der], 2, 1),
        ([b"x", ISSUER.der], 1, 0),
    ],
)
def test_a_chain_must_lead_to_its_anchor(chain: list[bytes], anchor: int, link: int | None) -> None:
    assert dane.broken_link(chain, anchor) == link


@given(st.text(max_size=80) | st.text("0123 abx", max_size=40).map("3 1 1 ".__add__))
@settings(max_examples=200)
def test_any_text_is_a_record_or_the_declared_error(text: str) -> None:
    try:
        record = dane.parse(text)
    except TlsaError:
        return
    assert dane.parse(str(record)) == record


@pytest.mark.parametrize(
    "text", ["3 1 1" + " " * 130_000 + "x", "0 " * 60_000, "3 1 1 " + "ab" * 65_000]
)
def test_long_text_takes_no_longer_than_it_should(text: str) -> None:
    with in_time(), contextlib.suppress(TlsaError):
        dane.parse(text)


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    der = bytearray(HOST.der)
    for _ in range(draw(st.integers(0, 4))):
        der[draw(st.integers(0, min(300, len(der) - 1)))] = draw(st.integers(0, 255))
    return bytes(der[: draw(st.integers(0, len(der)))])


@given(st.binary(max_size=60) | mutilated() | st.binary(max_size=20).map(b"\x30\x84".__add__))
@settings(max_examples=300)
def test_any_bytes_have_a_public_key_or_the_declared_error(der: bytes) -> None:
    try:
        key = dane.public_key_info(der)
    except CertificateError:
        key = b""
    assert key in der
    record = dane.record_for(HOST.der)
    assert dane.judge([record], [der])[0].fit in Fit
    assert dane.broken_link([der, ISSUER.der], 1) in {None, 0}
