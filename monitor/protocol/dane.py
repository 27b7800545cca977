"""DANE for SMTP: TLSA records (RFC 6698, RFC 7671), and which certificates they let pass (RFC 7672).

A sender that finds usable TLSA records under DNSSEC delivers only to a host whose certificate one of
them names; where none does, mail waits and then bounces.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from monitor.protocol.problem import RecordError, quoted

_FIELD = re.compile(r"[0-9]{1,3}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_FIELDS = 4
_LARGEST_FIELD = 255
# A record's data ends where a DNS message does.
_LONGEST_TEXT = 2 * 65535 + 64


class Usage(IntEnum):
    """What the named certificate is to the host's own (RFC 6698 §2.1.1, RFC 7218)."""

    PKIX_TA = 0
    PKIX_EE = 1
    DANE_TA = 2
    DANE_EE = 3


class Selector(IntEnum):
    """Which part of the certificate is named (RFC 6698 §2.1.2)."""

    CERTIFICATE = 0
    PUBLIC_KEY = 1


class Matching(IntEnum):
    """How it is named (RFC 6698 §2.1.3)."""

    EXACT = 0
    SHA256 = 1
    SHA512 = 2


_DIGEST_SIZES = {Matching.SHA256: 32, Matching.SHA512: 64}


class TlsaError(RecordError):
    """Text that is no TLSA record. Code ``syntax``."""


class CertificateError(ValueError):
    """Bytes that are no certificate in DER."""


@dataclass(frozen=True, slots=True, order=True)
class TlsaRecord:
    """One record's fields; `str` is its presentation form, as it stands in a zone."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


def parse(text: str) -> TlsaRecord:
    """A record's data in presentation form (RFC 6698 §2.2), such as ``3 1 1 <hex>``.

    Raises:
        TlsaError: it is none.
    """
    words = text.split(maxsplit=_FIELDS - 1) if len(text) <= _LONGEST_TEXT else []
    # A zone file may break long data up (RFC 6698 §2.2).
    digits = "".join(words[-1].split()) if len(words) == _FIELDS else ""
    if not _HEX.fullmatch(digits) or not all(map(_FIELD.fullmatch, words[:-1])):
        raise TlsaError("syntax", f"{quoted(text)} is no TLSA record")
    usage, selector, matching = map(int, words[:-1])
    if max(usage, selector, matching) > _LARGEST_FIELD:
        raise TlsaError("syntax", f"{quoted(text)}: a field is larger than {_LARGEST_FIELD}")
    return TlsaRecord(usage, selector, matching, bytes.fromhex(digits))


def unusable(record: TlsaRecord) -> str:
    """Why a sending mail server passes the record over; "" where it does not.

    RFC 7672 §3.1.3: the usages 0 and 1 (PKIX) mean nothing to it. RFC 7671 §10.2: neither do fields
    that it does not know, and digests of the wrong length.
    """
    if record.usage in {Usage.PKIX_TA, Usage.PKIX_EE}:
        return f"usage {record.usage} (PKIX) is not for SMTP (RFC 7672 section 3.1.3): use 3 or 2"
    if record.usage not in set(Usage):
        return f"usage {record.usage} is not assigned"
    if record.selector not in set(Selector):
        return f"selector {record.selector} is not assigned"
    if record.matching not in set(Matching):
        return f"matching type {record.matching} is not assigned"
    size = _DIGEST_SIZES.get(Matching(record.matching))
    if size is not None and len(record.data) != size:
        return (
            f"the digest has {len(record.data)} bytes, matching type {record.matching} has {size}"
        )
    return ""


# --- what of a certificate is named ----------------------------------------------------------------


def named_part(certificate: bytes, selector: Selector, matching: Matching) -> bytes:
    """The data of a record that names the certificate (DER).

    Raises:
        CertificateError: it cannot be read.
    """
    part = certificate if selector is Selector.CERTIFICATE else public_key_info(certificate)
    match matching:
        case Matching.SHA256:
            return hashlib.sha256(part).digest()
        case Matching.SHA512:
            return hashlib.sha512(part).digest()
    return part


def record_for(
    certificate: bytes,
    usage: Usage = Usage.DANE_EE,
    selector: Selector = Selector.PUBLIC_KEY,
    matching: Matching = Matching.SHA256,
) -> TlsaRecord:
    """The record to publish for a certificate (DER); ``3 1 1`` is what RFC 7672 §3.1.1 recommends.

    Raises:
        CertificateError: it cannot be read.
    """
    return TlsaRecord(usage, selector, matching, named_part(certificate, selector, matching))


def public_key_info(certificate: bytes) -> bytes:
    """The certificate's SubjectPublicKeyInfo, its bytes as they stand there (RFC 6698 §1.3).

    Taken by position (RFC 5280 §4.1), so that a key of a kind that nobody here knows can be named too.

    Raises:
        CertificateError: the bytes are no certificate.
    """
    tbs = _inner(certificate, _inner(certificate, _Span(0, len(certificate))))
    at = tbs.start
    if certificate[at : at + 1] == b"\xa0":  # [0] version
        at = _element(certificate, at, tbs.end).end
    for _ in ("serialNumber", "signature", "issuer", "validity", "subject"):
        at = _element(certificate, at, tbs.end).end
    key = _element(certificate, at, tbs.end)
    if certificate[key.start : key.start + 1] != _SEQUENCE:
        raise CertificateError("no public key where a certificate has it")
    return certificate[key.start : key.end]


_SEQUENCE = b"\x30"
_LONG_LENGTH = 0x80
_MOST_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Span:
    """A DER element, or the inside of one: offsets into the certificate."""

    start: int
    end: int


def _inner(der: bytes, span: _Span) -> _Span:
    """The inside of the sequence that begins the span."""
    if der[span.start : span.start + 1] != _SEQUENCE:
        raise CertificateError("no certificate: a sequence is expected")
    element = _element(der, span.start, span.end)
    return _Span(_header_end(der, span.start, span.end), element.end)


def _element(der: bytes, start: int, end: int) -> _Span:
    inside = _header_end(der, start, end)
    first = der[start + 1]
    length = first if first < _LONG_LENGTH else int.from_bytes(der[start + 2 : inside], "big")
    if inside + length > end:
        raise CertificateError("no certificate: it is cut off")
    return _Span(start, inside + length)


def _header_end(der: bytes, start: int, end: int) -> int:
    """Where the inside of an element begins: after its tag and its length (X.690 §8.1.3)."""
    if start + 2 > end:
        raise CertificateError("no certificate: it is cut off")
    extra = max(0, der[start + 1] - _LONG_LENGTH)
    if extra > _MOST_LENGTH_BYTES or der[start + 1] == _LONG_LENGTH or start + 2 + extra > end:
        raise CertificateError("no certificate: a length that DER does not have")
    return start + 2 + extra


# --- matching --------------------------------------------------------------------------------------


class Fit(StrEnum):
    """What a record is to the chain that a host presented."""

    MATCHES = "matches"
    DIFFERS = "differs"
    """It names another certificate: an old one, or the next one that is published in advance."""
    UNUSABLE = "unusable"
    SUPERSEDED = "superseded"
    """A stronger digest stands beside it, so senders leave it out (RFC 7671 §9)."""
    UNDECIDED = "undecided"
    """It holds a whole trust anchor that was not sent: senders differ in what they make of it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A record and what it is to a chain. `member` is the place of what it names in the chain, 0 is the host's own."""

    record: TlsaRecord
    fit: Fit
    member: int | None = None


