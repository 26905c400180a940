"""Releases: what may run, and who signed it. Adding one: intake.py."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from approvals import people
from releases import selectors


@require_safe
def release_list(request: HttpRequest) -> HttpResponse:
    """Every release, newest first."""
    user = people.person(request)
    releases = list(selectors.releases_for(user)[:200])
    serving = selectors.serving(user, [release.name for release in releases])
    context = {
        "rows": [{"release": release, "serving": serving.get(release.name, 0)} for release in releases],
        "may_add": user.has_perm("releases.add_release"),
    }
    return render(request, "releases/release_list.html", context)


@require_safe
def release_page(request: HttpRequest, release_id: int) -> HttpResponse:
    """One release: what it is, who signed it, what changed."""
    user = people.person(request)
    release = get_object_or_404(selectors.releases_for(user), pk=release_id)
    context = {
        "release": release,
        "signatures": release.signatures.select_related("signer").order_by("verified_at"),
        "serving": selectors.serving(user, [release.name]).get(release.name, 0),
    }
    return render(request, "releases/release_page.html", context)
