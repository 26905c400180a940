"""The rollout's page, the list, the plan before it, its chart and its JSON."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from approvals.errors import Refused
from approvals.people import person
from fleet.models import Pool
from releases.models import ConfigRevision, Release
from upgrader import chart_data, charts, drafts, pages, questions, rights, selectors, services, start_time
from upgrader.api import as_json
from upgrader.models import Rollout, Strategy

PAGE = 40


def number(request: HttpRequest, name: str) -> int:
    """A whole number from the query or the form; 0 for what is none."""
    text = str(request.POST.get(name, request.GET.get(name, "")))
    return int(text) if text.isdecimal() and len(text) < 10 else 0


@require_safe
def rollout_list(request: HttpRequest) -> HttpResponse:
    """Every rollout that one may see, newest first."""
    page = Paginator(selectors.rollouts_for(person(request)), PAGE).get_page(request.GET.get("page"))
    said = selectors.words_of(page, timezone.now())
    rows = [{"rollout": rollout, "word": word} for rollout, word in said]
    context = {"page": page, "rows": rows, "may_plan": drafts.pools(person(request)).exists()}
    part = request.headers.get("HX-Target") == "rollouts"
    return render(request, "upgrader/_rollout_rows.html" if part else "upgrader/rollout_list.html", context)


@require_safe
def rollout_page(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """One rollout; htmx asks for the part alone."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    context = pages.rollout_context(rollout, person(request), now=timezone.now(), wave=number(request, "wave"))
    part = request.headers.get("HX-Target") == "rollout"
    return render(request, "upgrader/_rollout_now.html" if part else "upgrader/rollout_page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def rollout_new(request: HttpRequest) -> HttpResponse:
    """Choose release, pool and strategy; see the plan; store it. The plan that is stored is computed then, once."""
    user = person(request)
    ids = {name: number(request, name) for name in ("release", "pool", "strategy", "config", "without")}
    choice = drafts.choice(user, ids, now=timezone.now(), over_drift=_over_drift(request))
    if request.method == "POST":
        try:
            return _draft(request)
        except Refused as refusal:
            choice = drafts.refused(choice, refusal.say)
    part = request.headers.get("HX-Target") == "plan"
    template = "upgrader/_plan.html" if part else "upgrader/rollout_new.html"
    return render(request, template, {"choice": choice}, status=409 if request.method == "POST" else 200)


def _draft(request: HttpRequest) -> HttpResponse:
    user = person(request)
    rollout = services.draft(
        release=get_object_or_404(Release, pk=number(request, "release")),
        pool=get_object_or_404(Pool.objects.filter(pk__in=drafts.pools(user)), pk=number(request, "pool")),
        strategy=get_object_or_404(Strategy, pk=number(request, "strategy")),
        by=user,
        now=timezone.now(),
        over_drift=_over_drift(request),
        config=_config(request),
        without=Rollout.objects.filter(pk=number(request, "without"), pool=number(request, "pool")).first(),
        start_at=start_time.read(str(request.POST.get("start_at", ""))),
    )
    return redirect("rollout", rollout_id=rollout.pk)


def _config(request: HttpRequest) -> ConfigRevision | None:
    """The configuration that goes along; whether it may, the plan says."""
    pk = number(request, "config")
    return get_object_or_404(ConfigRevision, pk=pk) if pk else None


def _over_drift(request: HttpRequest) -> bool:
    return "1" in (request.POST.get("drift"), request.GET.get("drift"))


@require_safe
def rollout_chart(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The figure of one wave as JSON for static/js/charts.js."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    evidence = chart_data.evidence(rollout, number(request, "wave") or 1)
    return JsonResponse(
        {"figure": charts.figure(evidence), "say": charts.say(evidence), "empty": not evidence.probes},
        headers={"Cache-Control": "no-store"},
    )


@require_safe
def rollout_numbers(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The chart as a table."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    evidence = chart_data.evidence(rollout, number(request, "wave") or 1)
    context = {"rollout": rollout, "evidence": evidence, "table": charts.table(evidence), "say": charts.say(evidence)}
    part = request.headers.get("HX-Request")
    return render(request, "upgrader/_numbers.html" if part else "upgrader/numbers_page.html", context)


@require_safe
def rollout_left(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """Who is left on old slots whose time is over, by name: for those who may decide on it."""
    user = person(request)
    rollout = selectors.rollout_for(user, rollout_id)
    if not rights.may(user, "extend", rollout.pool):
        raise PermissionDenied(f"You may not read users' names on {rollout.pool.name}.")
    context = {"rollout": rollout, "left": questions.who_is_left(rollout, timezone.now())}
    part = request.headers.get("HX-Request")
    response = render(request, "upgrader/_left_names.html" if part else "upgrader/left_page.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
def rollout_json(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The rollout for programs: the same facts, sentence and offers that the page shows."""
    now = timezone.now()
    try:
        rollout = selectors.rollout_for(person(request), rollout_id)
    except Http404 as unknown:
        return JsonResponse({"say": str(unknown)}, status=404)
    seen = selectors.picture(rollout, person(request), now=now, close_up=number(request, "wave"))
    return JsonResponse(as_json(seen, now))