def judge(records: Iterable[TlsaRecord], chain: Sequence[bytes]) -> tuple[Judged, ...]:
    """Each record against a chain of certificates (DER), the host's own first.

    A match says that the record names a certificate of the chain. For usage 3 that is all (RFC 7672
    §3.1.1: neither names nor dates count); for usage 2 the chain up to there must hold too
    (`broken_link`), its dates, and the host's name.
    """
    usable = [record for record in dict.fromkeys(records) if not unusable(record)]
    strongest: dict[tuple[int, int], int] = {}
    for record in usable:
        kind = (record.usage, record.selector)
        strongest[kind] = max(strongest.get(kind, 0), record.matching)
    parts = _NamedParts(chain)
    return tuple(_judged(record, parts, strongest) for record in dict.fromkeys(records))


class _NamedParts:
    """What of a chain's certificates can be named; each part is made once, however many records there are."""

    def __init__(self, chain: Sequence[bytes]) -> None:
        self._chain = chain
        self._made: dict[tuple[int, int, int], bytes | None] = {}

    def places(self, usage: int) -> range:
        """The certificates that a usage may name: the host's own for 3, those above it for 2."""
        own = min(1, len(self._chain))
        return range(own) if usage == Usage.DANE_EE else range(own, len(self._chain))

    def at(self, place: int, selector: int, matching: int) -> bytes | None:
        """None where the certificate cannot be read."""
        key = (place, selector, matching)
        if key not in self._made:
            try:
                part = named_part(self._chain[place], Selector(selector), Matching(matching))
            except CertificateError:
                self._made[key] = None
            else:
                self._made[key] = part
        return self._made[key]


def _judged(
    record: TlsaRecord, parts: _NamedParts, strongest: dict[tuple[int, int], int]
) -> Judged:
    if unusable(record):
        return Judged(record, Fit.UNUSABLE)
    named = (record.selector, record.matching)
    places = parts.places(record.usage)
    member = next((place for place in places if parts.at(place, *named) == record.data), None)
    # RFC 7671 §9: the whole value is never left out for a digest, only a digest for a stronger one.
    if Matching.EXACT < record.matching < strongest[record.usage, record.selector]:
        return Judged(record, Fit.SUPERSEDED, member)
    if member is not None:
        return Judged(record, Fit.MATCHES, member)
    whole_anchor = record.usage == Usage.DANE_TA and record.matching == Matching.EXACT
    return Judged(record, Fit.UNDECIDED if whole_anchor else Fit.DIFFERS)


class Rollover(StrEnum):
    """How ready a host's records are for the next key (RFC 7671 §8)."""

    MISMATCH = "mismatch"
    """None of the records that senders use names what the host presents."""
    SINGLE = "single"
    """Only what is presented is named: a record of the next key must be published before that is used."""
    PREPARED = "prepared"
    """What is presented is named, and another one too."""


def rollover(judged: Sequence[Judged]) -> Rollover:
    """The state of a rollover, from records judged against what one host presents."""
    if not any(one.fit is Fit.MATCHES for one in judged):
        return Rollover.MISMATCH
    others = any(one.fit is Fit.DIFFERS for one in judged)
    anchor = any(one.fit is Fit.MATCHES and one.member for one in judged)
    # A trust anchor names the next certificate that it issues as well.
    return Rollover.PREPARED if others or anchor else Rollover.SINGLE


_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def broken_link(chain: Sequence[bytes], anchor: int) -> int | None:
    """The first certificate below `anchor` that the next one did not issue; None where all were.

    For usage 2: a record that names an anchor says nothing of a chain that does not lead to it.
    """
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain[: anchor + 1]]
    except _UNREADABLE:
        return 0
    for place, (issued, issuer) in enumerate(itertools.pairwise(certificates)):
        try:
            issued.verify_directly_issued_by(issuer)
        except (InvalidSignature, *_UNREADABLE):
            return place
    return None
