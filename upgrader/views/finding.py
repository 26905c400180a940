"""Search everywhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from approvals.people import person
from upgrader import search


@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    """What fits ?q=, as a page or, for the field as one types, as a part of it."""
    text = str(request.GET.get("q", "")).strip()[:80]
    context = {"q": text, "found": search.search(person(request), text), "most": search.MOST}
    part = request.headers.get("HX-Target") == "found"
    return render(request, "search/_found.html" if part else "search/search_page.html", context)
