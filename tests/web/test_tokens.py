"""Tokens for programs: made and shown once, bounded, ended; wrong ones are counted and lock nobody out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from approvals import tokens
from approvals.errors import Refused
from approvals.models import Actor, ApiToken, AuditEvent, User, WrongTokens
from tests import factories

Browse = Callable[[str], Client]
FORM = {"name": "deploy pipeline", "days": "30", "scope": ["read", "operate"]}


def make(by: User, *scopes: str, places: tuple[str, ...] = (), days: int = 30) -> str:
    wish = tokens.Wish("pipeline", scopes or tokens.SCOPES, places, days)
    return tokens.make(wish, by=by, actor=Actor("person", by.username, by.pk), now=timezone.now())[1]


def test_it_is_shown_once_kept_as_a_hash_and_on_record(browse: Browse, people: dict[str, User]) -> None:
    shown = browse("operator").post("/account/tokens/add/", FORM).content.decode()
    token = ApiToken.objects.get()
    text = shown.partition('<pre class="wrap">')[2][:46]
    assert (tokens.LOOKS.fullmatch(text) is not None, token.sha256) == (True, tokens.hashed(text))
    assert (token.owner, token.scopes) == (people["operator"], ["read", "operate"])
    event = AuditEvent.objects.get(verb="token.made")
    assert (event.actor, text in event.body, token.prefix in event.body) == ("operator", False, True)
    later = browse("operator").get("/account/tokens/").content.decode()
    assert (text in later, token.prefix in later) == (False, True)
    assert token.prefix not in browse("oncall").get("/account/tokens/").content.decode()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "Say what will use it"),
        ({"days": "366"}, "between 1 and 365"),
        ({"days": "x"}, "between 1 and 365"),
        ({"scope": []}, "Choose what it may do"),
        ({"scope": ["root"]}, "Choose what it may do"),
        ({"place": ["pool:999"]}, "you may not see it"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_made(browse: Browse, change: dict[str, object], says: str) -> None:
    answer = browse("operator").post("/account/tokens/add/", {**FORM, **change})
    assert (answer.status_code, says in answer.content.decode()) == (409, True)
    assert not ApiToken.objects.exists()


def test_its_owner_ends_it_once_and_nobody_else_does(browse: Browse, people: dict[str, User]) -> None:
    text = make(people["operator"])
    page = f"/account/tokens/{ApiToken.objects.get().pk}/end/"
    assert browse("oncall").post(page).status_code == 404
    assert browse("operator").get(page).status_code == 405
    assert [browse("operator").post(page).status_code for _ in range(2)] == [302, 302]
    assert AuditEvent.objects.filter(verb="token.ended").count() == 1
    with pytest.raises(tokens.WrongToken, match="was ended on"):
        tokens.find(text, address="192.0.2.1", now=timezone.now())


def test_it_opens_until_it_expires_and_while_its_owner_may_sign_in(people: dict[str, User]) -> None:
    owner, now = people["operator"], timezone.now()
    text = make(owner, days=7)
    found = tokens.find(text, address="192.0.2.1", now=now)
    assert found.owner == owner
    assert ApiToken.objects.get().used_from == "192.0.2.1"
    with pytest.raises(tokens.WrongToken, match="expired on"):
        tokens.find(text, address="192.0.2.1", now=now + timedelta(days=8))
    User.objects.filter(pk=owner.pk).update(is_active=False)
    with pytest.raises(tokens.WrongToken, match="switched off"):
        tokens.find(text, address="192.0.2.1", now=now)


def test_wrong_ones_are_counted_an_address_and_a_right_one_opens_all_the_same(people: dict[str, User]) -> None:
    right, now = make(people["operator"]), timezone.now()
    waits = [tokens.missed("192.0.2.9", now=now) for _ in range(tokens.WRONG_MOST + 2)]
    assert (waits[: tokens.WRONG_MOST], waits[-1]) == ([0] * tokens.WRONG_MOST, 600)
    assert AuditEvent.objects.filter(verb="token.refused").count() == 2
    assert tokens.find(right, address="192.0.2.9", now=now).owner == people["operator"]
    assert tokens.missed("192.0.2.10", now=now) == 0
    assert tokens.missed("192.0.2.9", now=now + timedelta(minutes=11)) == 0
    assert WrongTokens.objects.count() == 1


def test_one_is_bound_to_pools_that_its_owner_sees(people: dict[str, User]) -> None:
    seen, other = factories.pool(), factories.pool("us-east")
    make(people["operator"], places=(f"pool:{seen.pk}",))
    token = ApiToken.objects.get()
    assert (tokens.may_on(token, f"pool:{seen.pk}"), tokens.may_on(token, "all")) == (True, False)
    with pytest.raises(Refused, match="may not see it"):
        make(people["operator"], places=(f"pool:{other.pk}",))
