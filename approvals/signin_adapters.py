"""What allauth asks us: who may come in, from which address, how secrets are kept, what the company's word is worth."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import render

from approvals import factor_secrets, lockout, proofs, where
from approvals.models import User
from approvals.signin_oidc import PROVE

NOBODY = (
    "Your company knows you, this dashboard does not. Ask whoever runs it for an account with exactly your company's"
    " e-mail address."
)


class Account(DefaultAccountAdapter):
    """No strangers, no mail, one idea of an address."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "Name or password is not right.",  # nosec B105 # a sentence for people
        "too_many_login_attempts": "Too many wrong codes. Wait 15 minutes, or use a passkey.",
        "rate_limited": "Too many wrong codes. Wait 15 minutes and try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return where.address(request.META, settings.PROXIES)

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """The record and the account page say it: there may be no mail server."""

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        return False  # approvals/signin_urls.py asks, by approvals/step_up.py, for more than allauth would

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        name = str(credentials.get("username") or "")
        self.tried = lockout.Attempt.of(name, where.network(self.get_client_ip(request)))
        if why := lockout.refusal(request, self.tried):
            raise ValidationError(why, code="locked")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        if user:
            lockout.forgive(request, self.tried)
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """allauth's own count is not kept: lockout.forgive does it for ours."""


class Factors(DefaultMFAAdapter):
    """Second factors: secrets sealed, names as people say them."""

    error_messages = {**DefaultMFAAdapter.error_messages, "incorrect_code": "That did not match. Try once more."}

    def encrypt(self, text: str) -> str:
        return factor_secrets.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return factor_secrets.unseal(encrypted_text)

    def get_totp_issuer(self) -> str:
        return "Handover"

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        return "Passkey"

    def _get_site_name(self) -> str:
        return "Handover"


class Company(DefaultSocialAccountAdapter):
    """The company's sign-in (approvals/signin_oidc.py) lets in whom an administrator expects, and nobody else."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """The record says it."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        if not sociallogin.is_existing:
            user = expected(sociallogin)
            if user is None:
                page = render(request, "account/refused.html", {"why": NOBODY}, status=403)
                raise ImmediateHttpResponse(page)
            sociallogin.connect(request, user)
        if sociallogin.state.get("process") == PROVE and request.user == sociallogin.user:
            note_proof(request, sociallogin)


def expected(sociallogin: Any) -> User | None:
    """The account that waits for this person: of his verified address, on, without a password and not taken yet.

    An account with a password is never handed over: who controls addresses at the company must not get it.
    """
    claims = sociallogin.account.extra_data.get("id_token", {})
    email = str(claims.get("email") or "")
    if not email or claims.get("email_verified") is not True:
        return None
    found = list(User.objects.filter(email__iexact=email, is_active=True, socialaccount=None)[:2])
    return found[0] if len(found) == 1 and not found[0].has_usable_password() else None


def note_proof(request: HttpRequest, sociallogin: Any) -> None:
    """Put into the session what the company says of how and when it saw him."""
    known = proofs.of_company(sociallogin.account.extra_data.get("id_token", {}), time.time())
    if known:
        strength, at = known
        extra = {"provider": sociallogin.account.provider, "strength": strength, "at": at}
        record_authentication(request, sociallogin.user, "socialaccount", **extra)
