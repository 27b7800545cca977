"""Mark certificates: two that DigiCert issued (PayPal's and Xometry's, published for every receiver), and made ones."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import bimi
from monitor.protocol.bimi import Evidence, EvidenceError, MarkKind
from monitor.protocol.bimi.evidence import MOST_EVIDENCE
from tests.protocol.limits import in_time
from tests.protocol.marks import Mark, evidence_document

REAL = Path(__file__).parent / "mark_certificates"
VMC, CMC = ((REAL / f"{kind}.pem").read_bytes() for kind in ("vmc", "cmc"))
LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps"'
    b' viewBox="0 0 64 64"><title>Lab</title></svg>'
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def made(
    *names: str, logo: bytes = LOGO, kind: str = "Registered Mark", days: float = 365
) -> bytes:
    return evidence_document(Mark(names, logo, START, START + timedelta(days=days), kind))


def codes(evidence: Evidence) -> list[str]:
    return [problem.code for problem in evidence.problems]


@pytest.mark.parametrize(
    ("document", "kind", "name", "year"),
    [(VMC, MarkKind.VMC, "paypal.com", 2025), (CMC, MarkKind.CMC, "xometry.com", 2025)],
)
def test_real_certificates_are_read_and_lead_to_a_known_authority(
    document: bytes, kind: MarkKind, name: str, year: int
) -> None:
    evidence = bimi.read_evidence(document)
    assert (evidence.kind, evidence.names, codes(evidence)) == (kind, (name,), [])
    assert (evidence.issuer, evidence.not_after.year) == ("DigiCert, Inc.", year)
    assert evidence.authority == "DigiCert Verified Mark Root CA"
    assert evidence.logo is not None
    assert not evidence.logo.problems


def test_the_logo_in_it_is_compared_uncompressed() -> None:
    evidence = bimi.read_evidence(made("example.com"))
    assert evidence.logo is not None
    assert bimi.same_logo(evidence.logo, bimi.read_svg(LOGO))
    assert not bimi.same_logo(evidence.logo, bimi.read_svg(LOGO + b" "))


def blocks(document: bytes) -> list[bytes]:
    return [
        part + b"-----END CERTIFICATE-----\n"
        for part in document.split(b"-----END CERTIFICATE-----\n")[:-1]
    ]


def test_what_receivers_refuse_is_named() -> None:
    leaf, issuer = blocks(made("example.com"))
    other_leaf, other_issuer = blocks(made("example.com"))
    real_leaf, real_issuer, *_ = blocks(VMC)
    documents = {
        "authority": leaf + issuer,
        "chain": leaf + other_issuer,
        "order": issuer + leaf,
        "key_usage": issuer,
        "logotype": made("example.com", logo=b""),
        "logo": made("example.com", logo=LOGO.replace(b"tiny-ps", b"full")),
        "mark_type": made("example.com", kind=""),
        "certificate": leaf + issuer.replace(b"M", b"N"),
    }
    seen = {code: codes(bimi.read_evidence(document)) for code, document in documents.items()}
    assert {code: code in found for code, found in seen.items()} == dict.fromkeys(documents, True)
    assert codes(bimi.read_evidence(leaf + other_leaf + issuer)).count("order") == 1
    assert codes(bimi.read_evidence(real_leaf)) == ["chain"]
    assert codes(bimi.read_evidence(real_leaf + real_issuer)) == []


def test_a_signature_that_does_not_fit_is_not_believed() -> None:
    at = VMC.index(b"\n-----END") - 20  # within the leaf's signature
    forged = VMC[:at] + (b"A" if VMC[at : at + 1] != b"A" else b"B") + VMC[at + 1 :]
    evidence = bimi.read_evidence(forged)
    assert (evidence.authority, codes(evidence)) == ("", ["chain"])


@pytest.mark.parametrize(
    ("names", "covered"),
    [
        (["example.com"], True),
        (["mail.example.com"], True),
        (["default._bimi.example.com"], True),
        (["other._bimi.example.com"], False),
        (["*.example.com"], False),
        (["example.net"], False),
        ([], False),
    ],
)
def test_names_stand_for_the_domain_or_the_one_above(names: list[str], covered: bool) -> None:
    assert bimi.covers(names, "mail.example.com", "Example.COM") is covered


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "pem"),
        (LOGO, "pem"),
        (b"x" * (MOST_EVIDENCE + 1), "size"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "certificate"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----", "certificate"),
    ],
)
def test_without_a_certificate_there_is_nothing_to_say(data: bytes, code: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        bimi.read_evidence(data)
    assert caught.value.code == code


HOSTILE = {
    "many begins": b"-----BEGIN CERTIFICATE-----A" * 2_200,
    "many certificates": VMC[: VMC.index(b"-----END")] + VMC * 7,
    "many issuers of one name": b"".join(
        blocks(made("example.com"))[i] for i in (0, 1, 1, 1, 1, 1)
    ),
    "many names": made(*(f"{n}.example" for n in range(2_500))),
    "a bomb as logo": made("example.com", logo=b"\0" * 20_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_cost_little(name: str) -> None:
    with in_time(), suppress(EvidenceError):
        bimi.read_evidence(HOSTILE[name])


@given(
    st.binary(max_size=500)
    | st.tuples(st.integers(28, 5_000), st.sampled_from(b"AzM+/=-\n")).map(
        lambda at: VMC[: at[0]] + bytes([at[1]]) + VMC[at[0] + 1 :]
    )
)
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with in_time(), suppress(EvidenceError):
        assert isinstance(bimi.read_evidence(data), Evidence)
