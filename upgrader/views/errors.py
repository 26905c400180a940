"""Pages of refusals and faults that Django would draw without a request: they name the request's id and a way on."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template import loader

from approvals import trail
from approvals.errors import Refused

AGAIN_SECONDS = 10  # after which a page that could not be made is asked for again


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return HttpResponse(too_large(), status=413)
    return render(request, "400.html", status=400)


def broken(request: HttpRequest) -> HttpResponse:
    """A fault of ours, or a database that is away. No context processor runs: one of them may be what failed."""
    id_of = {"request_id": trail.told().get("request", "")}
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        page = loader.render_to_string("503.html", {**id_of, "seconds": AGAIN_SECONDS})
        return HttpResponse(page, status=503, headers={"Retry-After": str(AGAIN_SECONDS)})
    return HttpResponse(loader.render_to_string("500.html", id_of), status=500)


def too_large() -> str:
    """The page for a form that is longer than any that is taken here."""
    return loader.render_to_string("413.html", {"request_id": trail.told().get("request", "")})


class Designed:
    """A refusal that no view caught is still an answer to a person: what was not done, and why."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refused) or request.path.startswith("/api/"):
            return None
        return render(request, "409.html", {"say": exception.say}, status=409)
