"""The list of releases. Adding one: intake.py; one of them: release_views.py; who may sign: signer_views.py."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from approvals import people, rights
from releases import selectors


@require_safe
def release_list(request: HttpRequest) -> HttpResponse:
    """Every release, newest first."""
    user = people.person(request)
    releases = list(selectors.releases_for(user)[:200])
    serving = selectors.serving(user, [release.name for release in releases])
    context = {
        "rows": [{"release": release, "serving": serving.get(release.name, 0)} for release in releases],
        "may_add": rights.everywhere(user, "releases.add_release"),
    }
    return render(request, "releases/release_list.html", context)
