"""Under which names gateways know people's keys, and how many of them it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import Permission

from approvals import changes, keys, statement
from approvals.errors import Refused
from approvals.models import Actor, ApproverKey, Request, User
from fleet.ocgate import policy
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def line() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def kept(username: str) -> ApproverKey:
    user, _ = User.objects.get_or_create(username=username)
    text, shown = keys.parsed(line())
    return ApproverKey.objects.create(user=user, public_key=text, fingerprint=shown, added_at=NOW)


def proposed(username: str) -> Request:
    user = User.objects.filter(username=username).first() or factories.person(username)
    return keys.propose(line(), by=user, actor=Actor("person", username, user.pk), now=NOW)


def test_names_are_those_that_gateways_take() -> None:
    assert statement.NAME.pattern == policy.APPROVER.pattern


def test_a_second_key_has_a_name_of_its_own_and_keeps_it() -> None:
    first, second = kept("ines"), kept("ines")
    assert statement.named() == {"ines": first, "ines-2": second}
    ApproverKey.objects.filter(pk=first.pk).update(active=False)
    assert statement.named() == {"ines-2": second}


def test_two_keys_of_one_person_are_one_signature() -> None:
    kept("ines"), kept("ines"), kept("olga")
    assert statement.people_of(["ines.sig", "ines-2.sig"]) == 1
    assert statement.people_of(["ines-2.sig", "olga.sig", "gone.sig"]) == 3


def test_no_key_takes_another_persons_name() -> None:
    first, second, other = kept("ines"), kept("ines"), kept("ines-2")
    assert statement.named() == {"ines": first, "ines-3": second, "ines-2": other}


def test_who_would_rename_somebodys_key_is_refused() -> None:
    kept("ines"), kept("ines")
    with pytest.raises(Refused, match="Gateways know somebody's second key as ines-2"):
        proposed("ines-2")


@pytest.mark.parametrize("username", ["_ines", "ines+ops", "ïnes", "i" * 78])
def test_a_name_that_gateways_refuse_is_refused_when_the_key_is_proposed(username: str) -> None:
    with pytest.raises(Refused, match=r"Gateways can't know a key as .*Have your user name changed first"):
        proposed(username)
    assert not Request.objects.exists()


def test_a_second_key_must_fit_too() -> None:
    kept("i" * 77)
    with pytest.raises(Refused, match="at most 77 characters"):
        proposed("i" * 77)


def test_one_that_was_kept_before_the_rule_counts_nowhere() -> None:
    kept("ines+ops")
    assert statement.named() == {}


def test_who_was_renamed_since_gets_no_key() -> None:
    ola, ines = factories.person("ola"), factories.person("ines")
    ola.user_permissions.add(Permission.objects.get(codename="add_approverkey"))
    ines.user_permissions.add(Permission.objects.get(codename="change_approverkey"))
    request = proposed("ola")
    User.objects.filter(username="ola").update(username="ola+ops")
    who: dict[str, Any] = {"by": ines, "actor": Actor("person", "ines", ines.pk)}
    with pytest.raises(Refused, match="can't know a key as"):
        changes.decide(request, **who, now=NOW, yes=True, reason="", digest=request.digest)
    assert not ApproverKey.objects.exists()


def test_how_many_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "NEEDED", [])
    assert (statement.lacking(0), statement.lacking(1)) == ("No approver has signed it yet.", "")
    monkeypatch.setattr(statement, "NEEDED", [lambda: 3])
    assert statement.lacking(1) == "1 of 3 approvers has signed it; gateways ask for 3, so 2 more must sign."
    assert statement.lacking(3) == ""
