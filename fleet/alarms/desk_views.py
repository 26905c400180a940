"""Rules and contacts: seen by everyone who is signed in, changed by who has the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.errors import Refused
from approvals.people import actor, person
from fleet.alarms import contacts, pages, rule_store
from fleet.alarms.rules import NUMBERS, RuleError
from fleet.models import Contact
from fleet.selectors import visible_pools


@require_safe
def rule_list(request: HttpRequest) -> HttpResponse:
    """Every rule with its numbers, and those that pools have of their own."""
    context = {"rules": pages.rules(person(request)), "off": pages.nothing_is_judged()}
    return render(request, "fleet/rule_list.html", context)


@require_safe
def rule_page(request: HttpRequest, code: str, place: int) -> HttpResponse:
    """One rule for the fleet (place 0) or for a pool, and its versions."""
    return _rule(request, code, place)


@require_POST
def rule_change(request: HttpRequest, code: str, place: int) -> HttpResponse:
    """A further version of it; 409 with the sentence and all that was typed."""
    shown, typed = pages.rule_page(person(request), code, place), request.POST
    said = rule_store.Said(person(request), actor(request), str(typed.get("why", "")), timezone.now())
    try:
        seen = _whole(typed.get("version") or "none")
        rule_store.change((code, shown["pool"]), _spec(typed, shown["spec"]), seen=seen, said=said)
    except RuleError as wrong:
        return _rule(request, code, place, typed=typed, refusal=wrong.say, wrong=wrong.field, status=409)
    except Refused as refusal:
        return _rule(request, code, place, typed=typed, refusal=refusal.say, status=409)
    return redirect("rule", code, place)


def _spec(typed: Mapping[str, Any], was: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as a rule is stored; what is no number stays as it is and is refused with its name."""
    spec = {
        "metric": was.get("metric"),
        "comparison": typed.get("comparison"),
        "severity": typed.get("severity"),
        "enabled": typed.get("enabled") == "yes",
        **({"title": was["title"]} if "title" in was else {}),
    }
    return spec | {name: _number(typed.get(name, "")) for name in NUMBERS}


def _number(text: object) -> float | str:
    try:
        return float(str(text).strip())
    except ValueError:
        return str(text)


def _rule(request: HttpRequest, code: str, place: int, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {**pages.rule_page(person(request), code, place), **more}
    context["values"] = more.get("typed") or _values(context["spec"])
    return render(request, "fleet/rule_page.html", context, status=status)


def _values(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's values as its form shows them."""
    shown = {name: f"{value:g}" if isinstance(value, float | int) else value for name, value in spec.items()}
    return shown | {"enabled": "yes" if spec.get("enabled", True) else ""}


@require_safe
def contact_list(request: HttpRequest) -> HttpResponse:
    """Whom alerts reach, and how the last message fared."""
    return _contacts(request)


@require_POST
def contact_add(request: HttpRequest) -> HttpResponse:
    typed = request.POST
    try:
        place = str(typed.get("pool", ""))
        pool = visible_pools(person(request)).filter(pk=int(place)).first() if place.isdecimal() else None
        if place and pool is None:
            raise Refused("There is no such pool.")
        wanted = contacts.Wanted(
            name=str(typed.get("name", "")).strip(),
            address=str(typed.get("address", "")).strip(),
            pool=pool,
            severity=str(typed.get("severity", "")),
            after_minutes=_whole(typed.get("after")),
            repeat_minutes=_whole(typed.get("again")),
        )
        row, secret = contacts.add(wanted, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _contacts(request, typed=typed, refusal=refusal.say, status=409)
    return _contacts(request, fresh=row, secret=secret, status=201) if secret else redirect("contacts")


@require_POST
def contact_secret(request: HttpRequest, contact_id: int) -> HttpResponse:
    """A new secret for a webhook; the answer shows it, once."""
    row, typed = get_object_or_404(Contact, pk=contact_id), request.POST
    by, who = person(request), actor(request)
    hours, seen = _whole(typed.get("hours") or "none"), str(typed.get("seen", ""))
    try:
        secret = contacts.renew(row, hours=hours, seen=seen, by=by, actor=who, now=timezone.now())
    except Refused as refusal:
        return _contacts(request, refusal=refusal.say, status=409)
    return _contacts(request, fresh=row, secret=secret, status=201)


@require_POST
def contact_retire(request: HttpRequest, contact_id: int) -> HttpResponse:
    row = get_object_or_404(Contact, pk=contact_id)
    try:
        contacts.retire(row, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _contacts(request, refusal=refusal.say, status=409)
    return redirect("contacts")


@require_POST
def contact_try(request: HttpRequest, contact_id: int) -> HttpResponse:
    """Send a test message; the page of deliveries shows what the other side answered."""
    row = get_object_or_404(Contact, pk=contact_id)
    try:
        contacts.trial(row, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _contacts(request, refusal=refusal.say, status=409)
    return redirect(f"/alerts/deliveries/?contact={row.pk}")


def _whole(text: object) -> int:
    """A whole number; -1 for what is none."""
    said = str(text or "0").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 7 else -1


def _contacts(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {**pages.contact_page(person(request)), "typed": {}, "now": timezone.now(), **more}
    return render(request, "fleet/contact_list.html", context, status=status)
