"""Web push: a message sealed for one browser (RFC 8291, RFC 8188) and the word of who sends it (VAPID, RFC 8292). Pure.

The push service between us and the browser sees that a message came and how long it is, never what it says.
"""

from __future__ import annotations

import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fleet.alarms.addresses import BadAddress

SCHEME = "push"
POINT, SECRET, SALT, RECORD = 65, 16, 16, 4096  # bytes
PLAIN_MOST = RECORD - 16 - 1 - 86  # what fits into one record with its tag, its delimiter and the header
TOKEN_SECONDS = 12 * 3600  # RFC 8292 allows 24 h


@dataclass(frozen=True)
class Subscription:
    """Where one browser takes messages: its push service's address, its public key, its secret."""

    endpoint: str  # https://
    key: bytes  # 65 bytes, an uncompressed point on P-256
    secret: bytes  # 16 bytes

    @property
    def address(self) -> str:
        """As a contact's address is kept: push://HOST/PATH#KEY.SECRET."""
        return f"{SCHEME}://{self.endpoint.partition('://')[2]}#{coded(self.key)}.{coded(self.secret)}"


def coded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def told(text: str) -> Subscription:
    """What a browser's PushSubscription says of itself as JSON. Raise BadAddress."""
    try:
        said = json.loads(text)
        return _checked(str(said["endpoint"]), decoded(said["keys"]["p256dh"]), decoded(said["keys"]["auth"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadAddress("The browser did not say where it takes messages.") from None


def kept(address: str) -> Subscription:
    """From a contact's address. Raise BadAddress."""
    where, _, keys = address.partition("#")
    key, _, secret = keys.partition(".")
    try:
        return _checked(f"https{where.removeprefix(SCHEME)}", decoded(key), decoded(secret))
    except ValueError:
        raise BadAddress("The address of this browser can't be read.") from None


def _checked(endpoint: str, key: bytes, secret: bytes) -> Subscription:
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.hostname or parts.fragment or parts.username:
        raise BadAddress("A push service is reached over https.")
    if len(secret) != SECRET:
        raise BadAddress("The browser's secret has another length than it should.")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)  # ValueError for what is no point
    return Subscription(endpoint, key, secret)


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def sealed(plain: bytes, to: Subscription, *, ours: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of the POST, aes128gcm. `ours`: a key for this message alone; `salt`: 16 random bytes.

    ValueError for more than PLAIN_MOST bytes.
    """
    if len(plain) > PLAIN_MOST or len(salt) != SALT:
        raise ValueError(f"a message has at most {PLAIN_MOST} bytes, and a salt of {SALT}")
    theirs, mine = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.key), point(ours.public_key())
    shared = ours.exchange(ec.ECDH(), theirs)
    secret = _derived(shared, to.secret, b"WebPush: info\x00" + to.key + mine, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\x00", 12)
    head = salt + struct.pack(">IB", RECORD, POINT) + mine
    return head + AESGCM(key).encrypt(nonce, plain + b"\x02", None)  # 2: the last record


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def word(to: Subscription, *, key: ec.EllipticCurvePrivateKey, contact: str, now: int) -> str:
    """The Authorization header: signed by the key that the browser was told. `contact`: mailto: or https:; epoch s."""
    parts = urlsplit(to.endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now + TOKEN_SECONDS, "sub": contact}
    return f"vapid t={jwt.encode(claims, key, algorithm='ES256')}, k={coded(point(key.public_key()))}"
