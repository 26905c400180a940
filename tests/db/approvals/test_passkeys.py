"""A passkey whose counter went back stays out, is on the record, and calls people until it is removed."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone

from approvals import passkeys
from approvals.models import AuditEvent
from fleet.models import Alert
from tests import factories
from upgrader import calls


@pytest.mark.django_db
def test_a_copied_passkey() -> None:
    user = factories.person("oncall")
    row = Authenticator.objects.create(user=user, type="webauthn", data={"name": "My phone"})
    assert [passkeys.advance(row, count) for count in (1, 5, 4, 6, 7)] == [True, True, False, False, False]
    passkeys.tell(row, 4)
    event = AuditEvent.objects.get(verb="passkey.refused")
    assert (event.actor, event.subject) == ("oncall", f"user:{user.pk}")
    assert calls.note(now=timezone.now()) == 1
    assert "My phone" in Alert.objects.get(kind="passkey", ended_at=None).say
    assert calls.note(now=timezone.now()) == 0, "nothing the second time"
    row.delete()
    calls.note(now=timezone.now())
    assert not Alert.objects.filter(kind="passkey", ended_at=None).exists()


@pytest.mark.django_db
def test_a_key_without_a_counter_passes() -> None:
    row = Authenticator.objects.create(user=factories.person("oncall"), type="webauthn", data={"name": "old"})
    assert [passkeys.advance(row, 0) for _ in range(3)] == [True] * 3
