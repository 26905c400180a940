"""What is done with one release that is here: passed on, withdrawn, compared with another."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import people, rights
from approvals.errors import Refused
from fleet.quiet import selectors as quiet
from releases import channels, downgrades, selectors, services, showing
from releases.models import Release

YANK = "releases.yank_release"


@require_POST
def release_pass(request: HttpRequest, release_id: int) -> HttpResponse:
    """Pass a release on to the next channel, or ask somebody else when a test is not green."""
    release = _seen(request, release_id)
    by, actor = people.person(request), people.actor(request)
    try:
        asked = channels.pass_on(release, by=by, actor=actor, now=timezone.now(), reason=_reason(request))
    except Refused as refusal:
        return page(request, release, refusal=refusal.say, status=409)
    return redirect("change", asked.pk) if asked else redirect("release", release.pk)


@require_POST
def release_yank(request: HttpRequest, release_id: int) -> HttpResponse:
    """Withdraw a release: no new step may use it."""
    release = _seen(request, release_id)
    if not rights.may(people.person(request), YANK, rights.EVERYTHING):
        raise PermissionDenied(f"Withdrawing a release needs the right {YANK}.")
    try:
        services.yank(release, reason=_reason(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return page(request, release, refusal=refusal.say, status=422)
    return redirect("release", release.pk)


@require_safe
def release_compare(request: HttpRequest, release_id: int, other_id: int) -> HttpResponse:
    """Two releases: what the second changes of the first."""
    context = showing.compare(_seen(request, release_id), _seen(request, other_id), now=timezone.now())
    return render(request, "releases/release_compare.html", context)


@require_safe
def release_choose(request: HttpRequest, release_id: int) -> HttpResponse:
    """Where the form "compare with" leads."""
    other = str(request.GET.get("with", ""))
    old = _seen(request, int(other) if other.isdecimal() and len(other) < 10 else 0)
    return redirect("release-compare", old.pk, release_id)


def page(request: HttpRequest, release: Release, *, refusal: str = "", status: int = 200) -> HttpResponse:
    """The release's page, as it is now."""
    user = people.person(request)
    fresh = _seen(request, release.pk)
    context = {
        **showing.release_context(fresh, user, now=timezone.now()),
        "serving": selectors.serving(user, [fresh.name]).get(fresh.name, 0),
        **quiet.of_release(fresh.name, user),
        "refusal": refusal,
        "typed": _reason(request),
        **showing.beside(fresh, user, timezone.now()),
    }
    return render(request, "releases/release_page.html", context, status=status)


def _seen(request: HttpRequest, release_id: int) -> Release:
    return get_object_or_404(selectors.releases_for(people.person(request)), pk=release_id)


def _reason(request: HttpRequest) -> str:
    return str(request.POST.get("reason", "")).strip()[:2000]


@require_safe
def release_page(request: HttpRequest, release_id: int) -> HttpResponse:
    """One release: what it is, how far it has come, who stands behind it, what changed."""
    return page(request, _seen(request, release_id))


@require_POST
def downgrade_draw(request: HttpRequest, release_id: int) -> HttpResponse:
    """Draw the statement that approvers sign so that gateways take something lower."""
    release = _seen(request, release_id)
    try:
        downgrades.draw(release, by=people.person(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return page(request, release, refusal=refusal.say, status=409)
    return redirect("release", release.pk)


@require_safe
def downgrade_text(request: HttpRequest, release_id: int) -> HttpResponse:
    """The statement's exact bytes."""
    row = downgrades.latest(_seen(request, release_id), now=timezone.now())
    if row is None:
        raise Http404("No downgrade was asked for.")
    headers = {"Content-Disposition": 'attachment; filename="statement.json"'}
    return HttpResponse(row.text, content_type="application/octet-stream", headers=headers)


@require_POST
def downgrade_sign(request: HttpRequest, release_id: int) -> HttpResponse:
    """Add an approver's signature; whoever brings it, the signature says whose it is."""
    release = _seen(request, release_id)
    row = downgrades.latest(release, now=timezone.now())
    try:
        if row is None:
            raise Refused("No downgrade was asked for, or its statement expired. Draw one.")
        signature = str(request.POST.get("signature", "")).replace("\r\n", "\n")
        downgrades.sign(row, signature, actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return page(request, release, refusal=refusal.say, status=409)
    return redirect("release", release.pk)
