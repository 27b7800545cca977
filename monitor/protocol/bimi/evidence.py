"""The evidence document: a mark certificate (VMC or CMC) and its issuers, in PEM.

"The draft" is draft-fetch-validation-vmc-wchuang-11. Revocation and certificate transparency need a
network and are not looked at.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from itertools import islice
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

from monitor.protocol.bimi.authorities import AUTHORITIES
from monitor.protocol.bimi.record import DEFAULT_SELECTOR, record_name
from monitor.protocol.bimi.svg import Svg, read_svg
from monitor.protocol.names import folded
from monitor.protocol.problem import Problem, RecordError, quoted

MOST_EVIDENCE = 64 * 1024
"""Beyond that an evidence document is not read."""

_MOST_CERTIFICATES = 6
_LARGEST_RSA, _LARGEST_EXPONENT = 8192, 2**32
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_BIMI_USAGE = ObjectIdentifier("1.3.6.1.5.5.7.3.31")  # id-kp-BrandIndicatorforMessageIdentification
_LOGOTYPE = ObjectIdentifier("1.3.6.1.5.5.7.1.12")  # id-pe-logotype (RFC 9399 §4.1)
_MARK_TYPE = ObjectIdentifier("1.3.6.1.4.1.53087.1.13")
_MEDIA_TYPES = ("image/svg+xml", "image/svg+xml+gzip")  # RFC 9399 §4.4.1 names both
_DER_IA5_STRING, _DER_CONSTRUCTED, _DER_LONG_TAG, _DER_LONG_LENGTH = 0x16, 0x20, 0x1F, 0x80
_DEEPEST, _MOST_ELEMENTS = 16, 1000

# What `cryptography` raises for a certificate that it cannot read, or read wholly.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class EvidenceError(RecordError):
    """No mark certificate can be read. Codes: ``size``, ``pem``, ``certificate``."""


class MarkKind(StrEnum):
    """Which of the two a mark certificate is: the trademark is verified (VMC), or its use is (CMC)."""

    VMC = "vmc"
    CMC = "cmc"


# The BIMI Group's "Minimum Security Requirements for Issuance of Mark Certificates" §7.1.4.2.2,
# subject:markType; §3.2.17 has those of a VMC, §3.2.16 those of a CMC.
_KINDS = {
    "registered mark": MarkKind.VMC,
    "government mark": MarkKind.VMC,
    "prior use mark": MarkKind.CMC,
    "modified registered mark": MarkKind.CMC,
    "pending registration mark": MarkKind.CMC,
    "provisional mark": MarkKind.CMC,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an evidence document says.

    Attributes:
        kind: VMC or CMC; None where the certificate does not say.
        names: the dNSNames that the mark certificate is for, folded.
        issuer: who issued it, as a name to show: text from outside.
        authority: the known authority that the chain leads to, "" where it leads to none.
        not_before: from when the mark certificate is valid (UTC).
        not_after: until when every certificate in the document is valid (UTC).
        logo: the logo embedded in it; None where it has none that can be read.
        problems: what makes receivers refuse it, besides names and time. Codes: ``certificate`` (one
            of its certificates cannot be read), ``order`` (the mark certificate is not the first, or
            there are several), ``key_usage``, ``logotype``, ``logo`` (the embedded one is invalid),
            ``mark_type``, ``key``, ``chain`` (a signature does not fit), ``authority`` (not known).
    """

    kind: MarkKind | None
    names: tuple[str, ...]
    issuer: str
    authority: str
    not_before: datetime
    not_after: datetime
    logo: Svg | None
    problems: tuple[Problem, ...] = ()


def read_evidence(data: bytes) -> Evidence:
    """What an evidence document says, and what is wrong with it (the draft's §3.3, §4, §5.1).

    Raises:
        EvidenceError: there is no certificate that can be read.
    """
    problems: list[Problem] = []
    certificates = _certificates(data, problems)
    first = next((c for c in certificates if _is_mark(c)), certificates[0])
    if first is not certificates[0] or sum(map(_is_mark, certificates)) > 1:
        problems.append(
            Problem("order", "the mark certificate is not the first, or not the only one")
        )
    issuers = [c for c in certificates if c is not first]
    logo = _embedded_logo(first, problems)
    if not _is_mark(first):
        problems.append(Problem("key_usage", "its key usage is not that of a mark certificate"))
    kind = _KINDS.get(_text(first.subject, _MARK_TYPE).lower())
    if kind is None:
        problems.append(Problem("mark_type", "it does not say which kind of mark it is for"))
    return Evidence(
        kind=kind,
        names=_names(first),
        issuer=_text(first.issuer, NameOID.ORGANIZATION_NAME) or first.issuer.rfc4514_string(),
        authority=_authority(first, issuers, problems),
        not_before=first.not_valid_before_utc,
        not_after=min(c.not_valid_after_utc for c in certificates),
        logo=logo,
        problems=tuple(problems),
    )


def covers(names: Collection[str], *domains: str, selector: str = DEFAULT_SELECTOR) -> bool:
    """Whether a mark certificate's names stand for one of the domains: the one with the record, and its organizational domain.

    Exactly: the domain, or ``<selector>._bimi.<domain>`` (the draft's §5.2); a wildcard is none.
    """
    wanted = {folded(domain) for domain in domains}
    wanted |= {record_name(domain, selector) for domain in wanted}
    return not wanted.isdisjoint(names)


def same_logo(one: Svg, other: Svg) -> bool:
    """Whether two logos are the same drawing, byte for byte when uncompressed (§5.3 step 7)."""
    return bool(one.sha256) and one.sha256 == other.sha256


