"""The doors for new releases: the page with the form, and the API. The files came in before (uploads.py)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from approvals import people, rights
from approvals.errors import Refused
from approvals.needed import needs
from releases import manifest, services, uploads
from releases.models import Release, TrustedSigner

FILES = (manifest.BUNDLE, manifest.MANIFEST, manifest.CHANGELOG, manifest.SUMS, "SHA256SUMS.asc")
RIGHT = "releases.add_release"
MAY_NOT = "Adding a release needs the right “Can add release”."


@require_http_methods(["GET", "HEAD", "POST"])
@needs(RIGHT)
def release_add(request: HttpRequest) -> HttpResponse:
    """The form, and what becomes of it: a refusal names the check that failed and keeps nothing."""
    if request.method != "POST":
        return _form(request)
    try:
        release = take_in(request)
    except Refused as refusal:
        return _form(request, refusal=refusal.say, status=422)
    page = reverse("release", args=[release.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": page})
    return redirect(page)


@require_POST
def release_api(request: HttpRequest) -> JsonResponse:
    """The same for programs: 201 with the release, 422 with the sentence of the refusal."""
    if not rights.everywhere(people.person(request), RIGHT):
        return JsonResponse({"error": MAY_NOT}, status=403)
    try:
        release = take_in(request)
    except Refused as refusal:
        return JsonResponse({"error": refusal.say}, status=422)
    said = {
        name: getattr(release, name) for name in ("name", "version", "digest", "sha256", "size", "tree", "contents")
    }
    return JsonResponse({**said, "page": reverse("release", args=[release.pk])}, status=201)


def take_in(request: HttpRequest) -> Release:
    """Let the service judge the files that came with the request."""
    upload = getattr(request, "scope", {}).get(uploads.KEY)
    if upload is None:
        raise Refused("No file came with the form. Choose all files of the release, SHA256SUMS.asc among them.")
    return services.take_in(upload, by=people.person(request), actor=people.actor(request), now=timezone.now())


def _form(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {
        "signers": TrustedSigner.objects.filter(active=True).count(),
        "files": FILES,
        "most": manifest.BUNDLE_MOST,
        "refusal": refusal,
    }
    part = request.headers.get("HX-Target") == "add-notice"
    template = "releases/_release_add.html" if part else "releases/release_add.html"
    return render(request, template, context, status=status)
