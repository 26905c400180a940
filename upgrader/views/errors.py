"""Pages of refusals and faults that Django would draw without a request: they name the request's id."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from approvals import trail


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def broken(request: HttpRequest) -> HttpResponse:
    """A fault of ours. No context processor runs: one of them may be what failed."""
    page = loader.render_to_string("500.html", {"request_id": trail.told().get("request", "")})
    return HttpResponse(page, status=500)
