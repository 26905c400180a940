"""The company's sign-in: allauth's openid_connect with an ID token that is checked whole.

allauth skips the signature of a token that it fetched itself, sends no nonce and asks neither for `exp` nor for `azp`.
A person is (iss, sub), never his e-mail; that is looked at once, to find the account that waits for him.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
NEEDED = ("iss", "sub", "aud", "exp", "iat", "nonce")
LEEWAY = 30  # seconds that clocks may differ
NONCE = "company_nonce"  # in the session
PROVE = "redirect"  # allauth's word for: ask the company, sign nobody in
_SECONDS = 5  # that the company's server may take to answer


def claims_of(token: str, keys: Mapping[str, Any], *, issuer: str, client: str, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token. OAuth2Error for every fault of OpenID Connect Core 3.1.3.7, and for an address
    that is not verified.

    `keys` is the issuer's JWK set. The key decides which algorithms there are, never the token.
    """
    try:
        key = _key(token, keys)
        options: Any = {"require": list(NEEDED)}
        named: Any = {"algorithms": [key.algorithm_name], "audience": client, "issuer": issuer, "leeway": LEEWAY}
        claims: dict[str, Any] = jwt.decode(token, key.key, options=options, **named)
    except (jwt.PyJWTError, ValueError, KeyError, TypeError) as fault:
        raise OAuth2Error(f"The company's token is not good: {fault}") from fault
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", "" if several else client) != client:
        raise OAuth2Error("The company's token was made for another program (azp).")
    if not nonce or not compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise OAuth2Error("The company's token is not for this sign-in (nonce).")
    if claims.get("email") and claims.get("email_verified") is not True:
        raise OAuth2Error("The company has not verified your e-mail address.")
    return claims


def _key(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    header = jwt.get_unverified_header(token)
    named = [one for one in keys.get("keys", []) if one.get("kid") == header.get("kid") and one.get("use") != "enc"]
    if len(named) != 1:
        raise ValueError(f"its key {header.get('kid')!r} is not among the issuer's")
    key = jwt.PyJWK(named[0], algorithm=named[0].get("alg") or header.get("alg"))
    # A shared secret is no key of an issuer: a token "signed" with the public key's own text must not pass.
    if key.algorithm_name not in ALGORITHMS or key.algorithm_name != header.get("alg"):
        raise ValueError(f"its algorithm {header.get('alg')!r} is not its key's")
    return key


class Tokens(OpenIDConnectOAuth2Adapter):
    """Fetches the token and hands out only what was checked."""

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        id_token = str(kwargs["response"].get("id_token") or "")
        nonce = str(request.session.pop(NONCE, ""))
        with get_adapter().get_requests_session() as web:
            answer = web.get(self.openid_config["jwks_uri"], timeout=_SECONDS)
            answer.raise_for_status()
            keys = answer.json()
        issuer = str(app.settings["server_url"]).rstrip("/")
        if str(self.openid_config["issuer"]).rstrip("/") != issuer:
            raise OAuth2Error("The company's server calls itself by another name than the configured one.")
        exact = str(self.openid_config["issuer"])
        claims = claims_of(id_token, keys, issuer=exact, client=app.client_id, nonce=nonce)
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})


class Company(OpenIDConnectProvider):
    """allauth's provider with a nonce, and with (iss, sub) as the one name of a person."""

    oauth2_adapter_class = Tokens

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        claims = data["id_token"]
        return hashlib.sha256(f"{claims['iss']}\n{claims['sub']}".encode()).hexdigest()

    def get_auth_params_from_request(self, request: HttpRequest, action: Any) -> dict[str, str]:
        """Never what an address says. To prove himself he signs in there anew, with the moment of it in the token."""
        said = {"nonce": secrets.token_urlsafe(24)}
        request.session[NONCE] = said["nonce"]
        if request.GET.get("process") == PROVE:
            said |= {"prompt": "login", "max_age": "0"}
        return said

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Sign in or prove oneself; never "connect", which would hand an account to whoever is signed in over there."""
        asked: dict[str, Any] = super().get_redirect_from_request_kwargs(request)
        return asked | {"process": PROVE if asked["process"] == PROVE else "login"}

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return list(self.get_scope())
