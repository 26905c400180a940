"""What sign-in puts on the record: allauth says that it happened, here it becomes an event."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import user_logged_in as came_in
from allauth.mfa import signals as factors
from allauth.socialaccount.signals import social_account_added
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from approvals import audit, lockout, people, sessions, signin_adapters, step_up, where
from approvals.models import Actor

FACTORS = {"totp": "code app", "webauthn": "passkey", "recovery_codes": "recovery codes"}


def listen() -> None:
    """Once, when the apps are ready."""
    user_logged_in.connect(_session_made, dispatch_uid="sessions.note")
    came_in.connect(_came_in, dispatch_uid="company.proof")
    factors.authenticator_added.connect(_added, dispatch_uid="factor.added")
    factors.authenticator_reset.connect(_reset, dispatch_uid="factor.reset")
    factors.authenticator_removed.connect(_removed, dispatch_uid="factor.removed")
    factors.authentication_failed.connect(_failed, dispatch_uid="factor.refused")
    social_account_added.connect(_joined, dispatch_uid="company.joined")


def event(verb: str, request: HttpRequest, **details: Any) -> None:
    """Something that the one who is signed in did to his own account."""
    actor = people.actor(request)
    with transaction.atomic():
        subject = f"user:{actor.user_id}"
        audit.append(verb, subject=subject, actor=actor, at=timezone.now(), details=details)


def signed_in(request: HttpRequest) -> None:
    """He is in, by whatever way."""
    proof = step_up.proof(request)
    event("session.signed_in", request, by=proof.method if proof else "")


def refused(verb: str, name: str, request: HttpRequest) -> None:
    """Somebody was not let in under this name, which may be nobody's."""
    ip = where.address(request.META, settings.PROXIES)
    actor = Actor(kind="person", name=name[:80] or "nobody", ip=ip)
    with transaction.atomic():
        audit.append(verb, subject="user:unknown", actor=actor, at=timezone.now())


def news(name: str, request: HttpRequest) -> bool:
    """Whether the record lacks it yet that this name is stopped from this address."""
    place = where.network(where.address(request.META, settings.PROXIES))
    return lockout.first_told(lockout.Attempt.of(name, place))


def _session_made(sender: object, request: HttpRequest, **_: Any) -> None:
    sessions.note(str(request.session.session_key or ""), timezone.now())


def _came_in(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    if sociallogin := kwargs.get("sociallogin"):
        signin_adapters.note_proof(request, sociallogin)


def _added(sender: object, request: HttpRequest, authenticator: Any, **_: Any) -> None:
    event("factor.added", request, **_named(authenticator))
    if authenticator.type != "recovery_codes":
        # It was used just now: without a code or a signature of it nothing is added.
        record_authentication(request, request.user, "mfa", id=authenticator.pk, type=authenticator.type)


def _reset(sender: object, request: HttpRequest, authenticator: Any, **_: Any) -> None:
    event("factor.renewed", request, **_named(authenticator))


def _removed(sender: object, request: HttpRequest, authenticator: Any, **_: Any) -> None:
    event("factor.removed", request, **_named(authenticator))


def _failed(sender: object, request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    refused("factor.refused", user.get_username(), request)


def _joined(sender: object, request: HttpRequest, sociallogin: Any, **_: Any) -> None:
    actor = Actor(kind="person", name=sociallogin.user.get_username(), user_id=sociallogin.user.pk)
    claims = sociallogin.account.extra_data.get("id_token", {})
    told = {"issuer": str(claims.get("iss", "")), "subject": str(claims.get("sub", ""))}
    with transaction.atomic():
        audit.append(
            "company.joined", subject=f"user:{sociallogin.user.pk}", actor=actor, at=timezone.now(), details=told
        )


def _named(authenticator: Any) -> dict[str, str]:
    name = str(authenticator.data.get("name", ""))
    return {"kind": FACTORS.get(authenticator.type, authenticator.type), **({"name": name} if name else {})}
