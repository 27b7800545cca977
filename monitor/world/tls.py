"""TLS towards servers that we look at: one context for all, and what their certificates say."""

import re
import ssl
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitor.check import Certificate, TlsSession

_LEGACY_SERVER_CONNECT = 0x4  # OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT, named in `ssl` since 3.12
_LONGEST_CHAIN = 10
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@cache
def looking_context() -> ssl.SSLContext:
    """The client context that talks to whatever is there, TLS 1.0 and bad certificates included.

    It verifies nothing, so that the chain of a bad server can be read; `TrustStore` judges it after.
    One for all: each costs time and memory.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # OpenSSL 3 speaks TLS 1.0 and 1.1 at this level only
    context.options |= _LEGACY_SERVER_CONNECT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # we look at old servers, on purpose
        context.minimum_version = ssl.TLSVersion.TLSv1
    return context


class TrustStore:
    """The certificates of the authorities that we trust."""

    def __init__(self, anchors: Sequence[x509.Certificate]) -> None:
        self._store = verification.Store(list(anchors)) if anchors else None

    @classmethod
    def of_system(cls, extra: Path | None = None) -> "TrustStore":
        """The system's authorities (SSL_CERT_FILE and SSL_CERT_DIR count) and those in the file `extra`.

        Raises:
            OSError: `extra` cannot be read.
            ValueError: `extra` holds no certificate.
        """
        own = x509.load_pem_x509_certificates(extra.read_bytes()) if extra is not None else []
        return cls([*own, *_system_anchors()])

    @property
    def is_empty(self) -> bool:
        """Whether there is no authority to trust at all, which is this machine's trouble."""
        return self._store is None

    def distrust(self, chain: Sequence[x509.Certificate], at: datetime) -> str | None:
        """Why the chain (leaf first, any order after) leads to none of our anchors at that time (UTC)."""
        if not chain:
            return "the server sent no certificate"
        leaf = chain[0]
        if reason := _out_of_date(leaf, at):
            return f"the certificate {reason}"
        if self._store is None:
            return (
                "this machine has no certificates of authorities to compare with (ca-certificates)"
            )
        try:
            _verify(leaf, chain[1:], self._store, at)
        except (verification.VerificationError, ValueError) as error:
            return _reason(chain, at, error)
        return None


def _verify(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    store: verification.Store,
    at: datetime,
) -> None:
    # A client verifier, since it asks for no name: names are judged apart. The extensions that the
    # Web PKI demands are not asked for: mail servers' own authorities often lack them.
    builder = (
        verification.PolicyBuilder()
        .store(store)
        .time(at.replace(tzinfo=None))
        .max_chain_depth(_LONGEST_CHAIN)
        .extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)
    )
    builder.build_client_verifier().verify(leaf, list(others[:_LONGEST_CHAIN]))


def _must_serve(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    extension: x509.ExtendedKeyUsage | None,
) -> None:
    uses = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if extension is not None and uses.isdisjoint(extension):
        raise ValueError("the certificate is not meant for a server")


_ANY = verification.Criticality.AGNOSTIC
_CA_POLICY = verification.ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, _ANY, None
)
_LEAF_POLICY = verification.ExtensionPolicy.permit_all().may_be_present(
    x509.ExtendedKeyUsage, _ANY, _must_serve
)
_NOISE = re.compile(
    r"^validation failed: |candidates exhausted: |Python extension validator failed: ValueError: "
    r"| \(encountered processing .*"
)


def _out_of_date(certificate: x509.Certificate, at: datetime) -> str:
    if certificate.not_valid_after_utc < at:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if certificate.not_valid_before_utc > at:
        return f"is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}"
    return ""


def _reason(chain: Sequence[x509.Certificate], at: datetime, error: Exception) -> str:
    leaf = chain[0]
    if leaf.issuer == leaf.subject:
        return "the certificate is self-signed"
    # Servers also send cross-signed certificates that expired and that no path needs: only where
    # there is no path do they tell why.
    for certificate in chain[1:]:
        if reason := _out_of_date(certificate, at):
            return f"the certificate of {_name(certificate.subject)} in the chain {reason}"
    text = str(error)
    if "no interior errors" in text:
        return f"no trusted authority issued it; its issuer is {_name(leaf.issuer)}"
    return f"the chain does not verify: {_NOISE.sub('', text)[:200]}"


def _system_anchors() -> tuple[x509.Certificate, ...]:
    paths = ssl.get_default_verify_paths()
    files = [Path(paths.cafile)] if paths.cafile else []
    if not files and paths.capath:
        files = sorted(Path(paths.capath).glob("*.[0-9]"))
    found: dict[bytes, x509.Certificate] = {}
    for file in files:
        for certificate in _readable(file):
            found.setdefault(certificate.fingerprint(hashes.SHA256()), certificate)
    return tuple(found.values())


def _readable(file: Path) -> list[x509.Certificate]:
    """The certificates of a file, without those that cannot be parsed: old roots break today's rules."""
    try:
        bundle = file.read_bytes()
    except OSError:
        return []
    found = []
    for pem in _PEM.findall(bundle):
        with suppress(ValueError):
            found.append(_parsed(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))))
    return found


def _parsed(der: bytes) -> x509.Certificate:
    with warnings.catch_warnings():
        # Certificates are data here: that one is odd (a negative serial number) is nobody's warning.
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(der)


def read_session(tls: ssl.SSLObject, store: TrustStore, at: datetime) -> TlsSession:
    """What was negotiated, with the chain as the server sent it; never raises for what it sent."""
    cipher = tls.cipher()
    chain, broken = [], ""
    for der in _sent_chain(tls):
        try:
            certificate = _parsed(der)
            chain.append((certificate, describe(certificate)))
        except Exception as error:  # noqa: BLE001 - cryptography raises many kinds for hostile DER
            broken = broken or f"a certificate cannot be read: {str(error)[:200]}"
    return TlsSession(
        protocol=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        chain=tuple(described for _, described in chain),
        untrusted=broken or store.distrust([certificate for certificate, _ in chain], at),
        no_authorities=store.is_empty,
        whole=not broken,
    )


def _sent_chain(tls: ssl.SSLObject) -> list[bytes]:
    """The chain as sent, DER, leaf first. Python 3.13 has it in the open, 3.11 and 3.12 underneath."""
    if hasattr(tls, "get_unverified_chain"):
        return list(tls.get_unverified_chain())
    chain = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # noqa: SLF001
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in chain or ()]


def describe(certificate: x509.Certificate) -> Certificate:
    """The parts of a certificate that people act on.

    Raises:
        ValueError: an extension or a name cannot be parsed.
    """
    return Certificate(
        subject=_name(certificate.subject),
        issuer=_name(certificate.issuer),
        names=_alternative_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        der=certificate.public_bytes(Encoding.DER),
    )


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return (*names, *map(str, addresses))


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()


def ssl_words(error: ssl.SSLError) -> str:
    """OpenSSL's reason as words."""
    return (error.reason or str(error)).replace("_", " ").lower()[:200]


def moment(seconds: float) -> datetime:
    """Seconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
