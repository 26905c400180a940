"""Strategies as they are kept: versions, what is shipped, who may add and retire."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, User
from tests import factories
from tests.factories import NOON
from upgrader import strategy_store
from upgrader.models import Strategy
from upgrader.strategy import checked_spec
from upgrader.strategy_text import TextError

MACHINE = Actor.machine("test")
TEXT = "title: Mine\nwaves:\n  - rest: true\n"


@pytest.fixture
def people(db: None) -> dict[str, User]:
    return factories.cast()


def add(by: User, text: str = TEXT, name: str = "mine") -> tuple[Strategy, bool]:
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return strategy_store.add(name, text, by=by, actor=actor, now=NOON)


def retire(by: User, name: str = "mine") -> bool:
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return strategy_store.retire(name, reason="too slow", by=by, actor=actor, now=NOON + timedelta(hours=1))


def test_shipped_ones_are_loaded_once(db: None) -> None:
    first = strategy_store.load(actor=MACHINE, now=NOON)
    names = ["blue-green", "blue-green-between-pools", "emergency-patch", "rolling", "careful-canary"]
    assert [row.name for row in first] == names
    assert strategy_store.load(actor=MACHINE, now=NOON) == []
    for row in first:
        assert checked_spec(row.spec)
    assert strategy_store.offered()[0].name == "careful-canary"


def test_another_text_that_is_shipped_is_the_next_version(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy_store.load(actor=MACHINE, now=NOON)
    monkeypatch.setattr(strategy_store, "shipped", lambda: {"rolling": TEXT})
    (made,) = strategy_store.load(actor=MACHINE, now=NOON)
    assert (made.name, made.version) == ("rolling", 2)
    assert Strategy.objects.filter(name="rolling", version=1).exists()


def test_what_people_changed_or_retired_stays_theirs(people: dict[str, User], monkeypatch: pytest.MonkeyPatch) -> None:
    strategy_store.load(actor=MACHINE, now=NOON)
    add(people["operator"], name="rolling")
    retire(people["operator"], name="blue-green")
    monkeypatch.setattr(strategy_store, "shipped", lambda: dict.fromkeys(("rolling", "blue-green"), TEXT + "#"))
    assert strategy_store.load(actor=MACHINE, now=NOON) == []


def test_the_same_text_is_no_new_version(people: dict[str, User]) -> None:
    first, news = add(people["operator"])
    assert news
    assert add(people["operator"]) == (first, False)
    second, _ = add(people["operator"], TEXT.replace("Mine", "Ours"))
    assert (second.version, second.title, second.added_by) == (2, "Ours", people["operator"])
    assert [row.pk for row in strategy_store.offered()] == [second.pk]


def test_adding_is_on_the_record_with_who(people: dict[str, User]) -> None:
    row, _ = add(people["operator"])
    event = AuditEvent.objects.get(verb="strategy.added")
    assert (event.subject, event.actor) == (f"strategy:{row.pk}", "operator")


@pytest.mark.parametrize("who", ["oncall", "auditor", "stranger"])
def test_without_the_right_nothing_is_added_or_retired(people: dict[str, User], who: str) -> None:
    with pytest.raises(Refused, match="You may not add or retire"):
        add(people[who])
    with pytest.raises(Refused, match="You may not add or retire"):
        retire(people[who])
    assert not Strategy.objects.exists()


def test_a_wrong_text_and_a_wrong_name_are_refused(people: dict[str, User]) -> None:
    with pytest.raises(TextError, match="Line 3"):
        add(people["operator"], TEXT.replace("rest: true", "rest: 7"))
    with pytest.raises(Refused, match="small letters"):
        add(people["operator"], name="…")
    assert not Strategy.objects.exists()


def test_a_retired_one_is_not_offered_and_comes_back_with_a_new_version(people: dict[str, User]) -> None:
    add(people["operator"])
    assert retire(people["operator"])
    assert not retire(people["operator"])
    assert strategy_store.offered() == []
    event = AuditEvent.objects.get(verb="strategy.retired")
    assert event.reason == "too slow"
    again, news = add(people["operator"])
    assert (news, again.version) == (True, 2)
    assert [row.pk for row in strategy_store.offered()] == [again.pk]


def test_who_prepares_the_product_has_them(db: None) -> None:
    said = StringIO()
    call_command("prepare", stdout=said)
    assert "5 new versions" in said.getvalue()
    said = StringIO()
    call_command("prepare", stdout=said)
    call_command("strategy", "list", stdout=said)
    assert said.getvalue().startswith("0 new versions\nblue-green v1 Blue-green\n")
