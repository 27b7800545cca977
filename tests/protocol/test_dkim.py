import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol import dkim
from monitor.protocol.dkim import DkimError, KeyType
from monitor.protocol.selectors import USUAL_SELECTORS

SPKI, PKCS1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
RSA_TEXT = base64.b64encode(RSA.public_bytes(Encoding.DER, SPKI)).decode()
PKCS1_TEXT = base64.b64encode(RSA.public_bytes(Encoding.DER, PKCS1)).decode()
ED25519_TEXT = base64.b64encode(
    ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
).decode()
EC_TEXT = base64.b64encode(
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, SPKI)
).decode()
# 512 bits, as some published long ago; made with openssl, which still can.
WEAK = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMTRJOtxr8EI19b/xhL4VVPguIEvDRpQzGC4KiGzX+rAbP30rSMd"
    "+hCkqJCMMkGQ8Svear+2uhT1ZVXH1oW4lzkCAwEAAQ=="
)


@pytest.mark.parametrize(
    ("text", "key_type", "bits"),
    [
        (f"v=DKIM1; k=rsa; p={RSA_TEXT}", KeyType.RSA, 2048),
        (f"p={RSA_TEXT}", KeyType.RSA, 2048),
        (f"v=DKIM1; p={PKCS1_TEXT}", KeyType.RSA, 2048),
        (f"v=DKIM1; p={RSA_TEXT[:40]} {RSA_TEXT[40:]};", KeyType.RSA, 2048),
        (f"v=DKIM1; p={WEAK}", KeyType.RSA, 512),
        (f"v=DKIM1; k=ed25519; p={ED25519_TEXT}", KeyType.ED25519, 256),
    ],
)
def test_the_size_is_that_of_the_real_key(text: str, key_type: KeyType, bits: int) -> None:
    key = dkim.parse(text)
    assert (key.key_type, key.bits, key.revoked) == (key_type, bits, False)


def test_flags_and_lists() -> None:
    key = dkim.parse(f"v=DKIM1; h=sha1 : sha256; s=email:x; t=y:s; n=note; z=unknown; p={WEAK}")
    assert (key.testing, key.strict) == (True, True)
    assert key.hash_algorithms == {"sha1", "sha256"}
    assert key.services == {"email", "x"}
    assert key.for_email
    assert key.allows_sha256


def test_defaults_and_what_rules_mail_out() -> None:
    key = dkim.parse(f"p={WEAK}")
    assert (key.testing, key.strict, key.for_email, key.allows_sha256) == (False, False, True, True)
    assert not dkim.parse(f"h=sha1; p={WEAK}").allows_sha256
    assert not dkim.parse(f"s=chat; p={WEAK}").for_email


@pytest.mark.parametrize(("encoded", "cut"), [(WEAK[:-3], True), ("not*base64**", False)])
def test_a_key_that_was_cut_off_is_called_so(encoded: str, cut: bool) -> None:
    with pytest.raises(DkimError) as caught:
        dkim.parse(f"p={encoded}")
    assert ("cut off" in caught.value.message) is cut


def test_sizes_are_those_of_rfc_8301() -> None:
    assert (dkim.MINIMUM_RSA_BITS, dkim.RECOMMENDED_RSA_BITS) == (1024, 2048)


def test_an_empty_key_is_revoked() -> None:
    key = dkim.parse("v=DKIM1; p=")
    assert (key.revoked, key.bits) == (True, 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("v=DKIM1; k=rsa", "missing_key"),
        (f"v=DKIM2; p={WEAK}", "version"),
        (f"p={WEAK}; v=DKIM1", "version"),
        (f"k=dsa; p={WEAK}", "key_type"),
        (f"p={WEAK}; p={WEAK}", "duplicate_tag"),
        ("p=not*base64", "base64"),
        (f"p={WEAK[:-3]}", "base64"),
        ("p=AAAA", "key"),
        (f"p={EC_TEXT}", "key"),
        (f"k=ed25519; p={WEAK}", "key"),
        (f"p={ED25519_TEXT}", "key"),
        ("", "missing_key"),
    ],
)
def test_keys_that_no_verifier_can_use(text: str, code: str) -> None:
    with pytest.raises(DkimError) as caught:
        dkim.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "expected"), [("v=DKIM1; k=rsa", True), ("k=rsa; p=", True), ("v=spf1 -all", False)]
)
def test_a_key_record_is_told_from_other_texts(text: str, expected: bool) -> None:
    assert dkim.is_dkim(text) is expected


@given(
    st.text()
    | st.builds(lambda k, data: f"k={k};p={base64.b64encode(data).decode()}",
                st.sampled_from(["rsa", "ed25519"]), st.binary(max_size=80))
)  # fmt: skip
@settings(max_examples=200)
def test_no_text_raises_anything_but_dkim_error(text: str) -> None:
    with suppress(DkimError):
        key = dkim.parse(text)
        assert key.revoked == (key.bits == 0)


def test_usual_selectors_are_tried_once_each() -> None:
    names = [usual.selector for usual in USUAL_SELECTORS]
    assert len(names) == len(set(names))
