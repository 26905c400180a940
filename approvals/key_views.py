"""The keys with which people sign statements for gateways."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import keys, people, rights
from approvals.errors import Refused
from approvals.models import ApproverKey, User

LINE_MOST = 2000


@require_safe
def key_list(request: HttpRequest) -> HttpResponse:
    """One's own keys; everybody's for those who confirm keys or read the record."""
    return _list(request)


@require_POST
def key_add(request: HttpRequest) -> HttpResponse:
    """Ask that a key of one's own may sign statements."""
    line = str(request.POST.get("key", "")).strip()[:LINE_MOST]
    try:
        asked = keys.propose(line, by=people.person(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return _list(request, refusal=refusal.say, typed=line, status=422)
    return redirect("change", asked.pk)


@require_POST
def key_retire(request: HttpRequest, key_id: int) -> HttpResponse:
    """Take a key's word away."""
    key = get_object_or_404(ApproverKey.objects.select_related("user"), pk=key_id)
    try:
        keys.retire(key, by=people.person(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return _list(request, refusal=refusal.say, status=409)
    return redirect("keys")


def _list(request: HttpRequest, *, refusal: str = "", typed: str = "", status: int = 200) -> HttpResponse:
    user = people.person(request)
    everybodys = _sees_all(user)
    rows = ApproverKey.objects.select_related("user").order_by("-active", "user__username", "added_at")
    context = {
        "rows": rows if everybodys else rows.filter(user=user),
        "everybodys": everybodys,
        "may_add": rights.may(user, keys.PROPOSE, rights.EVERYTHING),
        "may_retire_all": rights.may(user, keys.DECIDE, rights.EVERYTHING),
        "refusal": refusal,
        "typed": typed,
    }
    return render(request, "approvals/key_list.html", context, status=status)


def _sees_all(user: User) -> bool:
    return rights.everywhere(user, "approvals.view_auditevent") or rights.may(user, keys.DECIDE, rights.EVERYTHING)
