"""Rows for the pages of people and of who is on call. The people are their own: the others' pages stay as they are."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from approvals import duty_journal, people_journal
from approvals.duty_journal import Week, Who
from approvals.models import Actor, Cover, User
from approvals.roles import ADMINISTRATOR, EVERYTHING, ONCALL
from approvals.windows import DAYS
from tests import factories

SET_UP = Actor.machine("set-up")


def duty() -> int:
    """Ada administers; Maria has the week but for Sunday, Luis took over and she owes her word. Returns the pool."""
    ada, maria, luis = (factories.person(name) for name in ("ada", "maria", "luis"))
    pool, now = factories.pool("geneva"), timezone.now()
    scope = f"pool:{pool.pk}"
    for person, role, where in ((ada, ADMINISTRATOR, EVERYTHING), (maria, ONCALL, scope), (luis, ONCALL, scope)):
        people_journal.give(person, role, where, actor=SET_UP, now=now, why="As the team was drawn up in March.")
    week = Week(DAYS[:6], "00:00", "24:00", "Europe/Zurich")
    duty_journal.add_shift(scope, maria, week, _who(ada, "The week as agreed."))
    begins, ends = now - timedelta(hours=2), now + timedelta(hours=6)
    cover = duty_journal.add_cover(scope, luis, _who(ada, "Maria's line is down."), begins=begins, ends=ends)
    Cover.objects.filter(pk=cover.pk).update(taken=True, relieved=maria)
    return pool.pk


def relieved() -> int:
    """Who was relieved; call `duty` first."""
    return User.objects.get(username="maria").pk


def _who(by: User, word: str) -> Who:
    return Who(by, Actor(kind="person", name=by.username, user_id=by.pk), timezone.now(), word)
