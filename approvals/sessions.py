"""Where a person is signed in: the list, when each was last seen, and its end."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from approvals import audit, where
from approvals.models import Actor, User

SEEN_EVERY = timedelta(minutes=1)
_MOST = 10_000  # sessions that a process remembers
ENDED: list[Callable[[str], None]] = []
"""Who is told, with its topic, that a session has ended: the app that holds event streams puts itself here."""


def topic(session_key: str) -> str:
    """What its event streams listen for; it does not give the key away."""
    return f"ended:{hashlib.sha256(session_key.encode()).hexdigest()[:24]}"


def of(user: User) -> list[Any]:
    """The sessions of a person that still count, the latest first; what has expired is forgotten."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)


def end(rows: Iterable[Any], *, actor: Actor, now: datetime) -> int:
    """End these sessions: their next request is nobody's, and their event streams close. How many there were."""
    ended = list(rows)
    with transaction.atomic():
        for row in ended:
            row.end()
        if ended:
            whose = f"user:{ended[0].user_id}"
            told = {"number": len(ended), "from": sorted({row.ip for row in ended})}
            audit.append("session.ended", subject=whose, actor=actor, at=now, details=told)
    for row in ended:
        for tell in ENDED:
            tell(topic(row.session_key))
    return len(ended)


class Seen:
    """Notes when each session was last seen: once a minute and process, so that reading a page writes nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # A session that nothing has read yet is not asked for: health checks have none.
        key = request.session.session_key
        if key and _noted.due(key, timezone.now()) and request.user.is_authenticated:
            seen = where.address(request.META, settings.PROXIES)
            if not UserSession.objects.filter(session_key=key).update(last_seen_at=timezone.now(), ip=seen):
                UserSession.objects.create_from_request(request)  # it began before there was such a list
        return self.get_response(request)


class Noted:
    """When this process last wrote down that it saw a session."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, datetime] = OrderedDict()

    def due(self, key: str, now: datetime) -> bool:
        """Whether it is time again; then it counts as done."""
        last = self._at.get(key)
        if last is not None and now - last < SEEN_EVERY:
            return False
        self.note(key, now)
        return True

    def note(self, key: str, now: datetime) -> None:
        self._at[key] = now
        self._at.move_to_end(key)
        while len(self._at) > _MOST:
            self._at.popitem(last=False)


_noted = Noted()


def note(session_key: str, now: datetime) -> None:
    """It was made just now: no need to write that again."""
    _noted.note(session_key, now)
