"""Who is on call counts: for rights, for what was said in time, for taking over with the words of both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from approvals import duty, duty_journal, duty_pages, rights
from approvals.duty_journal import Week, Who
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Cover, Shift, User
from approvals.windows import DAYS
from fleet.selectors import pools_with
from fleet.selectors import rights as rights_on
from tests.db.approvals.test_roles import on, pool, who
from tests.factories import NOON

pytestmark = pytest.mark.django_db
APPROVE = "fleet.approve_rollout"
EARLY, LATE = NOON - timedelta(hours=4), NOON + timedelta(hours=4)


def said(by: User, word: str = "As agreed on Friday.", now: datetime = NOON) -> Who:
    return Who(by, Actor(kind="person", name=by.username, user_id=by.pk), now, word)


@pytest.fixture
def day() -> tuple[User, User]:
    """Ann is on call from 8 to 16, Bob from 16 to 8."""
    boss = who("boss", ("administrator", "all"))
    ann, bob = (who(name, ("oncall", on("eu"))) for name in ("ann", "bob"))
    for person, start, until in ((ann, "08:00", "16:00"), (bob, "16:00", "08:00")):
        duty_journal.add_shift(on("eu"), person, Week(DAYS, start, until, "UTC"), said(boss))
    return ann, bob


def at(now: datetime) -> Any:
    return mock.patch.object(timezone, "now", return_value=now)


def test_the_role_counts_during_the_own_shift_only(day: tuple[User, User]) -> None:
    ann, bob = day
    with at(NOON):
        assert [rights.may(person, APPROVE, on("eu")) for person in day] == [True, False]
        assert [pools_with(person, "approve_rollout").count() for person in day] == [1, 0]
        assert [rights_on(person, pool("eu")) & {"approve_rollout"} for person in day] == [{"approve_rollout"}, set()]
        assert rights.may(bob, "fleet.view_pool", on("eu"))
    with at(LATE):
        assert [rights.may(person, APPROVE, on("eu")) for person in day] == [False, True]
    assert [rights.holds(person, APPROVE, on("eu")) for person in day] == [True, True]


def test_without_a_calendar_and_on_other_pools_it_counts_always(day: tuple[User, User]) -> None:
    bob = who("bob", ("oncall", on("us")), ("approver", on("asia")))
    with at(NOON):
        assert rights.may(bob, APPROVE, on("us"))
        assert rights.may(bob, APPROVE, on("asia"))
        who("bob", ("approver", on("eu")))
        assert rights.may(bob, APPROVE, on("eu"))


def test_what_is_to_come_changes_nothing_now() -> None:
    boss, ann, bob = who("boss", ("administrator", "all")), who("ann", ("oncall", on("eu"))), who("bob")
    with pytest.raises(Refused, match="eu has no calendar"):
        duty_journal.take_over(on("eu"), said(ann))
    who("bob", ("oncall", on("eu")))
    duty_journal.add_cover(on("eu"), bob, said(boss), begins=LATE, ends=LATE + timedelta(hours=1))
    for now, mine in ((NOON, True), (LATE, False), (LATE + timedelta(hours=1), True)):
        with at(now):
            assert rights.may(ann, APPROVE, on("eu")) is mine


def test_taking_over_has_the_words_of_both(day: tuple[User, User]) -> None:
    ann, bob = day
    duty_journal.leave_note(on("eu"), said(ann, "Rollout 12 observes; nothing else."))
    cover = duty_journal.take_over(on("eu"), said(bob, "I have read it."))
    cover.refresh_from_db()
    assert (cover.relieved, cover.word, cover.ends_at) == (ann, "Rollout 12 observes; nothing else.", LATE)
    with at(NOON):
        assert [rights.may(person, APPROVE, on("eu")) for person in day] == [False, True]
    event = AuditEvent.objects.get(verb="duty.taken_over")
    assert (event.actor, event.reason) == ("bob", "I have read it.")
    with pytest.raises(Refused, match="You are on call for eu already"):
        duty_journal.take_over(on("eu"), said(bob))


def test_who_left_no_note_owes_his_word_and_gives_it_once(day: tuple[User, User]) -> None:
    ann, bob = day
    cover = duty_journal.take_over(on("eu"), said(bob))
    assert duty_journal.words_wanted(ann) == [cover]
    with pytest.raises(Refused, match="You were not the one"):
        duty_journal.give_word(cover, said(bob))
    duty_journal.give_word(cover, said(ann, "My line was down."))
    assert duty_journal.words_wanted(ann) == []
    with pytest.raises(Refused, match="on the record already"):
        duty_journal.give_word(cover, said(ann))


def test_in_a_gap_nobody_acts_until_somebody_takes_over(day: tuple[User, User]) -> None:
    ann, _ = day
    Shift.objects.filter(person=ann).update(ended_at=NOON)
    assert duty.now_on_call([on("eu")], NOON)[on("eu")].people == ()
    assert duty_pages.head_line(ann, NOON) == "Nobody is on call: eu"
    cover = duty_journal.take_over(on("eu"), said(ann))
    assert (cover.relieved, cover.ends_at) == (None, LATE)
    assert duty_pages.head_line(ann, NOON) == "You are on call: eu"


def test_who_lost_the_role_is_not_on_call(day: tuple[User, User]) -> None:
    ann, bob = day
    ann.groups.clear()
    assert duty.now_on_call([on("eu")], NOON)[on("eu")].people == ()
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert duty.now_on_call([on("eu")], LATE)[on("eu")].people == ()


def test_what_is_refused(day: tuple[User, User]) -> None:
    ann, bob = day
    boss, cem = User.objects.get(username="boss"), who("cem", ("viewer", on("eu")))
    week = Week(DAYS, "08:00", "16:00", "Mars/Olympus")
    for say, act in (
        ("you lack the right", lambda: duty_journal.add_shift(on("eu"), ann, week, said(ann))),
        ("There is no time zone", lambda: duty_journal.add_shift(on("eu"), ann, week, said(boss))),
        ("Say why", lambda: duty_journal.add_shift(on("eu"), ann, week, said(boss, " "))),
        ("cem does not hold", lambda: duty_journal.add_shift(on("eu"), cem, week, said(boss))),
        ("You do not hold the role", lambda: duty_journal.take_over(on("eu"), said(cem))),
        ("lasts 31 days", lambda: duty_journal.add_cover(on("eu"), ann, said(boss), begins=LATE, ends=NOON)),
        ("You are not on call", lambda: duty_journal.leave_note(on("eu"), said(bob))),
    ):
        with pytest.raises(Refused, match=say):
            act()


def test_a_cover_for_once_goes_before_the_week_and_ends_once(day: tuple[User, User]) -> None:
    ann, bob = day
    boss = User.objects.get(username="boss")
    cover = duty_journal.add_cover(on("eu"), bob, said(boss), begins=EARLY, ends=LATE)
    with at(NOON):
        assert [rights.may(person, APPROVE, on("eu")) for person in day] == [False, True]
    duty_journal.end_cover(cover, said(bob))
    with at(NOON):
        assert [rights.may(person, APPROVE, on("eu")) for person in day] == [True, False]
    with pytest.raises(Refused, match="over already"):
        duty_journal.end_cover(cover, said(bob))
    assert Cover.objects.get().ended_at == NOON
