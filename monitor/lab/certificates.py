"""The lab's certificate authority, and what its hosts present: good, expired, self-signed, misnamed."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from monitor.lab.scenario import Certificate, Host, Site, TlsVersion

_FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_OUTDATED = frozenset({TlsVersion.V1_0, TlsVersion.V1_1})


def open_authority(directory: Path) -> trustme.CA:
    """Return the authority kept in a directory as `ca.pem` and `ca.key`, made at the first time.

    It stays the same over restarts, so a daemon that read it before still trusts the lab.
    """
    certificate, key = directory / "ca.pem", directory / "ca.key"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="Deliverability lab")
    authority.cert_pem.write_to_path(certificate)
    key.touch(mode=0o600)
    authority.private_key_pem.write_to_path(key)
    return authority


def tls_context(
    authority: trustme.CA, name: str, host: Host | Site, now: datetime
) -> ssl.SSLContext:
    """Return what the server of a host or a site needs to speak TLS as the scenario says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if host.tls.minimum in _OUTDATED or host.tls.maximum in _OUTDATED:
        # OpenSSL 3 speaks TLS 1.0 and 1.1 at this level only.
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    if host.tls.ciphers:
        context.set_ciphers(host.tls.ciphers)
    context.minimum_version = ssl.TLSVersion[host.tls.minimum]
    context.maximum_version = ssl.TLSVersion[host.tls.maximum]
    _issue(authority, name, host.certificate, now).configure_cert(context)
    return context


def _issue(
    authority: trustme.CA, name: str, certificate: Certificate, now: datetime
) -> trustme.LeafCert:
    names = certificate.names or (name,)
    not_after = now + timedelta(seconds=certificate.expires_in)
    if certificate.issuer == "self":
        return _self_signed(names, not_after, _key(certificate))
    issued = authority.issue_cert(*names, not_after=not_after)
    return issued if certificate.key is None else _for_key(authority, issued, _key(certificate))


def _key(certificate: Certificate) -> ec.EllipticCurvePrivateKey:
    if certificate.key is None:
        return ec.generate_private_key(ec.SECP256R1())
    return ec.derive_private_key(certificate.key, ec.SECP256R1())


def _for_key(
    authority: trustme.CA, issued: trustme.LeafCert, key: ec.EllipticCurvePrivateKey
) -> trustme.LeafCert:
    """The same certificate for another key: the authority makes a new one each time."""
    model = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    builder = (
        x509.CertificateBuilder()
        .subject_name(model.subject)
        .issuer_name(model.issuer)
        .public_key(key.public_key())
        .serial_number(model.serial_number)
        .not_valid_before(model.not_valid_before_utc)
        .not_valid_after(model.not_valid_after_utc)
    )
    for extension in model.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - what the authority makes
    return _leaf(key, builder.sign(signer, SHA256()))


def _leaf(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> trustme.LeafCert:
    return trustme.LeafCert(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
        [],
    )


def _self_signed(
    names: tuple[str, ...], not_after: datetime, key: ec.EllipticCurvePrivateKey
) -> trustme.LeafCert:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(not_after)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .sign(key, SHA256())
    )
    return _leaf(key, certificate)
