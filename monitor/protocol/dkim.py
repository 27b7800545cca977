"""DKIM public keys in DNS (RFC 6376 §3.6.1; RFC 8301: key sizes; RFC 8463: Ed25519)."""

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from monitor.protocol.problem import RecordError, quoted
from monitor.protocol.tags import TagList, read_tags

MINIMUM_RSA_BITS = 1024  # RFC 8301 §3.2: verifiers MUST NOT accept less
RECOMMENDED_RSA_BITS = 2048  # RFC 8301 §3.2: signers SHOULD use at least that
LARGEST_RSA_BITS = 4096  # RFC 8301 §3.2: verifiers need not validate more
_ED25519_BYTES = 32


class DkimError(RecordError):
    """A key record that verifiers cannot use.

    Codes: those of `read_tags`, ``version``, ``missing_key``, ``base64``, ``key_type``, ``key``.
    """


class KeyType(StrEnum):
    """``k=``."""

    RSA = "rsa"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """One key record.

    Attributes:
        key_type: ``k``.
        bits: size of the real key: of the modulus, or 256 for Ed25519; 0 where revoked.
        revoked: ``p=`` is empty.
        testing: ``t=y``: verifiers treat a failure as if unsigned.
        strict: ``t=s``: no subdomains in ``i=``.
        hash_algorithms: ``h``; empty where all are allowed.
        services: ``s``; ``{"*"}`` by default.
        version: ``v``.
    """

    key_type: KeyType
    bits: int
    revoked: bool = False
    testing: bool = False
    strict: bool = False
    hash_algorithms: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset({"*"})
    version: str = "DKIM1"

    @property
    def for_email(self) -> bool:
        """Whether ``s`` allows the key for mail."""
        return bool(self.services & {"*", "email"})

    @property
    def allows_sha256(self) -> bool:
        """Whether ``h`` allows the one hash that is still accepted (RFC 8301 §3.1)."""
        return not self.hash_algorithms or "sha256" in self.hash_algorithms

    @property
    def usable(self) -> bool:
        """Whether mail that is signed with it now can pass."""
        return not self.revoked and self.for_email and self.allows_sha256


def is_dkim(text: str) -> bool:
    """Whether a TXT record at a selector means to be a key: it has a ``p`` tag or ``v=DKIM1``.

    A wildcard of the zone may answer with a record of another kind that has a ``p``: DMARC's.
    """
    tags = read_tags(text, fold_case=False)
    version = tags.get("v")
    if version is not None and version.value.upper().startswith("DMARC"):
        return False
    return tags.get("p") is not None or (version is not None and version.value == "DKIM1")


def parse(text: str) -> DkimKey:
    """The key of a record.

    Raises:
        DkimError: what verifiers cannot use, located.
    """
    tags = read_tags(text, fold_case=False)
    if tags.problems:
        raise DkimError.of(tags.problems[0])
    _check_version(tags)
    key_type = _key_type(tags)
    bits = _bits(tags, key_type)
    flags = _words(tags, "t")
    return DkimKey(
        key_type=key_type,
        bits=bits,
        revoked=bits == 0,
        testing="y" in flags,
        strict="s" in flags,
        hash_algorithms=_words(tags, "h"),
        services=_words(tags, "s") or frozenset({"*"}),
    )


def _check_version(tags: TagList) -> None:
    version = tags.get("v")
    if version is None:
        return
    if version.value != "DKIM1":
        raise DkimError("version", f"v={quoted(version.value)} is not `DKIM1`", version.offset)
    if tags.tags[0] is not version:
        raise DkimError("version", "`v` must be the first tag", version.offset)


def _key_type(tags: TagList) -> KeyType:
    tag = tags.get("k")
    if tag is None:
        return KeyType.RSA
    try:
        return KeyType(tag.value)
    except ValueError:
        message = f"k={quoted(tag.value)}: verifiers ignore keys of other types than rsa, ed25519"
        raise DkimError("key_type", message, tag.offset) from None


def _words(tags: TagList, name: str) -> frozenset[str]:
    """A colon-separated list with white space around the colons."""
    tag = tags.get(name)
    words = (word.strip() for word in tag.value.split(":")) if tag else ()
    return frozenset(word for word in words if word)


def _bits(tags: TagList, key_type: KeyType) -> int:
    tag = tags.get("p")
    if tag is None:
        raise DkimError("missing_key", "no `p` tag: there is no key")
    encoded = "".join(tag.value.split())
    if not encoded:
        return 0
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        cut = "cut off or " if len(encoded) % 4 else ""
        message = f"the {len(encoded)} characters of `p` are {cut}not base64"
        raise DkimError("base64", message, tag.offset) from None
    bits = _rsa_bits(data) if key_type is KeyType.RSA else _ed25519_bits(data)
    if bits == 0:
        message = f"the {len(data)} bytes of `p` are no {key_type} public key"
        raise DkimError("key", message, tag.offset)
    return bits


def _rsa_bits(data: bytes) -> int:
    """Takes SubjectPublicKeyInfo, which all publish, and RSAPublicKey, which the RFC's text says."""
    try:
        key = load_der_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return 0
    return key.key_size if isinstance(key, RSAPublicKey) else 0


def _ed25519_bits(data: bytes) -> int:
    """The raw 32 bytes (RFC 8463 §4), no SubjectPublicKeyInfo."""
    if len(data) != _ED25519_BYTES:
        return 0
    Ed25519PublicKey.from_public_bytes(data)
    return 8 * _ED25519_BYTES
