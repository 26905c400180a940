"""Who holds which role where, and giving and taking roles."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import people, people_pages, people_services, step_up
from approvals.errors import Refused
from approvals.models import User
from approvals.people_services import Wanted


@require_safe
def people_list(request: HttpRequest) -> HttpResponse:
    """Everybody whom one may see, with their roles."""
    wish = str(request.GET.get("q", "")).strip()[:80]
    context = people_pages.list_context(people.person(request), wish)
    return render(request, "people/people_list.html", context)


@require_safe
def person_page(request: HttpRequest, person_id: int) -> HttpResponse:
    """One person: the roles, what else he may, and what was given and taken when and why."""
    return _page(request, _seen(request, person_id))


def _back(request: HttpRequest, person_id: int) -> str:
    return reverse("person", args=[person_id])


@require_POST
@step_up.required(_back)
def role_give(request: HttpRequest, person_id: int) -> HttpResponse:
    """Give a role, or ask another to confirm it."""
    wanted = _wanted(request, _seen(request, person_id))
    by, actor = people.person(request), people.actor(request)
    try:
        asked = people_services.give(wanted, by=by, actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, wanted.person, refusal=refusal)
    return redirect("change", asked.pk) if asked else redirect("person", person_id)


@require_POST
def role_take(request: HttpRequest, person_id: int) -> HttpResponse:
    """Take a role away."""
    wanted = _wanted(request, _seen(request, person_id))
    by, actor = people.person(request), people.actor(request)
    try:
        people_services.take(wanted, by=by, actor=actor, now=timezone.now())
    except Refused as refusal:
        return _page(request, wanted.person, refusal=refusal)
    return redirect("person", person_id)


def _seen(request: HttpRequest, person_id: int) -> User:
    """The person, if this one may see him at all."""
    user = people.person(request)
    found = get_object_or_404(User, pk=person_id)
    if found != user and found.pk not in {row.person.pk for row in people_pages.rows(user, found.username)}:
        raise Http404(f"There is no person {person_id}, or you may not see him.")
    return found


def _wanted(request: HttpRequest, person: User) -> Wanted:
    role, scope = (str(request.POST.get(name, ""))[:80] for name in ("role", "scope"))
    return Wanted(person, role, scope, str(request.POST.get("why", "")).strip())


def _page(request: HttpRequest, person: User, *, refusal: Refused | None = None) -> HttpResponse:
    context = people_pages.person_context(people.person(request), person)
    context["refusal"] = refusal.say if refusal else ""
    context["typed"] = {name: str(request.POST.get(name, "")) for name in ("role", "scope", "why")}
    context["typed"]["why"] = context["typed"]["why"] or step_up.typed(request)
    return render(request, "people/person_page.html", context, status=409 if refusal else 200)
