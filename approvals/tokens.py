"""Tokens for programs: made and ended by their owner, found by their hash. The only writer of ApiToken, WrongTokens.

A token is "ho_" and 256 random bits; its SHA-256 is kept, so a copy of the database opens nothing. It acts as its owner
and so has never more rights than he has now; its scopes and places take away, and give nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, ApiToken, User, WrongTokens

READ, OPERATE, APPROVE = SCOPES = ("read", "operate", "approve")
SCOPE_SAYS = {
    READ: "look at what its owner may see",
    OPERATE: "ask for everything but decisions: draft, submit, promote, hold, roll back, withdraw, silence …",
    APPROVE: "say yes and no where a person's word without a second factor is enough",
}
LOOKS = re.compile(r"ho_[A-Za-z0-9_-]{43}")
SHOWN = 11  # letters of a token that may be shown
DAYS_MOST = 365
EACH_MOST = 20  # standing tokens of one person
NAME_MOST = 60
KIND = "pool"  # of the scopes that a token can be bound to
PLACES_MOST = 200
USED_EVERY = timedelta(minutes=1)
WINDOW, WRONG_MOST = timedelta(minutes=10), 20


@dataclass(frozen=True)
class Wish:
    """A token as its owner wants it. `places`: scopes such as "pool:3"; none is everywhere that he may."""

    name: str
    scopes: Sequence[str]
    places: Sequence[str]
    days: int


class WrongToken(Exception):
    """Nobody comes with this token; `wait` is how many seconds the address is answered nothing else, 0: not yet."""

    def __init__(self, say: str, *, wait: int = 0) -> None:
        super().__init__(say)
        self.say, self.wait = say, wait


def make(wish: Wish, *, by: User, actor: Actor, now: datetime) -> tuple[ApiToken, str]:
    """Return the row and the token itself, which nobody can read again. Refused with what is wrong."""
    _check(wish, by)
    text = f"ho_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        if standing(by, now).count() >= EACH_MOST:
            raise Refused(f"You have {EACH_MOST} tokens already. End one that is not used any more.")
        row = ApiToken.objects.create(
            owner=by,
            name=wish.name,
            prefix=text[:SHOWN],
            sha256=hashed(text),
            scopes=[scope for scope in SCOPES if scope in wish.scopes],
            places=sorted(set(wish.places)),
            made_at=now,
            expires_at=now + timedelta(days=wish.days),
        )
        about = {"name": row.name, "token": row.prefix, "scopes": row.scopes, "places": row.places}
        _record("made", row, actor=actor, now=now, **about, expires_at=row.expires_at)
    return row, text


def end(token: ApiToken, *, by: User, actor: Actor, now: datetime) -> bool:
    """Let it open nothing any more; False the second time. Refused for another person's."""
    if token.owner_id != by.pk:
        raise Refused("This token is somebody else's. Its owner ends it, or whoever takes his account away.")
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token.pk, ended_at=None).update(ended_at=now):
            return False
        _record("ended", token, actor=actor, now=now, name=token.name, token=token.prefix)
        return True


def standing(owner: User, now: datetime) -> QuerySet[ApiToken]:
    """The owner's tokens that open something now."""
    return ApiToken.objects.filter(owner=owner, ended_at=None, expires_at__gt=now)


def find(text: str, *, address: str, now: datetime) -> ApiToken:
    """Return the token with its owner, and note the use. Raise WrongToken.

    A right token is taken whatever came from its address before: nobody can lock a program out by guessing.
    """
    row = (
        ApiToken.objects.select_related("owner").filter(sha256=hashed(text)).first() if LOOKS.fullmatch(text) else None
    )
    if row is None:
        raise WrongToken("This token is not known here. Make one at /account/tokens/.", wait=missed(address, now=now))
    if row.ended_at is not None:
        raise WrongToken(f"The token {row.prefix}… was ended on {row.ended_at:%Y-%m-%d}. Make another.")
    if row.expires_at <= now:
        raise WrongToken(f"The token {row.prefix}… expired on {row.expires_at:%Y-%m-%d}. Make another.")
    if not row.owner.is_active:
        raise WrongToken(f"The account of {row.owner.username}, whose token this is, is switched off.")
    late = Q(used_at=None) | Q(used_at__lte=now - USED_EVERY) | ~Q(used_from=address)
    ApiToken.objects.filter(late, pk=row.pk).update(used_at=now, used_from=address)
    return row


def missed(address: str, *, now: datetime) -> int:
    """Count one wrong token of this address; return for how many seconds it gets no other answer, 0: not yet.

    The first of a window and the one that fills it go on the record; the others would only fill the disk.
    """
    with transaction.atomic():
        WrongTokens.objects.filter(since__lte=now - WINDOW).delete()
        WrongTokens.objects.get_or_create(address=address, defaults={"since": now})
        mine = WrongTokens.objects.filter(address=address)
        mine.filter(number__lte=WRONG_MOST).update(number=F("number") + 1)
        row = mine.get()
        if row.number in (1, WRONG_MOST):
            nobody = Actor(kind="person", name="nobody", ip=address)
            audit.append("token.refused", subject="token:unknown", actor=nobody, at=now, details={"number": row.number})
    return int((row.since + WINDOW - now).total_seconds()) if row.number > WRONG_MOST else 0


def note_call(token: ApiToken, call: str, *, actor: Actor, now: datetime) -> None:
    """Put on record that this token asks for something; what then happens carries the same request's id."""
    with transaction.atomic():
        _record("used", token, actor=actor, now=now, call=call[:200], token=token.prefix)


def may_on(token: ApiToken, scope: str) -> bool:
    """Whether the token reaches this scope at all."""
    return not token.places or scope in token.places


def places(owner: User) -> list[tuple[str, str]]:
    """Scopes that a token of this person can be bound to, with their names."""
    model = rights.SCOPES.get(KIND)
    if model is None:
        return []
    right = f"{model._meta.app_label}.view_{model._meta.model_name}"
    seen = rights.rows(owner, right, model).order_by("pk")[:PLACES_MOST]
    return [(f"{KIND}:{row.pk}", str(row)) for row in seen]


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check(wish: Wish, by: User) -> None:
    if not wish.name or len(wish.name) > NAME_MOST or not wish.name.isprintable():
        raise Refused(f"Say what will use it, in at most {NAME_MOST} characters.")
    if not wish.scopes or not set(wish.scopes) <= set(SCOPES):
        raise Refused(f"Choose what it may do: {', '.join(SCOPES)}.")
    if not 1 <= wish.days <= DAYS_MOST:
        raise Refused(f"A token ends: give it between 1 and {DAYS_MOST} days.")
    if not set(wish.places) <= {scope for scope, _ in places(by)}:
        raise Refused("One of these pools is not there, or you may not see it.")


def _record(verb: str, row: ApiToken, *, actor: Actor, now: datetime, **details: object) -> None:
    audit.append(f"token.{verb}", subject=f"token:{row.pk}", actor=actor, at=now, details=details)
