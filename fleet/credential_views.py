"""The page of credentials: what is sealed (never the secret), and the rotation of the SSH key and of the SSH CA."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import people, rights
from approvals.errors import Refused
from approvals.models import User
from approvals.needed import lacking
from fleet import enrol_pages, rotation, selectors
from fleet.models import KeyRotation

ASK, CONFIRM = "fleet.enrol_gateway", "fleet.approve_gateway"


@require_safe
def credential_list(request: HttpRequest) -> HttpResponse:
    """What there is, what is being rotated, and who has not followed yet."""
    return _page(request)


@require_safe
def rotation_statement(request: HttpRequest, rotation_id: int, stage: str) -> HttpResponse:
    """The exact bytes that an approver signs."""
    _demand_look(people.person(request))
    row = get_object_or_404(KeyRotation, pk=rotation_id)
    text = str((row.both if stage == "both" else row.only)["text"])
    answer = HttpResponse(text, content_type="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="authorize-{row.pk}-{stage}.json"'
    return answer


@require_POST
def credential_rotate(request: HttpRequest) -> HttpResponse:
    """Ask a second person for a new key or CA."""
    who = _who(request)
    try:
        kind, why = str(request.POST.get("kind", "")), str(request.POST.get("why", ""))[:2000]
        asked = rotation.propose(kind, why=why, by=people.person(request), **who)
    except Refused as refusal:
        return _page(request, refusal=refusal.say)
    return redirect("change", asked.pk)


@require_POST
def rotation_act(request: HttpRequest, rotation_id: int, act: str) -> HttpResponse:
    """Sign, ask again, switch, or end it."""
    row = get_object_or_404(KeyRotation, pk=rotation_id)
    person, who = people.person(request), _who(request)
    try:
        _demand(person)
        match act:
            case "sign":
                stage, text = str(request.POST.get("stage", "")), str(request.POST.get("signature", ""))[:20_000]
                rotation.sign(row, stage, text, **who)
            case "again":
                rotation.ask_again(row, **who)
            case "switch":
                rotation.switch(row, **who)
            case "leave-behind":
                why = str(request.POST.get("why", ""))[:2000]
                return redirect("change", rotation.propose_switch(row, by=person, why=why, **who).pk)
            case "finish":
                rotation.finish(row, **who)
            case _:
                raise Refused("There is no such step.")
    except Refused as refusal:
        return _page(request, refusal=refusal.say)
    return redirect("credentials")


def _page(request: HttpRequest, *, refusal: str = "") -> HttpResponse:
    person = people.person(request)
    _demand_look(person)
    rows = KeyRotation.objects.all()[:20]
    context: dict[str, Any] = {
        "kinds": [{"kind": kind, "word": word, **selectors.credential(kind)} for kind, word in rotation.WORD.items()],
        "others": selectors.other_credentials(tuple(rotation.WORD)),
        "open": [_shown(row) for row in rows if row.state in rotation.OPEN],
        "over": [row for row in rows if row.state not in rotation.OPEN],
        "may_ask": rights.may(person, ASK, rights.EVERYTHING),
        "refusal": refusal,
    }
    return render(request, "fleet/credential_list.html", context, status=409 if refusal else 200)


def _shown(row: KeyRotation) -> dict[str, Any]:
    behind = list(rotation.not_followed(row)[:200]) if row.state in rotation.STAGE else []
    latest = selectors.latest_errands([gateway.pk for gateway in behind], f"rotation:{row.pk}:")
    stages = [
        {"name": name, "say": say, "said": getattr(row, name), "lacking": rotation.lacking(row, name)}
        for name, say in (("both", "new beside old"), ("only", "new alone"))
    ]
    return {
        "row": row,
        "word": rotation.WORD[row.kind],
        "stages": stages,
        "behind": [{"gateway": gateway, "errand": latest.get(gateway.pk)} for gateway in behind],
    }


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"actor": people.actor(request), "now": timezone.now()}


def _demand(person: User) -> None:
    if not any(rights.may(person, right, rights.EVERYTHING) for right in (ASK, CONFIRM)):
        raise Refused("You may not do this: you lack the right “May enrol gateways” on all pools.")


def _demand_look(person: User) -> None:
    if not enrol_pages.sees_credentials(person):
        raise PermissionDenied(lacking(ASK, CONFIRM, "approvals.view_auditevent"))
