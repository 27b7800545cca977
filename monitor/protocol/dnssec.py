"""DNSSEC: whether the keys of a zone are those that its parent vouches for, and how long its signatures last.

Signatures are judged by what they say of themselves; validating them is a resolver's work.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from monitor.protocol.problem import Problem, RecordError, quoted

_NUMBER = re.compile(r"[0-9]{1,5}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_LONGEST_TEXT = 2 * 65535 + 64
_LONGEST_LABEL = 63
_LONGEST_NAME = 253
_BYTE, _WORD = 255, 65535

_Record = TypeVar("_Record")

_ZONE_KEY = 0x0100
_REVOKED = 0x0080
_ENTRY_POINT = 0x0001
_DNSKEY_PROTOCOL = 3

# RFC 9904 (IANA's registry of DNS security algorithms), RFC 9905 for SHA-1, RFC 9906 for GOST.
_MUST_NOT_SIGN = {
    1: "RSAMD5",
    3: "DSA",
    5: "RSASHA1",
    6: "DSA-NSEC3-SHA1",
    7: "RSASHA1-NSEC3-SHA1",
    12: "ECC-GOST",
}
_VALIDATED = frozenset({8, 10, 13, 14, 15, 16})
"""Algorithms that validators must know or are recommended to: RSA with SHA-2, ECDSA, EdDSA."""
_RSA = frozenset({1, 5, 7, 8, 10})
_SHORTEST_RSA_BITS = 1024

_SHA1 = 1
_DIGESTS = {_SHA1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}


class DnssecRecordError(RecordError):
    """Text that is no record of its type. Codes ``ds``, ``dnskey``, ``name``."""


@dataclass(frozen=True, slots=True)
class Ds:
    """What the parent publishes of a key (RFC 4034 §5.1)."""

    key_tag: int
    algorithm: int
    digest_type: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.key_tag} {self.algorithm} {self.digest_type} {self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Dnskey:
    """A key of a zone (RFC 4034 §2.1)."""

    flags: int
    protocol: int
    algorithm: int
    public_key: bytes

    @property
    def data(self) -> bytes:
        """The record's data on the wire."""
        return (
            self.flags.to_bytes(2, "big") + bytes((self.protocol, self.algorithm)) + self.public_key
        )

    @property
    def key_tag(self) -> int:
        """RFC 4034 Appendix B, and B.1 for RSAMD5."""
        if self.algorithm == 1:
            return int.from_bytes(self.public_key[-3:-1], "big")
        data = self.data
        total = (sum(data[::2]) << 8) + sum(data[1::2])
        return (total + (total >> 16)) & _WORD

    @property
    def may_sign(self) -> bool:
        """A zone key (RFC 4034 §2.1.1, §2.1.2) that was not revoked (RFC 5011 §2.1)."""
        zone_key = bool(self.flags & _ZONE_KEY) and not self.flags & _REVOKED
        return zone_key and self.protocol == _DNSKEY_PROTOCOL

    @property
    def rsa_bits(self) -> int | None:
        """The size of an RSA key's modulus (RFC 3110 §2); None for others and for what is none."""
        key = self.public_key
        if self.algorithm not in _RSA or not key:
            return None
        size, start = (key[0], 1) if key[0] else (int.from_bytes(key[1:3], "big"), 3)
        return int.from_bytes(key[start + size :], "big").bit_length() or None


def parse_ds(text: str) -> Ds:
    """A record's data in presentation form: ``<key tag> <algorithm> <digest type> <hex>``.

    Raises:
        DnssecRecordError: it is none.
    """
    words = _words(text)
    digest = "".join(words[3:])
    numbers = _numbers(words[:3], (_WORD, _BYTE, _BYTE))
    if numbers is None or not _HEX.fullmatch(digest):
        raise DnssecRecordError("ds", f"{quoted(text)} is no DS record")
    return Ds(*numbers, bytes.fromhex(digest))


