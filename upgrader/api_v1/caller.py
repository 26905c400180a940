"""Who calls: a person by his session, or a program by a token that acts for one and may less.

A token that is bound to pools sees and touches what belongs to them, and nothing that belongs to all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from approvals import people, tokens, trail
from approvals.models import Actor, ApiToken, User
from fleet.models import Pool
from upgrader.api_v1.problems import Problem

Row = TypeVar("Row", bound=Model)
WHO = "Sign in, or send a token: Authorization: Bearer ho_…. Tokens are made at /account/tokens/."
BARE = {"WWW-Authenticate": 'Bearer realm="handover"'}


@dataclass(frozen=True)
class Caller:
    """One call's person, token (None: a session) and moment."""

    user: User
    actor: Actor
    now: datetime
    token: ApiToken | None = None

    @property
    def places(self) -> list[int] | None:
        """Ids of the pools that the token is bound to; None: everywhere that the person may."""
        if self.token is None or not self.token.places:
            return None
        return [int(place.partition(":")[2]) for place in self.token.places]

    def within(self, rows: QuerySet[Row], pool: str = "pool") -> QuerySet[Row]:
        """Those rows that the token reaches. `pool`: the rows' column with the pool."""
        return rows if self.places is None else rows.filter(Q(**{f"{pool}__in": self.places}))

    def demand(self, scope: str) -> None:
        """Refuse what the token does not reach: "pool:3", or "all" for what is everybody's."""
        if self.token is not None and not tokens.may_on(self.token, scope):
            where = "this pool" if scope.startswith("pool:") else "what belongs to all pools"
            raise Problem(403, f"The token {self.token.prefix}… is bound to other pools: it does not reach {where}.")

    def demand_pool(self, pool: Pool | int | None) -> None:
        pk = pool.pk if isinstance(pool, Pool) else pool
        self.demand(f"pool:{pk}" if pk else "all")


def of(request: HttpRequest) -> Caller:
    """The caller that `enter` found."""
    token = cast("ApiToken | None", getattr(request, "token", None))
    return Caller(people.person(request), people.actor(request), timezone.now(), token)


def enter(request: HttpRequest) -> None:
    """Find out who calls, and put him into the request. Problem 401, 403 (CSRF) or 429 otherwise.

    What the header says counts alone: a wrong token is not made good by a cookie.
    """
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        by_token(request, text.strip() if scheme.lower() == "bearer" else "")
        return
    if not request.user.is_authenticated:
        raise Problem(401, WHO, headers=BARE)
    if check_csrf(request) is not None:
        raise Problem(403, "A call by a session carries the page's CSRF token in X-CSRFToken. Programs use a token.")


def by_token(request: HttpRequest, text: str) -> None:
    """Act as the token's owner; what it writes is on the record."""
    try:
        token = tokens.find(text, address=str(request.META.get("REMOTE_ADDR", ""))[:45], now=timezone.now())
    except tokens.WrongToken as wrong:
        if wrong.wait:
            say = f"Too many wrong tokens came from your address. Ask again in {wrong.wait} s."
            raise Problem(429, say, headers={"Retry-After": str(wrong.wait)}) from None
        raise Problem(401, wrong.say, headers=BARE) from None
    request.user = token.owner
    request.token = token  # type: ignore[attr-defined]  # ours, read by `of` alone
    trail.note(token=token.prefix)


class Scope(AuthBase):
    """What a call needs of a token; a session has all of them. `enter` has found the caller before."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.openapi_description = f"A token with the scope {scope}: {tokens.SCOPE_SAYS[scope]}"
        super().__init__()

    def __call__(self, request: HttpRequest) -> Any:
        """Refuse a token that lacks the scope."""
        caller = of(request)
        if caller.token is not None and not allows(caller.token.scopes, self.scope):
            raise Problem(403, f"The token {caller.token.prefix}… lacks the scope {self.scope}. Make one with it.")
        return caller.user


def allows(scopes: list[str], wanted: str) -> bool:
    """Every scope may look."""
    return wanted == tokens.READ or wanted in scopes


class Read(Scope):
    """Its name in the description."""


class Operate(Scope):
    """Its name in the description."""


class Approve(Scope):
    """Its name in the description."""


READ, OPERATE, APPROVE = Read(tokens.READ), Operate(tokens.OPERATE), Approve(tokens.APPROVE)
