"""Accounts: an administrator makes them and hands over a link; nobody signs up and no mail is sent."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from approvals import audit, sessions
from approvals.errors import Refused
from approvals.models import Actor, User


def invite(name: str, email: str, *, actor: Actor, now: datetime) -> User:
    """Make an account that nobody can use before he has opened his link or come by his company. Refused when the name
    is taken or is none."""
    user = User(username=name.strip(), email=email.strip())
    user.set_unusable_password()
    try:
        user.full_clean()
        with transaction.atomic():
            user.save()
            audit.append(
                "account.made", subject=f"user:{user.pk}", actor=actor, at=now, details={"name": user.username}
            )
    except (ValidationError, IntegrityError) as wrong:
        said = "; ".join(wrong.messages) if isinstance(wrong, ValidationError) else f"{name} exists."
        raise Refused(f"No account was made: {said}") from None
    return user


def link(user: User, *, actor: Actor, now: datetime) -> str:
    """The path of a link with which this person sets his password, once, within settings.PASSWORD_RESET_TIMEOUT.

    For who never had a password each new link ends those before it; else the first that is used ends all.
    """
    if not user.is_active:
        raise Refused(f"{user.username} is turned off. Turn the account on first.")
    with transaction.atomic():
        if not user.has_usable_password():
            user.set_unusable_password()  # a new random value: links are signed over it
            user.save(update_fields=["password"])
        audit.append(
            "account.link_made", subject=f"user:{user.pk}", actor=actor, at=now, details={"name": user.username}
        )
    key = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("sign-in-link", args=[key, default_token_generator.make_token(user)])


def turn(user: User, *, on: bool, actor: Actor, now: datetime) -> None:
    """Let an account in again, or keep it out: then all its sessions end at once. Refused for one's own."""
    if user.pk == actor.user_id:
        raise Refused("Your own account is turned off by somebody else.")
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, is_active=not on).update(is_active=on):
            return
        verb = "account.turned_on" if on else "account.turned_off"
        audit.append(verb, subject=f"user:{user.pk}", actor=actor, at=now, details={"name": user.username})
    if not on:
        sessions.end(UserSession.objects.filter(user=user), actor=actor, now=now)


def forget_factors(user: User, *, reason: str, actor: Actor, now: datetime) -> None:
    """Take away second factors that somebody has lost; his sessions end. Refused for one's own and without a reason."""
    if user.pk == actor.user_id:
        raise Refused("Your own second factors are removed on your account's page, with a proof.")
    if not reason:
        raise Refused("Say why: how do you know that it is this person who lost them?")
    with transaction.atomic():
        gone = Authenticator.objects.filter(user=user).delete()[0]
        if not gone:
            raise Refused(f"{user.username} has no second factor.")
        told = {"name": user.username, "number": gone}
        audit.append("factor.forgotten", subject=f"user:{user.pk}", actor=actor, at=now, reason=reason, details=told)
    sessions.end(UserSession.objects.filter(user=user), actor=actor, now=now)
