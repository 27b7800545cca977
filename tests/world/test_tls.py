"""Which chains are trusted is decided as mail servers do: by issuer, time and use; names are judged apart."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.world.tls import TrustStore, describe, read_session
from tests.protocol.limits import MEMORY, SECONDS, in_time, memory, seconds

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS: dict[str, ec.EllipticCurvePrivateKey] = {}


def key(name: str) -> ec.EllipticCurvePrivateKey:
    return KEYS.setdefault(name, ec.generate_private_key(ec.SECP256R1()))


def certificate(
    subject: str,
    issuer: str,
    *,
    authority: bool = False,
    names: tuple[str, ...] = ("mx.example.com",),
    uses: tuple[x509.ObjectIdentifier, ...] = (),
    days: tuple[int, int] = (-30, 60),
) -> x509.Certificate:
    """Signed with the issuer's key, valid from and to so many days from now."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key(subject).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if names and not authority:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder.sign(key(issuer), SHA256())


ROOT = certificate("root", "root", authority=True, days=(-900, 900))
MIDDLE = certificate("middle", "root", authority=True)
LEAF = certificate("leaf", "middle")

CHAINS = {
    "leaf and intermediate": ([LEAF, MIDDLE], None),
    "in another order, with the root": ([LEAF, ROOT, MIDDLE], None),
    "without a name": ([certificate("leaf", "root", names=())], None),
    "meant for servers": (
        [certificate("leaf", "root", uses=(ExtendedKeyUsageOID.SERVER_AUTH,))],
        None,
    ),
    "with an expired certificate that no path needs": (
        [LEAF, MIDDLE, certificate("root", "older root", authority=True, days=(-900, -1))],
        None,
    ),
    "no certificate": ([], "the server sent no certificate"),
    "expired": (
        [certificate("leaf", "root", days=(-90, -1))],
        "the certificate expired on 2026-11-23",
    ),
    "not yet valid": (
        [certificate("leaf", "root", days=(1, 90))],
        "the certificate is valid only from 2026-11-25",
    ),
    "self-signed": ([certificate("leaf", "leaf")], "the certificate is self-signed"),
    "intermediate missing": ([LEAF], "no trusted authority issued it; its issuer is CN=middle"),
    "intermediate expired": (
        [LEAF, certificate("middle", "root", authority=True, days=(-90, -1))],
        "the certificate of CN=middle in the chain expired on 2026-11-23",
    ),
    "issued by a leaf": (
        [certificate("below", "leaf"), LEAF, MIDDLE],
        "the chain does not verify: basicConstraints.cA must be asserted in a CA certificate",
    ),
    "meant for clients": (
        [certificate("leaf", "root", uses=(ExtendedKeyUsageOID.CLIENT_AUTH,))],
        "the chain does not verify: the certificate is not meant for a server",
    ),
}


@pytest.mark.parametrize("what", CHAINS)
def test_a_chain_is_trusted_or_its_fault_is_named(what: str) -> None:
    chain, reason = CHAINS[what]
    assert TrustStore([ROOT]).distrust(chain, NOW) == reason


def test_without_authorities_nothing_is_trusted_and_the_reason_is_ours() -> None:
    assert "this machine has no" in TrustStore([]).distrust([LEAF, MIDDLE], NOW)


def test_the_systems_authorities_are_read_and_extended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, own = tmp_path / "system.pem", tmp_path / "own.pem"
    pem = ROOT.public_bytes(Encoding.PEM)
    bundle.write_bytes(
        b"# roots\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + pem
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert TrustStore.of_system().distrust([LEAF, MIDDLE], NOW) is None
    other = certificate("other root", "other root", authority=True)
    own.write_bytes(other.public_bytes(Encoding.PEM))
    store = TrustStore.of_system(own)
    assert store.distrust([certificate("leaf", "other root")], NOW) is None
    assert store.distrust([LEAF, MIDDLE], NOW) is None


def test_a_certificate_without_names_is_described() -> None:
    seen = describe(certificate("leaf", "root", names=()))
    assert (seen.names, seen.subject, seen.issuer) == ((), "CN=leaf", "CN=root")


@dataclass(frozen=True)
class Sent:
    """A session as `ssl` hands it out, with whatever chain."""

    chain: tuple[bytes, ...]

    def cipher(self) -> None:
        return None

    def version(self) -> None:
        return None

    def get_unverified_chain(self) -> tuple[bytes, ...]:
        return self.chain


DER = [each.public_bytes(Encoding.DER) for each in (LEAF, MIDDLE)]
STORE = TrustStore([ROOT])


@given(
    place=st.integers(0, len(DER[0])),
    inserted=st.binary(max_size=4),
    dropped=st.integers(0, 4),
    which=st.integers(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_a_mutilated_chain_is_described_or_said_to_be_broken(
    place: int, inserted: bytes, dropped: int, which: int
) -> None:
    chain = list(DER)
    chain[which] = DER[which][:place] + inserted + DER[which][place + dropped :]
    with in_time():
        session = read_session(Sent(tuple(chain)), STORE, NOW)
    assert session.untrusted or chain == DER
    assert session.whole == (len(session.chain) == len(chain))


def many_names() -> bytes:
    """As large as OpenSSL lets a chain be: 100 KiB."""
    names = tuple(f"host-{number}.example.com" for number in range(4500))
    return certificate("leaf", "middle", names=names).public_bytes(Encoding.DER)


LARGE: dict[str, tuple[bytes, ...]] = {
    "many names": (many_names(), DER[1]),
    "many certificates": (DER[0], *[DER[1]] * 250),
    "no certificates": (b"\x30\x84\x00\x01\x80\x00" + bytes(98_304),),
    "many of nothing": (b"",) * 1000,
}


@pytest.mark.parametrize("chain", LARGE.values(), ids=LARGE)
def test_large_chains_cost_little(chain: tuple[bytes, ...]) -> None:
    def work() -> None:
        read_session(Sent(chain), STORE, NOW)

    assert seconds(work) < SECONDS
    assert memory(work) < MEMORY
