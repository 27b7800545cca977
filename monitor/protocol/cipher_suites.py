"""Cipher suites that protect nothing, or too little, by number and by name.

Numbers and names are those of the IANA registry "TLS Cipher Suites"; OpenSSL's names are understood too.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Weakness(StrEnum):
    """Why a suite must not be negotiated (RFC 9325 §4.1), the gravest first."""

    NULL = "null"
    """No encryption."""
    EXPORT = "export"
    """Keys of 40 or 56 bits, made to be broken (FREAK, Logjam)."""
    ANONYMOUS = "anonymous"
    """Nobody proves who they are: whoever stands in between reads along."""
    DES = "des"
    """Keys of 56 bits (RFC 5469)."""
    RC4 = "rc4"
    """Biased key stream (RFC 7465)."""
    TRIPLE_DES = "3des"
    """Blocks of 64 bits: much traffic under one key leaks (Sweet32, CVE-2016-2183)."""


_PARTS: tuple[tuple[Weakness, frozenset[str]], ...] = (
    (Weakness.NULL, frozenset({"NULL"})),
    (Weakness.EXPORT, frozenset({"EXPORT", "EXP", "EXP1024"})),
    (Weakness.ANONYMOUS, frozenset({"ANON", "ADH", "AECDH"})),
    (Weakness.RC4, frozenset({"RC4"})),
    (Weakness.TRIPLE_DES, frozenset({"3DES", "CBC3"})),
    (Weakness.DES, frozenset({"DES"})),
)


def weakness(name: str) -> Weakness | None:
    """Why the suite of this name is weak; None where it is not, or where it is not known.

    >>> weakness("ECDHE-RSA-DES-CBC3-SHA").value, weakness("TLS_RSA_WITH_RC4_128_SHA").value
    ('3des', 'rc4')
    >>> weakness("TLS_AES_256_GCM_SHA384")
    """
    parts = set(name.upper().replace("_", "-").split("-"))
    return next((weak for weak, marks in _PARTS if parts & marks), None)


WEAK_SUITES: Mapping[int, str] = MappingProxyType(
    {
        0x0001: "TLS_RSA_WITH_NULL_MD5",
        0x0002: "TLS_RSA_WITH_NULL_SHA",
        0x0003: "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
        0x0004: "TLS_RSA_WITH_RC4_128_MD5",
        0x0005: "TLS_RSA_WITH_RC4_128_SHA",
        0x0006: "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
        0x0008: "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
        0x0009: "TLS_RSA_WITH_DES_CBC_SHA",
        0x000A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        0x000B: "TLS_DH_DSS_EXPORT_WITH_DES40_CBC_SHA",
        0x000C: "TLS_DH_DSS_WITH_DES_CBC_SHA",
        0x000D: "TLS_DH_DSS_WITH_3DES_EDE_CBC_SHA",
        0x000E: "TLS_DH_RSA_EXPORT_WITH_DES40_CBC_SHA",
        0x000F: "TLS_DH_RSA_WITH_DES_CBC_SHA",
        0x0010: "TLS_DH_RSA_WITH_3DES_EDE_CBC_SHA",
        0x0011: "TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA",
        0x0012: "TLS_DHE_DSS_WITH_DES_CBC_SHA",
        0x0013: "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA",
        0x0014: "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
        0x0015: "TLS_DHE_RSA_WITH_DES_CBC_SHA",
        0x0016: "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA",
        0x0017: "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5",
        0x0018: "TLS_DH_anon_WITH_RC4_128_MD5",
        0x0019: "TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA",
        0x001A: "TLS_DH_anon_WITH_DES_CBC_SHA",
        0x001B: "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA",
        0x0034: "TLS_DH_anon_WITH_AES_128_CBC_SHA",
        0x003A: "TLS_DH_anon_WITH_AES_256_CBC_SHA",
        0x003B: "TLS_RSA_WITH_NULL_SHA256",
        0x0046: "TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA",
        0x006C: "TLS_DH_anon_WITH_AES_128_CBC_SHA256",
        0x006D: "TLS_DH_anon_WITH_AES_256_CBC_SHA256",
        0x0089: "TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA",
        0x009B: "TLS_DH_anon_WITH_SEED_CBC_SHA",
        0x00A6: "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
        0x00A7: "TLS_DH_anon_WITH_AES_256_GCM_SHA384",
        0xC001: "TLS_ECDH_ECDSA_WITH_NULL_SHA",
        0xC002: "TLS_ECDH_ECDSA_WITH_RC4_128_SHA",
        0xC003: "TLS_ECDH_ECDSA_WITH_3DES_EDE_CBC_SHA",
        0xC006: "TLS_ECDHE_ECDSA_WITH_NULL_SHA",
        0xC007: "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
        0xC008: "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
        0xC00B: "TLS_ECDH_RSA_WITH_NULL_SHA",
        0xC00C: "TLS_ECDH_RSA_WITH_RC4_128_SHA",
        0xC00D: "TLS_ECDH_RSA_WITH_3DES_EDE_CBC_SHA",
        0xC010: "TLS_ECDHE_RSA_WITH_NULL_SHA",
        0xC011: "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        0xC012: "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        0xC015: "TLS_ECDH_anon_WITH_NULL_SHA",
        0xC016: "TLS_ECDH_anon_WITH_RC4_128_SHA",
        0xC017: "TLS_ECDH_anon_WITH_3DES_EDE_CBC_SHA",
        0xC018: "TLS_ECDH_anon_WITH_AES_128_CBC_SHA",
        0xC019: "TLS_ECDH_anon_WITH_AES_256_CBC_SHA",
    }
)
"""Every suite that `weakness` names, by its number."""
