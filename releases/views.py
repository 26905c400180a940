"""Releases: what may run, who signed it, and taking in a new one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from django.contrib.auth.decorators import permission_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import people
from approvals.errors import Refused
from releases import manifest, selectors, services
from releases.models import Release, TrustedSigner

FILES_MOST = 20


@require_safe
def release_list(request: HttpRequest) -> HttpResponse:
    """Every release, newest first, and the form that adds one."""
    return _list(request)


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


@require_POST
@permission_required("releases.add_release", raise_exception=True)
def release_add(request: HttpRequest) -> HttpResponse:
    """Take in an uploaded release; a refusal names the check that failed and keeps nothing."""
    try:
        release = take_in(request.FILES.getlist("files"), request)
    except Refused as refusal:
        return _list(request, refusal=refusal.say, status=422)
    page = reverse("release", args=[release.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": page})
    return redirect(page)


def take_in(files: Iterable[UploadedFile[bytes]], request: HttpRequest) -> Release:
    """Put the uploaded files into a folder of their own and let the service judge them. The folder is gone after."""
    files = list(files)
    if not files:
        raise Refused("No file came with the form. Choose all files of the release, SHA256SUMS.asc among them.")
    if len(files) > FILES_MOST:
        raise Refused(f"{len(files)} files came with the form; a release has {FILES_MOST} at most.")
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        for file in files:
            # Django has taken the path off the name already; what is left is checked by the service.
            with (folder / Path(file.name or "unnamed").name).open("xb") as out:
                for piece in file.chunks():
                    out.write(piece)
        return services.take_in(folder, by=people.person(request), actor=people.actor(request), now=timezone.now())


def _list(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = people.person(request)
    releases = list(selectors.releases_for(user)[:200])
    serving = selectors.serving(user, [release.name for release in releases])
    context = {
        "rows": [{"release": release, "serving": serving.get(release.name, 0)} for release in releases],
        "may_add": user.has_perm("releases.add_release"),
        "signers": TrustedSigner.objects.filter(active=True).count(),
        "files": (manifest.BUNDLE, manifest.MANIFEST, manifest.CHANGELOG, manifest.SUMS, "SHA256SUMS.asc"),
        "refusal": refusal,
    }
    part = request.headers.get("HX-Target") == "release-add"
    template = "releases/_release_add.html" if part else "releases/release_list.html"
    return render(request, template, context, status=status)