def _certificates(data: bytes, problems: list[Problem]) -> list[x509.Certificate]:
    if len(data) > MOST_EVIDENCE:
        raise EvidenceError("size", f"{len(data)} bytes are more than {MOST_EVIDENCE}")
    blocks = [found[1] for found in _PEM.finditer(data)]
    if not blocks:
        raise EvidenceError("pem", "no certificate in PEM (RFC 7468)")
    if len(blocks) > _MOST_CERTIFICATES:
        problems.append(Problem("order", f"{len(blocks)} certificates: a chain has three or four"))
    certificates = []
    for number, block in enumerate(blocks[:_MOST_CERTIFICATES], 1):
        try:
            certificates.append(_certificate(block))
        except (*_UNREADABLE, binascii.Error) as error:
            message = f"certificate {number} cannot be read: {quoted(str(error))}"
            if number == 1:
                raise EvidenceError("certificate", message) from None
            problems.append(Problem("certificate", message))
    return certificates


def _certificate(block: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(
        base64.b64decode(b"".join(block.split()), validate=True)
    )
    # These are read late, and raise then: here, where it is caught.
    _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key())
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return certificate


def _is_mark(certificate: x509.Certificate) -> bool:
    """A leaf with the usage; its direct issuer has the usage as well (§4.4)."""
    extensions = certificate.extensions
    try:
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return _BIMI_USAGE in usage and not _is_authority(certificate)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _text(name: x509.Name, oid: ObjectIdentifier) -> str:
    values = name.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(map(folded, found.value.get_values_for_type(x509.DNSName)))


# --- the chain -------------------------------------------------------------------------------------


@cache
def _known() -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(AUTHORITIES.encode()))


def _authority(
    first: x509.Certificate, issuers: Sequence[x509.Certificate], problems: list[Problem]
) -> str:
    """The name of the known authority that the chain leads to, or "" with a problem that says why."""
    chain = [first]
    while (known := _known_issuer(chain[-1])) is None:
        named = [c for c in issuers if c not in chain and c.subject == chain[-1].issuer]
        signer = next((c for c in named if _signed(chain[-1], c)), None)
        if signer is None:
            problems.append(_end_of_chain(chain[-1], named))
            return ""
        chain.append(signer)
    return _text(known.subject, NameOID.COMMON_NAME)


def _end_of_chain(last: x509.Certificate, named: Sequence[x509.Certificate]) -> Problem:
    name = quoted(_text(last.issuer, NameOID.COMMON_NAME) or last.issuer.rfc4514_string())
    if not all(map(_is_bounded, named)):
        return Problem("key", f"the key of {name} is of a kind or size that nobody accepts")
    if named or last.issuer in [known.subject for known in _known()]:
        return Problem("chain", f"a signature is not that of {name}")
    if last.subject == last.issuer:
        return Problem("authority", f"{name} is no authority known to issue mark certificates")
    return Problem("chain", f"the certificate of {name} is missing")


def _known_issuer(certificate: x509.Certificate) -> x509.Certificate | None:
    return next((known for known in _known() if _leads_to(certificate, known)), None)


def _leads_to(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    return certificate == root or (
        certificate.issuer == root.subject and _signed(certificate, root)
    )


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if not _is_bounded(issuer):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def _is_bounded(issuer: x509.Certificate) -> bool:
    """Whether its key costs little to verify with: whoever serves the document chose it."""
    key = issuer.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size <= _LARGEST_RSA and key.public_numbers().e <= _LARGEST_EXPONENT
    return isinstance(key, ec.EllipticCurvePublicKey)


# --- the embedded logo -----------------------------------------------------------------------------


def _embedded_logo(certificate: x509.Certificate, problems: list[Problem]) -> Svg | None:
    """The SVG of the logotype extension (RFC 9399 §4.1): a data URI with its bytes (RFC 2397)."""
    try:
        extension = certificate.extensions.get_extension_for_oid(_LOGOTYPE).value
    except x509.ExtensionNotFound:
        problems.append(Problem("logotype", "it has no logotype extension"))
        return None
    data = extension.value if isinstance(extension, x509.UnrecognizedExtension) else b""
    elements = islice(_der_elements(data), _MOST_ELEMENTS)
    strings = (content for tag, content in elements if tag == _DER_IA5_STRING)
    embedded = next(filter(None, map(_of_data_uri, strings)), None)
    if embedded is None:
        problems.append(Problem("logotype", "its logotype extension has no embedded SVG"))
        return None
    logo = read_svg(embedded)
    problems += [Problem("logo", f"the embedded logo: {p.message}") for p in logo.problems]
    return logo


def _der_elements(data: bytes, depth: int = 0) -> Iterator[tuple[int, bytes]]:
    """Tag and content of every element of a DER structure, in order; what is not DER ends it."""
    offset = 0
    while depth < _DEEPEST and offset + 2 <= len(data):
        tag, length, start = data[offset], data[offset + 1], offset + 2
        if length & _DER_LONG_LENGTH:
            count = length & ~_DER_LONG_LENGTH
            length = int.from_bytes(data[start : start + count], "big")
            start += count
        content = data[start : start + length]
        if tag & _DER_LONG_TAG == _DER_LONG_TAG or len(content) != length:
            return
        yield tag, content
        if tag & _DER_CONSTRUCTED:
            yield from _der_elements(content, depth + 1)
        offset = start + length


def _of_data_uri(uri: bytes) -> bytes | None:
    head, comma, body = uri.partition(b",")
    if not comma or not head.lower().startswith(b"data:"):
        return None
    media_type, *parameters = head[len(b"data:") :].lower().decode("latin-1").split(";")
    if media_type not in _MEDIA_TYPES:
        return None
    content = unquote_to_bytes(body)
    if "base64" not in parameters:
        return content
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        return None
