"""What tests of sign-in share: people with second factors, and what a session says of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from allauth.usersessions.models import UserSession
from django.test import Client

from approvals.models import User
from tests.browser.site import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
COUNTER = 60_000_000
CODE = auth.format_hotp_value(auth.hotp_value(SECRET, COUNTER))


@pytest.fixture
def one_code(monkeypatch: pytest.MonkeyPatch) -> str:
    """The clock of code apps stands still: the one code that is right."""
    monkeypatch.setattr(auth, "yield_hotp_counters_from_time", lambda: iter([COUNTER]))
    return str(CODE)


@pytest.fixture
def fast(settings: Any, people: dict[str, User]) -> None:
    """Passwords cost a second by design; not in tests that try many."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for user in people.values():
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])


def with_code_app(user: User) -> User:
    auth.TOTP.activate(user, SECRET)
    return user


def recovery_codes(user: User) -> list[str]:
    return list(RecoveryCodes.activate(user).generate_codes())


def proven(client: Client, method: str = "mfa", ago: float = 5, **more: Any) -> Client:
    """The session says that its person proved himself so long (seconds) ago."""
    session = client.session
    note = {"method": method, "at": time.time() - ago, **more}
    session["account_authentication_methods"] = [note]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()
    return client


def listed(client: Client) -> Client:
    """Its session stands in the list, as after a real sign-in."""
    session = client.session
    UserSession.objects.create(user_id=session["_auth_user_id"], session_key=session.session_key, ip="127.0.0.1")
    return client
