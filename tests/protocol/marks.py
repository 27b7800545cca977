"""Mark certificates as a verifying authority would issue them, by an authority that nobody knows."""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

_BIMI_USAGE = ObjectIdentifier("1.3.6.1.5.5.7.3.31")
_LOGOTYPE = ObjectIdentifier("1.3.6.1.5.5.7.1.12")
_MARK_TYPE = ObjectIdentifier("1.3.6.1.4.1.53087.1.13")
_SHA256_OID = bytes.fromhex("0609608648016503040201")
_SEQUENCE, _IA5_STRING, _OCTET_STRING = 0x30, 0x16, 0x04
_DIRECT, _SUBJECT_LOGO = 0xA0, 0xA2


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark certificate says. `kind` is its subject:markType; an empty one is left out, as is an empty logo."""

    names: Sequence[str]
    logo: bytes
    not_before: datetime
    not_after: datetime
    kind: str = "Registered Mark"


def evidence_document(mark: Mark) -> bytes:
    """The certificate and its issuer in PEM, as an `a=` address serves them; another authority each time."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab Mark Authority")])
    usage = x509.ExtendedKeyUsage([_BIMI_USAGE])
    authority = (
        _certificate(authority_name, mark)
        .issuer_name(authority_name)
        .public_key(authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=False)
        .sign(authority_key, SHA256())
    )
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab")]
    subject += [x509.NameAttribute(_MARK_TYPE, mark.kind)] if mark.kind else []
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in mark.names])
    leaf = (
        _certificate(x509.Name(subject), mark)
        .issuer_name(authority_name)
        .public_key(key.public_key())
        .add_extension(names, critical=False)
        .add_extension(usage, critical=False)
    )
    if mark.logo:
        logotype = x509.UnrecognizedExtension(_LOGOTYPE, _logotype(mark.logo))
        leaf = leaf.add_extension(logotype, critical=False)
    signed = leaf.sign(authority_key, SHA256())
    return b"".join(c.public_bytes(Encoding.PEM) for c in (signed, authority))


def _certificate(subject: x509.Name, mark: Mark) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(mark.not_before)
        .not_valid_after(mark.not_after)
    )


def _logotype(logo: bytes) -> bytes:
    """RFC 9399 §4.1: a subjectLogo, direct, with its image in a data URI."""
    packed = gzip.compress(logo, mtime=0)
    uri = b"data:image/svg+xml;base64," + base64.b64encode(packed)
    algorithm = _der(_SEQUENCE, _SHA256_OID)
    hashes = _der(_SEQUENCE, algorithm, _der(_OCTET_STRING, sha256(packed).digest()))
    details = _der(
        _SEQUENCE,
        _der(_IA5_STRING, b"image/svg+xml"),
        _der(_SEQUENCE, hashes),
        _der(_SEQUENCE, _der(_IA5_STRING, uri)),
    )
    images = _der(_SEQUENCE, _der(_SEQUENCE, details))
    return _der(_SEQUENCE, _der(_SUBJECT_LOGO, _der(_DIRECT, images)))


def _der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    size = (length.bit_length() + 7) // 8
    head = bytes([length]) if length < 0x80 else bytes([0x80 | size]) + length.to_bytes(size, "big")
    return bytes([tag]) + head + content
