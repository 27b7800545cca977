"""The public key that SendGrid signs its event webhook with.

Format: Twilio SendGrid, "Event Webhook Security Features".
"""

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key


def verification_key(text: str) -> ec.EllipticCurvePublicKey:
    """The key that SendGrid's settings show: base64 of a SubjectPublicKeyInfo (RFC 5480), on P-256.

    Raises ValueError.
    """
    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a base64 public key (SubjectPublicKeyInfo)") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not an ECDSA key on P-256")  # noqa: TRY004 -- a wrong text, not a wrong type
    return key
