"""The first messages of a TLS handshake: what a server accepts, found out without finishing one.

One ClientHello offers one protocol version and some cipher suites; the server's first flight says whether
it takes them. So old versions and broken ciphers can be looked for that no library of today speaks.
SSL 3.0 (RFC 6101), TLS 1.0 (RFC 2246), 1.1 (RFC 4346), 1.2 (RFC 5246), 1.3 (RFC 8446).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_BYTES = 65536
"""Of a server's first flight that are read: certificates of every real chain, and room to spare."""


class Version(StrEnum):
    """A protocol version, in OpenSSL's words, the oldest first."""

    SSL3 = "SSLv3"
    TLS1_0 = "TLSv1"
    TLS1_1 = "TLSv1.1"
    TLS1_2 = "TLSv1.2"
    TLS1_3 = "TLSv1.3"


class HelloError(Exception):
    """What a server sent is no TLS."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server takes the hello.

    `suite` is the number of the cipher suite that it chose; `secure_renegotiation`: it knows RFC 5746
    (None in TLS 1.3, which has no renegotiation).
    """

    version: Version
    suite: int
    secure_renegotiation: bool | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not; `alert` is the description that it sent (RFC 8446 §6), e.g. 70: protocol_version."""

    alert: int


USUAL_SUITES: tuple[int, ...] = (
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC023, 0xC027, 0xC024, 0xC028),
    *(0xC009, 0xC013, 0xC00A, 0xC014, 0x009E, 0x009F, 0xCCAA, 0x0067, 0x006B, 0x0033, 0x0039),
    *(0x009C, 0x009D, 0x003C, 0x003D, 0x002F, 0x0035, 0x0041, 0x0084, 0x0045, 0x0088, 0x0096),
    *(0xC012, 0xC008, 0x0016, 0x000A, 0xC011, 0xC007, 0x0005, 0x0004),
)
"""Up to TLS 1.2, the better ones first: ECDHE, DHE and RSA with AES, ChaCha20, Camellia, 3DES, RC4."""
_TLS13_SUITES = (0x1301, 0x1302, 0x1303)
_SIGNALLING_SUITE = 0x00FF  # TLS_EMPTY_RENEGOTIATION_INFO_SCSV, RFC 5746 §3.3

_NUMBERS = {
    Version.SSL3: 0x0300,
    Version.TLS1_0: 0x0301,
    Version.TLS1_1: 0x0302,
    Version.TLS1_2: 0x0303,
    Version.TLS1_3: 0x0304,
}
_VERSIONS = {number: version for version, number in _NUMBERS.items()}
_ALERT, _HANDSHAKE = 21, 22
_RECORD_TYPES = range(20, 25)
_SERVER_HELLO, _SERVER_HELLO_DONE = 2, 14
_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURES = 0, 10, 11, 13
_SUPPORTED_VERSIONS, _KEY_SHARE, _RENEGOTIATION_INFO = 43, 51, 0xFF01
_X25519 = 0x001D
_NAMED_GROUPS = (_X25519, 0x0017, 0x0018, 0x0019, 0x0100)  # and P-256, P-384, P-521, ffdhe2048
_SIGNATURE_SCHEMES = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B),
    *(0x0401, 0x0501, 0x0601, 0x0402, 0x0203, 0x0201, 0x0202),
)


# --- what we send ----------------------------------------------------------------------------------


def client_hello(
    version: Version, suites: Sequence[int] = (), *, server_name: str, random: bytes
) -> bytes:
    """One record with a ClientHello that offers exactly this version.

    `suites` are the usual ones where empty; `server_name` goes into SNI unless it is "" or the version has
    no extensions (SSL 3.0). `random` is 64 bytes: the hello's own, and a key share that nobody has the key of.

    Raises:
        ValueError: `random` has another length, or `server_name` is not ASCII.
    """
    if len(random) != 64:  # noqa: PLR2004 - twice 32
        raise ValueError("64 random bytes are needed")
    modern = version is Version.TLS1_3
    legacy = min(_NUMBERS[version], _NUMBERS[Version.TLS1_2])  # RFC 8446 §4.1.2
    offered = suites or (_TLS13_SUITES if modern else USUAL_SUITES)
    body = _number(legacy, 2) + random[:32] + b"\0"  # no session to resume
    body += _vector(_numbers((*offered, *(() if modern else (_SIGNALLING_SUITE,)))), 2)
    body += b"\x01\x00"  # no compression
    if version is not Version.SSL3:
        body += _vector(_extensions(version, server_name, key=random[32:]), 2)
    message = b"\x01" + _vector(body, 3)
    record_version = min(legacy, _NUMBERS[Version.TLS1_0])  # what every server reads, RFC 5246 §E.1
    return bytes((_HANDSHAKE,)) + _number(record_version, 2) + _vector(message, 2)


def _extensions(version: Version, server_name: str, *, key: bytes) -> bytes:
    found = b""
    if server_name:
        host = b"\0" + _vector(server_name.encode("ascii"), 2)
        found += _extension(_SERVER_NAME, _vector(host, 2))
    found += _extension(_GROUPS, _vector(_numbers(_NAMED_GROUPS), 2))
    found += _extension(_POINT_FORMATS, b"\x01\x00")
    if version in {Version.TLS1_2, Version.TLS1_3}:
        found += _extension(_SIGNATURES, _vector(_numbers(_SIGNATURE_SCHEMES), 2))
    if version is Version.TLS1_3:
        found += _extension(_SUPPORTED_VERSIONS, _vector(_number(_NUMBERS[version], 2), 1))
        share = _number(_X25519, 2) + _vector(key, 2)
        found += _extension(_KEY_SHARE, _vector(share, 2))
    return found


def _extension(kind: int, content: bytes) -> bytes:
    return _number(kind, 2) + _vector(content, 2)


def _number(value: int, octets: int) -> bytes:
    return value.to_bytes(octets, "big")


def _numbers(values: Sequence[int]) -> bytes:
    return b"".join(_number(value, 2) for value in values)


def _vector(content: bytes, octets: int) -> bytes:
    return _number(len(content), octets) + content


# --- what comes back -------------------------------------------------------------------------------


class ServerFlight:
    """What a server answers to a ClientHello, as it arrives.

    Before TLS 1.3 a server may still refuse after its ServerHello, so its whole flight is waited for
    (ServerHelloDone); TLS 1.3 encrypts what follows, and the ServerHello decides.
    """

    def __init__(self) -> None:
        self._left = MOST_BYTES
        self._records = bytearray()
        self._messages = bytearray()
        self._hello: Accepted | None = None

    def feed(self, data: bytes) -> Accepted | Refused | None:
        """What all that was sent so far comes to; None while more is needed.

        Raises:
            HelloError: this is no TLS, or does not end.
        """
        self._records += data[: self._left]
        while (record := self._record()) is not None:
            kind, content = record
            if kind == _ALERT and len(content) >= 2 and not _is_warning(content):  # noqa: PLR2004 - level, description
                return Refused(content[1])
            if kind == _HANDSHAKE:
                self._messages += content
                if (found := self._judged()) is not None:
                    return found
        self._left -= len(data)
        if self._left <= 0:
            raise HelloError(f"the server's first flight is longer than {MOST_BYTES} bytes")
        return None

    def _record(self) -> tuple[int, bytes] | None:
        """The next whole record: type and content."""
        head = bytes(self._records[:5])
        if head and (head[0] not in _RECORD_TYPES or head[1:2] not in {b"", b"\x03"}):
            raise HelloError(f"the server answers with {bytes(self._records[:20])!r}, no TLS")
        end = 5 + int.from_bytes(head[3:5], "big")
        if len(head) < 5 or len(self._records) < end:  # noqa: PLR2004 - a record's header
            return None
        content = bytes(self._records[5:end])
        del self._records[:end]
        return head[0], content

    def _judged(self) -> Accepted | None:
        """The verdict of the handshake messages that are there in whole."""
        while len(self._messages) >= 4:  # noqa: PLR2004 - a message's header
            end = 4 + int.from_bytes(self._messages[1:4], "big")
            if len(self._messages) < end:
                return None
            kind, body = self._messages[0], bytes(self._messages[4:end])
            del self._messages[:end]
            if self._hello is None:
                self._hello = _server_hello(kind, body)
            if kind == _SERVER_HELLO_DONE or self._hello.version is Version.TLS1_3:
                return self._hello
        return None


def _is_warning(alert: bytes) -> bool:
    """About the name, say; that the connection is closed ends it whatever the level."""
    return alert[0] == 1 and alert[1] != 0


def _server_hello(kind: int, body: bytes) -> Accepted:
    """RFC 5246 §7.4.1.3, RFC 8446 §4.1.3; a HelloRetryRequest is one too, and accepts the version."""
    if kind != _SERVER_HELLO:
        raise HelloError(f"the first handshake message has type {kind}, a ServerHello has 2")
    reader = _Reader(body)
    number = int.from_bytes(reader.take(2), "big")
    reader.take(32)
    reader.take(reader.take(1)[0])
    suite = int.from_bytes(reader.take(2), "big")
    reader.take(1)
    extensions = dict(reader.extensions())
    number = int.from_bytes(extensions.get(_SUPPORTED_VERSIONS, _number(number, 2)), "big")
    if number not in _VERSIONS:
        raise HelloError(f"the server chose the version {number:#06x}, which nobody knows")
    version = _VERSIONS[number]
    secure = None if version is Version.TLS1_3 else _RENEGOTIATION_INFO in extensions
    return Accepted(version, suite, secure)


class _Reader:
    """Takes bytes from the front."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        """That many bytes.

        Raises:
            HelloError: there are not so many.
        """
        taken = self._content[self._at : self._at + count]
        if len(taken) < count:
            raise HelloError("the ServerHello ends in the middle")
        self._at += count
        return taken

    def extensions(self) -> Iterator[tuple[int, bytes]]:
        """The extensions at the end; none at all is allowed."""
        if self._at == len(self._content):
            return
        end = self._at + 2 + int.from_bytes(self.take(2), "big")
        while self._at < end:
            kind = int.from_bytes(self.take(2), "big")
            yield kind, self.take(int.from_bytes(self.take(2), "big"))
