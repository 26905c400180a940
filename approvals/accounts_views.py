"""The accounts of all people, for those who may add some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import accounts, people, step_up
from approvals.errors import Refused
from approvals.models import User
from approvals.needed import needs

RIGHT = "approvals.add_user"


def _here(request: HttpRequest, *args: object, **kwargs: object) -> str:
    return "/accounts/"


@require_safe
@needs(RIGHT)
def account_list(request: HttpRequest) -> HttpResponse:
    """Everybody: how he signs in, when he last did, and whether he may."""
    return _page(request)


@require_POST
@needs(RIGHT)
@step_up.required(_here)
def account_add(request: HttpRequest) -> HttpResponse:
    """Make an account; the page then shows the link to hand over."""
    name, email = (str(request.POST.get(field, ""))[:150] for field in ("name", "email"))
    try:
        user = accounts.invite(name, email, actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, typed={"name": name, "email": email}, status=422)
    return _with_link(request, user)


@require_POST
@needs(RIGHT)
@step_up.required(_here)
def account_do(request: HttpRequest, user_id: int, what: str) -> HttpResponse:
    """A link, on, off, or second factors forgotten; the page again, with the sentence why not (409)."""
    user = get_object_or_404(User, pk=user_id)
    if what not in DO:
        raise Http404(f"There is no action {what}.")
    try:
        # A superuser's account is worth more than the right to make accounts.
        if user.is_superuser and not people.person(request).is_superuser:
            raise Refused(f"{user.username} runs this dashboard: use manage.py sign-in-link on the machine.")
        return DO[what](request, user)
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)


def _with_link(request: HttpRequest, user: User) -> HttpResponse:
    path = accounts.link(user, actor=people.actor(request), now=timezone.now())
    return _page(request, link=request.build_absolute_uri(path), whose=user.username)


def _turn(on: bool) -> Callable[[HttpRequest, User], HttpResponse]:
    def turn(request: HttpRequest, user: User) -> HttpResponse:
        accounts.turn(user, on=on, actor=people.actor(request), now=timezone.now())
        return _page(request)

    return turn


def _forget(request: HttpRequest, user: User) -> HttpResponse:
    reason = str(request.POST.get("reason", "")).strip()[:2000]
    accounts.forget_factors(user, reason=reason, actor=people.actor(request), now=timezone.now())
    return _page(request)


DO: dict[str, Callable[[HttpRequest, User], HttpResponse]] = {
    "link": _with_link,
    "on": _turn(True),
    "off": _turn(False),
    "forget": _forget,
}


def _page(request: HttpRequest, *, refusal: str = "", status: int = 200, **shown: Any) -> HttpResponse:
    factors = Count("authenticator", filter=Q(authenticator__type__in=("totp", "webauthn")))
    rows = User.objects.annotate(factors=factors).order_by("-is_active", "username")
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    context = {"rows": rows, "refusal": refusal, "hours": hours, **shown}
    return render(request, "account/accounts.html", context, status=status)
