"""TLS hellos against OpenSSL in memory, and against any bytes."""

import ssl
import tracemalloc
import warnings
from contextlib import suppress

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol.cipher_suites import WEAK_SUITES, Weakness, weakness
from monitor.protocol.tls_hello import (
    MOST_BYTES,
    Accepted,
    HelloError,
    Refused,
    ServerFlight,
    Version,
    client_hello,
)
from tests.protocol.limits import in_time

AUTHORITY = trustme.CA()
RANDOM = bytes(range(64))
BETWEEN = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def server(
    oldest: str = "TLSv1", newest: str = "TLSv1.3", ciphers: str = "DEFAULT@SECLEVEL=0"
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("mx.example.com").configure_cert(context)
    context.set_ciphers(ciphers)
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version, context.maximum_version = BETWEEN[oldest], BETWEEN[newest]
    return context


def flight(context: ssl.SSLContext, hello: bytes) -> bytes:
    """All that OpenSSL sends on a hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with suppress(ssl.SSLError):
        tls.do_handshake()
    return outgoing.read()


def answer(
    context: ssl.SSLContext,
    version: Version,
    suites: tuple[int, ...] = (),
    name: str = "mx.example.com",
) -> Accepted | Refused | None:
    hello = client_hello(version, suites, server_name=name, random=RANDOM)
    return ServerFlight().feed(flight(context, hello))


@pytest.mark.parametrize("newest", BETWEEN)
@pytest.mark.parametrize("oldest", BETWEEN)
def test_exactly_the_versions_of_a_range_are_accepted(oldest: str, newest: str) -> None:
    if list(BETWEEN).index(oldest) > list(BETWEEN).index(newest):
        return
    context = server(oldest, newest)
    found = {version: answer(context, version) for version in Version}
    accepted = [
        v.value for v, one in found.items() if isinstance(one, Accepted) and one.version is v
    ]
    names = list(BETWEEN)
    assert accepted == names[names.index(oldest) : names.index(newest) + 1]


def test_a_version_that_is_refused_after_the_server_hello_is_refused() -> None:
    """OpenSSL at its default level chooses TLS 1.0, and then may not sign."""
    assert isinstance(answer(server(ciphers="DEFAULT@SECLEVEL=2"), Version.TLS1_0), Refused)


def test_what_is_known_of_renegotiation() -> None:
    context = server()
    assert answer(context, Version.TLS1_2).secure_renegotiation is True
    assert answer(context, Version.TLS1_3).secure_renegotiation is None


@pytest.mark.parametrize("name", ["", "mx.example.com"])
def test_a_name_is_not_needed(name: str) -> None:
    assert isinstance(answer(server(), Version.TLS1_2, name=name), Accepted)


WEAK = {
    "ECDHE-ECDSA-NULL-SHA": Weakness.NULL,
    "AECDH-AES256-SHA": Weakness.ANONYMOUS,
    "AECDH-NULL-SHA": Weakness.NULL,
}


@pytest.mark.parametrize("cipher", WEAK)
def test_a_weak_suite_is_found_beside_good_ones(cipher: str) -> None:
    context = server(
        newest="TLSv1.2", ciphers=f"ECDHE-ECDSA-AES128-GCM-SHA256:{cipher}:@SECLEVEL=0"
    )
    found = answer(context, Version.TLS1_2, tuple(WEAK_SUITES))
    assert isinstance(found, Accepted)
    assert weakness(WEAK_SUITES[found.suite]) is WEAK[cipher]


def test_good_servers_refuse_weak_suites() -> None:
    assert isinstance(answer(server(), Version.TLS1_2, tuple(WEAK_SUITES)), Refused)


def test_an_answer_may_come_in_any_pieces() -> None:
    hello = client_hello(Version.TLS1_2, server_name="mx.example.com", random=RANDOM)
    whole = flight(server(), hello)
    reader = ServerFlight()
    found = [reader.feed(whole[at : at + 1]) for at in range(len(whole))]
    assert found[:-1] == [None] * (len(whole) - 1)
    assert isinstance(found[-1], Accepted)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"220 mx ESMTP\r\n", "no TLS"),
        (b"\x16\x03", None),
        (b"\x15\x03\x01\x00\x02\x01\x70", None),  # a warning about the name
        (b"\x16\x03\x01\x00\x04\x0b\x00\x00\x00", "type 11"),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "ends in the middle"),
        (b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x09\x09" + bytes(36), "nobody knows"),
        (b"\x14\x03\x01\x00\x01\x01" * 20000, "longer than"),
    ],
)
def test_what_is_no_answer(sent: bytes, said: str | None) -> None:
    if said is None:
        assert ServerFlight().feed(sent) is None
        return
    with pytest.raises(HelloError, match=said):
        ServerFlight().feed(sent)


@pytest.mark.parametrize("sent", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x15\x03\x00\x00\x02\x01\x00"])
def test_a_fatal_alert_and_a_closing_one_refuse(sent: bytes) -> None:
    assert ServerFlight().feed(sent) == Refused(sent[-1])


def test_random_must_be_long_enough() -> None:
    with pytest.raises(ValueError, match="64"):
        client_hello(Version.TLS1_2, server_name="", random=b"short")


GOOD = flight(server(), client_hello(Version.TLS1_2, server_name="", random=RANDOM))


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=300), max_size=6)
    | st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=40)).map(
        lambda cut: [GOOD[: cut[0]], cut[1], GOOD[cut[0] :]]
    )
)
def test_any_bytes_give_an_answer_or_the_declared_error(pieces: list[bytes]) -> None:
    reader = ServerFlight()
    with in_time(), suppress(HelloError):
        for piece in pieces:
            if (found := reader.feed(piece)) is not None:
                assert isinstance(found, Accepted | Refused)
                break


def test_an_endless_flight_takes_little_memory() -> None:
    record = b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(16380)
    reader = ServerFlight()
    tracemalloc.start()
    try:
        with pytest.raises(HelloError, match="longer"):  # noqa: PT012 - at which record does not matter
            for _ in range(1 + MOST_BYTES // len(record)):
                reader.feed(record)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