def parse_dnskey(text: str) -> Dnskey:
    """A record's data in presentation form: ``<flags> <protocol> <algorithm> <Base64>``.

    Raises:
        DnssecRecordError: it is none.
    """
    words = _words(text)
    numbers = _numbers(words[:3], (_WORD, _BYTE, _BYTE))
    try:
        key = base64.b64decode("".join(words[3:]), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if numbers is None or not key:
        raise DnssecRecordError("dnskey", f"{quoted(text)} is no DNSKEY record")
    return Dnskey(*numbers, key)


def _words(text: str) -> list[str]:
    return text.split() if len(text) <= _LONGEST_TEXT else []


def _numbers(words: Sequence[str], largest: tuple[int, int, int]) -> tuple[int, int, int] | None:
    if len(words) != len(largest) or not all(map(_NUMBER.fullmatch, words)):
        return None
    first, second, third = map(int, words)
    fits = all(n <= most for n, most in zip((first, second, third), largest, strict=True))
    return (first, second, third) if fits else None


def digest(owner: str, key: Dnskey, digest_type: int) -> bytes | None:
    """The digest of a key under its owner's name (RFC 4034 §5.1.4); None for a type that nobody uses.

    Raises:
        DnssecRecordError: the owner is no name.
    """
    function = _DIGESTS.get(digest_type)
    return function(_wire(owner) + key.data).digest() if function else None


def ds_for(owner: str, key: Dnskey, digest_type: int = 2) -> Ds:
    """The record that the parent has to publish for a key, SHA-256 unless said otherwise.

    Raises:
        DnssecRecordError: the owner is no name.
        ValueError: no such digest type.
    """
    made = digest(owner, key, digest_type)
    if made is None:
        raise ValueError(f"digest type {digest_type} is not in use")
    return Ds(key.key_tag, key.algorithm, digest_type, made)


def _wire(name: str) -> bytes:
    """The canonical form of a name (RFC 4034 §6.2)."""
    labels = [label.encode("ascii", "replace") for label in name.lower().rstrip(".").split(".")]
    if len(name) > _LONGEST_NAME or not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise DnssecRecordError("name", f"{quoted(name)} is no domain name")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


# --- the link from the parent ----------------------------------------------------------------------


class SignatureData(Protocol):
    """What an RRSIG record says (RFC 4034 §3.1); times in seconds since the epoch."""

    @property
    def covers(self) -> str:
        """The type that is signed."""
        ...

    @property
    def algorithm(self) -> int:
        """Of the key that signed."""
        ...

    @property
    def key_tag(self) -> int:
        """Of the key that signed."""
        ...

    @property
    def inception(self) -> float:
        """When it begins to be valid."""
        ...

    @property
    def expiration(self) -> float:
        """When it ends."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """How a zone's keys hang on its parent.

    Attributes:
        keys: the zone's keys, those that can be read.
        delegated: the parent vouches for keys of an algorithm that validators know.
        bogus: why validators refuse every answer of the zone (RFC 4035 §5.2); "" where they do not.
        anchors: keys that a DS record names.
        problems: codes ``syntax``, ``algorithm`` (one that must not sign, or that validators do not
            know), ``digest`` (SHA-1 alone), ``short_key``, ``unmatched_ds`` (a DS record whose key is
            not there: of a rollover, or forgotten), ``no_ds`` (signed, and nobody can know).
    """

    keys: tuple[Dnskey, ...]
    delegated: bool
    bogus: str = ""
    anchors: tuple[Dnskey, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether the zone has keys."""
        return bool(self.keys)

    @property
    def entry_points(self) -> tuple[Dnskey, ...]:
        """The keys that DS records are made of (RFC 4034 §2.1.1: the SEP flag)."""
        return tuple(key for key in self.keys if key.may_sign and key.flags & _ENTRY_POINT)


def judge_link(
    owner: str,
    ds_records: Iterable[str],
    dnskey_records: Iterable[str],
    signatures: Iterable[SignatureData] = (),
) -> Link:
    """DS records of the parent against the zone's DNSKEY records, in presentation form.

    `signatures` are those of the DNSKEY set, where they are known: one must be by a key that the
    parent vouches for. Never raises for what records say.

    Raises:
        DnssecRecordError: the owner is no name.
    """
    problems: list[Problem] = []
    parents = _readable(parse_ds, ds_records, problems)
    keys = _readable(parse_dnskey, dnskey_records, problems)
    counting = _counting(parents)
    named = _named_keys(owner, counting, keys)
    anchors = tuple(dict.fromkeys(named.values()))
    problems += _weaknesses(parents, keys)
    if not parents and keys:
        problems.append(Problem("no_ds", "the zone is signed, but its parent has no DS record"))
    if anchors:
        problems += [_unmatched(ds) for ds in counting if ds not in named]
    bogus = _bogus(counting, keys, anchors, tuple(signatures))
    return Link(tuple(keys), bool(counting), bogus, anchors, tuple(problems))


def _readable(
    parse: Callable[[str], _Record], texts: Iterable[str], problems: list[Problem]
) -> list[_Record]:
    records = []
    for text in texts:
        try:
            records.append(parse(text))
        except DnssecRecordError as error:
            problems.append(Problem("syntax", error.message))
    return records


def _counting(parents: Sequence[Ds]) -> list[Ds]:
    """The DS records that validators go by.

    Those of an algorithm or a digest that they do not know count as absent (RFC 4035 §5.2), and SHA-1
    counts only where nothing else is there (RFC 4509 §3).
    """
    known = [ds for ds in parents if ds.algorithm in _VALIDATED and ds.digest_type in _DIGESTS]
    return [ds for ds in known if ds.digest_type != _SHA1] or known


def _named_keys(owner: str, counting: Sequence[Ds], keys: Sequence[Dnskey]) -> dict[Ds, Dnskey]:
    """The key that each DS record names, of those that name one.

    Each key is digested once, however many records there are and however many keys have one tag
    (CVE-2023-50387 made validators try them all against each other).
    """
    types = sorted({ds.digest_type for ds in counting})
    made = {
        Ds(key.key_tag, key.algorithm, digest_type, value): key
        for key in keys
        if key.may_sign
        for digest_type in types
        if (value := digest(owner, key, digest_type)) is not None
    }
    return {ds: made[ds] for ds in counting if ds in made}


def _weaknesses(parents: Sequence[Ds], keys: Sequence[Dnskey]) -> Iterable[Problem]:
    algorithms = {ds.algorithm for ds in parents} | {key.algorithm for key in keys}
    for algorithm in sorted(algorithms):
        if algorithm in _MUST_NOT_SIGN:
            name = _MUST_NOT_SIGN[algorithm]
            message = f"algorithm {algorithm} ({name}) must not sign any more (RFC 9904, RFC 9905)"
            yield Problem("algorithm", message)
        elif algorithm not in _VALIDATED:
            message = f"algorithm {algorithm}: most validators do not know it, and take the zone for unsigned"
            yield Problem("algorithm", message)
    if parents and all(ds.digest_type == _SHA1 for ds in parents):
        yield Problem(
            "digest", "all DS records are digests by SHA-1, which must not be used (RFC 9905)"
        )
    for key in keys:
        if key.rsa_bits is not None and key.rsa_bits < _SHORTEST_RSA_BITS:
            yield Problem("short_key", f"key {key.key_tag} has only {key.rsa_bits} bits")


def _unmatched(ds: Ds) -> Problem:
    return Problem("unmatched_ds", f"the DS record `{ds}` names no key of the zone")


def _bogus(
    counting: Sequence[Ds],
    keys: Sequence[Dnskey],
    anchors: Sequence[Dnskey],
    signatures: Sequence[SignatureData],
) -> str:
    if not counting:
        return ""
    named = ", ".join(sorted({str(ds.key_tag) for ds in counting}))
    if not keys:
        return f"the parent vouches for key {named}, but the zone has no keys: it is not signed"
    if not anchors:
        there = ", ".join(str(key.key_tag) for key in keys)
        return f"the parent vouches for key {named}, but the zone has only {there}"
    tags = {(key.key_tag, key.algorithm) for key in anchors}
    if signatures and not any((s.key_tag, s.algorithm) in tags for s in signatures):
        return f"none of the keys that the parent vouches for ({named}) signs the zone's keys"
    return ""


# --- how long signatures last ----------------------------------------------------------------------

EXPIRING_SHARE = 0.07
"""Of its validity that a signature has left when its renewal is overdue.

Signers renew earlier: knot with a tenth left, BIND and OpenDNSSEC with a fifth or more, PowerDNS with a
third, those that sign each answer always have half.
"""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long the signatures of one record set last.

    Attributes:
        covers: the type that is signed.
        ends: when the last of them that counts now ends; when the last one ended where none counts.
        expired: none counts now: validators refuse the records.
        expiring: what is left is less than signers leave.
        future: none counts now because they have not begun: the signer's clock, or ours, is wrong.
    """

    covers: str
    ends: float
    expired: bool
    expiring: bool
    future: bool = False


def lifetimes(signatures: Iterable[SignatureData], now: float) -> tuple[Lifetime, ...]:
    """By type; `now` in seconds since the epoch. One signature that counts is enough (RFC 4035 §5.3.1)."""
    by_type: dict[str, list[SignatureData]] = {}
    for signature in signatures:
        by_type.setdefault(signature.covers, []).append(signature)
    return tuple(_lifetime(covers, by_type[covers], now) for covers in sorted(by_type))


def _lifetime(covers: str, signatures: Sequence[SignatureData], now: float) -> Lifetime:
    counting = [s for s in signatures if s.inception <= now < s.expiration]
    last = max(counting or signatures, key=lambda s: s.expiration)
    left, whole = last.expiration - now, last.expiration - last.inception
    return Lifetime(
        covers,
        ends=last.expiration,
        expired=not counting,
        expiring=bool(counting) and left < whole * EXPIRING_SHARE,
        future=not counting and last.inception > now,
    )
