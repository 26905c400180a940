"""Every request has an id: in the log, in the record, in the answer's header and on the page that says no."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import Resolver404, resolve

from approvals import trail

log = logging.getLogger(__name__)
QUIET = frozenset({"livez", "readyz", "metrics"})  # asked every few seconds, by machines
IDS = {"rollout_id": "rollout", "gateway_id": "gateway"}


def takes_forms(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Innermost of all: who opens an address that only takes a form gets a page instead of Django's empty answer."""
    return lambda request: shown(request, get_response(request))


def shown(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    by_person = request.method == "GET" and not request.path.startswith("/api/") and request.accepts("text/html")
    if not isinstance(answer, HttpResponseNotAllowed) or not by_person or request.headers.get("HX-Request"):
        return answer
    section = f"/{request.path.split('/')[1]}/"
    try:
        resolve(section)
    except Resolver404:
        section = "/"
    page = render(request, "405.html", {"section": section}, status=405)
    page.headers["Allow"] = answer.headers["Allow"]
    return page


class Numbered:
    """Outermost of all: what the others refuse has an id, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = str(trail.told().get("request") or trail.new_id())
        request.META["REQUEST_ID"] = request_id
        began = time.monotonic()
        with trail.span("request", request=request_id, method=str(request.method)):
            answer = self.get_response(request)
            answer.headers[trail.HEADER] = request_id
            where = request.resolver_match.route if request.resolver_match else "(no such page)"
            if where not in QUIET:
                # The route and not the address: some addresses are tickets.
                took = 1000 * (time.monotonic() - began)
                log.info("%s /%s: %s in %.0f ms", request.method, where, answer.status_code, took)
        return answer

    def process_view(self, request: HttpRequest, view: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """What the page is about is known now."""
        trail.note(**{name: named[key] for key, name in IDS.items() if key in named})
