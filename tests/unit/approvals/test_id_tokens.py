"""ID tokens that somebody forged, bent or kept: each is refused, and says for what."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from cryptography.hazmat.primitives.asymmetric import ec

from approvals.signin_oidc import claims_of

ISSUER, CLIENT, NONCE = "https://id.example.org", "handover", "n-0S6_WzA2Mj"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
PUBLIC = {**jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "one", "alg": "ES256"}
KEYS = {"keys": [PUBLIC]}


def good() -> dict[str, Any]:
    now = int(time.time())
    who = {"sub": "248289761001", "email": "anna@example.org", "email_verified": True}
    return {"iss": ISSUER, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": NONCE, **who}


def token(key: Any = KEY, algorithm: str = "ES256", kid: str = "one", **changed: Any) -> str:
    claims = {name: value for name, value in {**good(), **changed}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def by_shared_secret() -> str:
    """Signed with HMAC, as if the public key were a shared secret."""
    return jwt.api_jws.PyJWS(options={}).encode(b"{}", b"s" * 32, algorithm="HS256", headers={"kid": "one"})


FORGED = {
    "aud": (token(aud="another-program"), "Audience"),
    "aud is a list without us": (token(aud=["a", "b"]), "Audience"),
    "iss": (token(iss="https://evil.example"), "issuer"),
    "azp": (token(azp="another-program"), "azp"),
    "several audiences, no azp": (token(aud=[CLIENT, "another"]), "azp"),
    "exp missing": (token(exp=None), "exp"),
    "exp past": (token(exp=int(time.time()) - 120), "expired"),
    "nonce": (token(nonce="of-another-sign-in"), "nonce"),
    "nonce missing": (token(nonce=None), "nonce"),
    "alg swap": (by_shared_secret(), "algorithm"),
    "alg none": (token(key=None, algorithm="none"), "algorithm"),
    "another key": (token(key=OTHER), "Signature"),
    "a key that nobody knows": (token(kid="two"), "two"),
    "e-mail not verified": (token(email_verified=False), "verified"),
    "e-mail verified by a word": (token(email_verified="true"), "verified"),
    "sub missing": (token(sub=None), "sub"),
    "not a token": ("x.y.z", "not good"),
}


@pytest.mark.parametrize("case", FORGED)
def test_forged(case: str) -> None:
    text, why = FORGED[case]
    with pytest.raises(OAuth2Error, match=why):
        claims_of(text, KEYS, issuer=ISSUER, client=CLIENT, nonce=NONCE)


def test_good() -> None:
    assert claims_of(token(), KEYS, issuer=ISSUER, client=CLIENT, nonce=NONCE)["sub"] == "248289761001"
    both = token(aud=[CLIENT, "another"], azp=CLIENT)
    assert claims_of(both, KEYS, issuer=ISSUER, client=CLIENT, nonce=NONCE)["azp"] == CLIENT


def test_a_session_without_a_nonce_takes_no_token() -> None:
    with pytest.raises(OAuth2Error, match="nonce"):
        claims_of(token(nonce=""), KEYS, issuer=ISSUER, client=CLIENT, nonce="")


def test_a_key_that_is_a_shared_secret_is_no_key() -> None:
    secret = {"kty": "oct", "kid": "one", "alg": "HS256", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
    with pytest.raises(OAuth2Error, match="algorithm"):
        claims_of(by_shared_secret(), {"keys": [secret]}, issuer=ISSUER, client=CLIENT, nonce=NONCE)
