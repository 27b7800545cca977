"""What a sender proves itself with at the daemon's hooks, kept in the lab's directory over restarts."""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from monitor.lab.scenario import Traffic

Headers = Callable[[bytes], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The `secret` of a hook's configuration, and what makes the headers for a body.

    The `wrong` headers are well made, with a secret that the hook does not know.
    """

    secret: str
    headers: Mapping[Literal["right", "wrong"], Headers]


def open_credentials(directory: Path, flow: str, traffic: Traffic) -> Credentials:
    """Open a flow's credentials, making them when they are not there.

    A generic hook has a shared secret; SendGrid's has the public key of an ECDSA signature.
    """
    if traffic.kind == "sendgrid":
        key = _signing_key(directory / f"{flow}-hook.key")
        other_key = ec.generate_private_key(ec.SECP256R1())
        return Credentials(_public_key(key), {"right": _signed(key), "wrong": _signed(other_key)})
    path = directory / f"{flow}-hook.secret"
    secret = _kept(path, _new_secret).decode()
    return Credentials(
        f"file:{path}", {"right": _bearing(secret), "wrong": _bearing(_new_secret().decode())}
    )


def _new_secret() -> bytes:
    return secrets.token_hex(32).encode()


def _bearing(secret: str) -> Headers:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-ndjson"}
    return lambda _body: headers


def _signed(key: ec.EllipticCurvePrivateKey) -> Headers:
    return lambda body: _sendgrid_headers(key, body, int(time.time()))


def _sendgrid_headers(key: ec.EllipticCurvePrivateKey, body: bytes, now: int) -> dict[str, str]:
    """Sign the timestamp's digits and the body, as SendGrid's signed event webhook does."""
    signature = key.sign(str(now).encode() + body, ec.ECDSA(SHA256()))
    return {
        "Content-Type": "application/json",
        "X-Twilio-Email-Event-Webhook-Timestamp": str(now),
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
    }


def _signing_key(path: Path) -> ec.EllipticCurvePrivateKey:
    def make() -> bytes:
        return ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )

    key = load_pem_private_key(_kept(path, make), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path}: not a key for ECDSA")
    return key


def _public_key(key: ec.EllipticCurvePrivateKey) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of a file that only its owner reads, made when it is not there."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(make())
    return path.read_bytes()
