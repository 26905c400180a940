"""Settings of sign-in: allauth's, and ours beside them. docs/signin.md says what they are for."""

from __future__ import annotations

import os
from typing import Any

from approvals.lockout_rates import RATES

OURS = ("ACCOUNT_", "MFA_", "SOCIALACCOUNT_")  # names that upgrader.settings takes over as they are
STRENGTHS = ("", "password", "second-factor", "passkey")

# How many proxies of ours stand in front; each appends to X-Forwarded-For. 0: that header is ignored.
PROXIES = int(os.environ.get("HANDOVER_PROXIES", "0"))
# What approving and rolling back ask of everybody; empty: of those who have one a second factor.
STEP_UP = os.environ.get("HANDOVER_STEP_UP", "")
if STEP_UP not in STRENGTHS:
    # A word that is not understood must not mean "ask for nothing".
    raise ValueError(f"HANDOVER_STEP_UP is one of password, second-factor, passkey, and not {STEP_UP!r}")

ACCOUNT_ADAPTER = "approvals.signin_adapters.Account"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True  # as long as SESSION_COOKIE_AGE says; no box to tick
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_FORMS = {"login": "approvals.signin_forms.SignIn"}
# An address is no key of its own: behind one proxy or NAT all of a company would be stopped together.
ACCOUNT_RATE_LIMITS: dict[str, str | None] = {
    **RATES,
    "login": None,
    "reauthenticate": "20/15m/user",
    "login_failed": "5/15m/key",  # codes: allauth counts them for the person whose password was right
}

MFA_ADAPTER = "approvals.signin_adapters.Factors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_RATE_LIMITS: dict[str, str | None] = {"webauthn_login": None}
MFA_FORMS = {
    "add_webauthn": "approvals.signin_forms.AddPasskey",
    "authenticate_webauthn": "approvals.signin_forms.SecondByPasskey",
    "login_webauthn": "approvals.signin_forms.SignInByPasskey",
}

SOCIALACCOUNT_ADAPTER = "approvals.signin_adapters.Company"
SOCIALACCOUNT_LOGIN_ON_GET = True  # it only starts a sign-in that state and nonce bind to this browser
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"


def companies(said: dict[str, str]) -> list[dict[str, Any]]:
    """The company's sign-in from HANDOVER_OIDC_ISSUER, _CLIENT, _SECRET and _NAME; none without an issuer."""
    issuer = said.get("HANDOVER_OIDC_ISSUER", "").rstrip("/")
    if not issuer:
        return []
    return [
        {
            "provider_id": "company",
            "name": said.get("HANDOVER_OIDC_NAME", "your company"),
            "client_id": said.get("HANDOVER_OIDC_CLIENT", ""),
            "secret": said.get("HANDOVER_OIDC_SECRET", ""),
            "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
        }
    ]


SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"provider_class": "approvals.signin_oidc.Company", "APPS": companies(dict(os.environ))}
}
