"""People beside the cast: one whose second factor nobody else's pages must be asked for, and one who makes accounts."""

from __future__ import annotations

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY as NOTES
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from approvals.models import User
from approvals.proofs import SECONDS
from tests import factories


def night() -> int:
    """Who rolls back in the pool "by night"."""
    return factories.person("night", factories.ONCALL, factories.pool("by night")).pk


def accounts() -> int:
    """The auditor makes accounts, too; one of them is turned off."""
    right = Permission.objects.get(content_type__app_label="approvals", codename="add_user")
    User.objects.get(username="auditor").user_permissions.add(right)
    return User.objects.get_or_create(username="gone", email="gone@example.org", is_active=False)[0].pk


def later() -> int:
    """A quarter of an hour has passed for what people have proven; how many sessions there are."""
    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        if NOTES in session:
            session[NOTES] = [{**note, "at": note["at"] - SECONDS} for note in session[NOTES]]
            session.save()
    return Session.objects.count()
