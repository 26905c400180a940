"""The only writer of shifts, covers and notes: who is on call when, set by who gives roles; taken over by the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from approvals import audit, duty, rights
from approvals.errors import Refused
from approvals.models import Actor, Cover, Note, Shift, User
from approvals.shifts import LONGEST, changes_at, on_call
from approvals.windows import DAYS, WindowError, parse

SET = "fleet.give_role"
WORD_MOST = 2_000
TAKEN_MOST = timedelta(hours=24)
UNTIL_MOST = timedelta(days=366)


@dataclass(frozen=True)
class Who:
    """Who does it, when, and what he says to it."""

    by: User
    actor: Actor
    now: datetime
    word: str


@dataclass(frozen=True)
class Week:
    """A shift as it is asked for: `days` are those on which it begins, the times are the wall's in `zone`."""

    days: tuple[str, ...]
    start: str
    until: str
    zone: str


def add_shift(scope: str, person: User, week: Week, who: Who) -> Shift:
    """Let the person be on call there each week from now on."""
    _demand(scope, who)
    _refuse_stranger(scope, person)
    days = [day for day in DAYS if day in week.days]
    try:
        parse(week.zone, [{"days": days, "from": week.start, "until": week.until}])
    except WindowError as wrong:
        raise Refused(str(wrong)) from wrong
    with transaction.atomic():
        row = Shift.objects.create(
            **{"scope": scope, "person": person, "days": days, "start": week.start, "until": week.until},
            **{"zone": week.zone, "made_by": who.by, "made_at": who.now},
        )
        _tell("shift.set", row, who, {"days": days, "from": week.start, "until": week.until, "zone": week.zone})
    return row


def end_shift(shift: Shift, who: Who) -> None:
    """From now on it is nobody's. Refused the second time."""
    _demand(shift.scope, who)
    with transaction.atomic():
        if not Shift.objects.filter(pk=shift.pk, ended_at=None).update(ended_at=who.now):
            raise Refused("This shift has ended already.")
        _tell("shift.ended", shift, who, {})


def add_cover(scope: str, person: User, who: Who, *, begins: datetime, ends: datetime) -> Cover:
    """For once this person is on call between two moments, and nobody else."""
    _demand(scope, who)
    _refuse_stranger(scope, person)
    if not who.now < ends or not begins < ends <= begins + LONGEST or begins > who.now + UNTIL_MOST:
        raise Refused(f"It begins before it ends, lasts {LONGEST.days} days at most, and is not over yet.")
    with transaction.atomic():
        row = _cover(scope, person, who, begins_at=begins, ends_at=ends)
        _tell("cover.set", row, who, _times(row))
    return row


def end_cover(cover: Cover, who: Who) -> None:
    """What was for once counts no more; the week does. Refused the second time."""
    if who.by != cover.person:
        _demand(cover.scope, who)
    _demand_word(who)
    with transaction.atomic():
        if not Cover.objects.filter(pk=cover.pk, ended_at=None, ends_at__gt=who.now).update(ended_at=who.now):
            raise Refused("This is over already.")
        _tell("cover.ended", cover, who, {})


def leave_note(scope: str, who: Who) -> Note:
    """The word of the one on call to whoever takes over from him."""
    _demand_word(who)
    if who.by.pk not in _now(scope, who.now):
        raise Refused(f"You are not on call for {rights.named(scope)} now, so there is nothing to hand over.")
    with transaction.atomic():
        row = Note.objects.create(scope=scope, by=who.by, say=who.word, at=who.now)
        audit.append("duty.noted", subject=scope, actor=who.actor, at=who.now, reason=who.word)
    return row


def take_over(scope: str, who: Who) -> Cover:
    """Be on call from now on, until the shift that was taken over ends; both words go on the record.

    The one who is relieved gave his word with a note, or gives it afterwards. In a gap there is nobody to relieve.
    """
    _demand_word(who)
    if not duty.holds(who.by, scope):
        raise Refused(f"You do not hold the role On-call on {rights.named(scope)}. Ask for it on the page People.")
    calendar = duty.calendars([scope], who.now).get(scope)
    if calendar is None:
        raise Refused(
            f"{rights.named(scope)} has no calendar, so the role counts at all times: there is nothing to take."
        )
    before = on_call(calendar, who.now)
    if before == {who.by.pk}:
        raise Refused(f"You are on call for {rights.named(scope)} already.")
    until = min(changes_at(calendar, who.now) or who.now + TAKEN_MOST, who.now + TAKEN_MOST)
    relieved = User.objects.filter(pk__in=before - {who.by.pk}).order_by("username").first()
    about: dict[str, Any] = {"begins_at": who.now, "ends_at": until, "taken": True, "relieved": relieved}
    with transaction.atomic():
        left = (
            Note.objects.select_for_update().filter(scope=scope, by=relieved, used=None)
            if relieved
            else Note.objects.none()
        )
        note = left.order_by("-at").first()
        if note is not None:
            about |= {"word": note.say, "word_at": note.at}
        cover = _cover(scope, who.by, who, **about)
        if note is not None:
            Note.objects.filter(pk=note.pk).update(used=cover)
        _tell("duty.taken_over", cover, who, _times(cover))
    return cover


def give_word(cover: Cover, who: Who) -> None:
    """The word of the one who was relieved, where he left no note. Once."""
    _demand_word(who)
    if cover.relieved_id != who.by.pk:
        raise Refused("You were not the one who was relieved.")
    with transaction.atomic():
        mine = Cover.objects.filter(pk=cover.pk, word_at=None)
        if not mine.update(word=who.word, word_at=who.now):
            raise Refused("Your word to this is on the record already.")
        _tell("duty.word_given", cover, who, {})


def words_wanted(person: User) -> list[Cover]:
    """Take-overs to which this person owes his word, oldest first."""
    owed = Cover.objects.filter(Q(relieved=person), taken=True, word_at=None)
    return list(owed.select_related("person").order_by("begins_at")[:20])


def _now(scope: str, now: datetime) -> frozenset[int]:
    calendar = duty.calendars([scope], now).get(scope)
    return on_call(calendar, now) if calendar else frozenset()


def _cover(scope: str, person: User, who: Who, **columns: Any) -> Cover:
    about = {"why": who.word, "made_by": who.by, "made_at": who.now}
    return Cover.objects.create(scope=scope, person=person, **about, **columns)


def _times(cover: Cover) -> dict[str, Any]:
    said: dict[str, Any] = {"from": cover.begins_at, "until": cover.ends_at}
    return said | {"relieved": cover.relieved.username, "word": cover.word} if cover.relieved else said


def _demand(scope: str, who: Who) -> None:
    if not rights.may(who.by, SET, scope):
        raise Refused(
            f"You may not set who is on call for {rights.named(scope)}: you lack the right “{rights.said(SET)}”."
        )
    _demand_word(who)


def _demand_word(who: Who) -> None:
    if not who.word.strip() or len(who.word) > WORD_MOST:
        raise Refused(f"Say why, in at most {WORD_MOST} characters: it goes on the record.")


def _refuse_stranger(scope: str, person: User) -> None:
    if not duty.holds(person, scope):
        raise Refused(f"{person.username} does not hold the role On-call on {rights.named(scope)}: give it first.")


def _tell(verb: str, row: Shift | Cover, who: Who, details: dict[str, Any]) -> None:
    about = {"person": row.person.username, "where": rights.named(row.scope), **details}
    audit.append(verb, subject=row.scope, actor=who.actor, at=who.now, reason=who.word, details=about)
