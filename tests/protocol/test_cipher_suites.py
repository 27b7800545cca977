"""Which cipher suites are weak, by the names of IANA and of OpenSSL."""

import pytest

from monitor.protocol.cipher_suites import WEAK_SUITES, Weakness, weakness

NAMES = [
    ("TLS_AES_256_GCM_SHA384", None),
    ("ECDHE-RSA-AES128-GCM-SHA256", None),
    ("ECDHE-RSA-CHACHA20-POLY1305", None),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", None),
    ("DHE-RSA-CAMELLIA256-SHA", None),
    ("", None),
    ("NULL-SHA256", Weakness.NULL),
    ("AECDH-NULL-SHA", Weakness.NULL),
    ("EXP-RC4-MD5", Weakness.EXPORT),
    ("TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA", Weakness.EXPORT),
    ("ADH-AES256-GCM-SHA384", Weakness.ANONYMOUS),
    ("TLS_ECDH_anon_WITH_RC4_128_SHA", Weakness.ANONYMOUS),
    ("DES-CBC-SHA", Weakness.DES),
    ("EDH-RSA-DES-CBC3-SHA", Weakness.TRIPLE_DES),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", Weakness.TRIPLE_DES),
    ("ECDHE-ECDSA-RC4-SHA", Weakness.RC4),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_suite_is_weak_for_its_gravest_reason(name: str, expected: Weakness | None) -> None:
    assert weakness(name) is expected


def test_every_listed_suite_is_weak_and_every_weakness_is_looked_for() -> None:
    assert {weakness(name) for name in WEAK_SUITES.values()} == set(Weakness)
