"""The one way in for every call: who, once, what went wrong. Around ninja, which does addresses and bodies."""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLPattern, URLResolver
from django.views.decorators.csrf import csrf_exempt

from approvals import tokens
from upgrader.api_v1 import caller, kept
from upgrader.api_v1.problems import Problem

log = logging.getLogger(__name__)
SAFE = ("GET", "HEAD", "OPTIONS")
TOO_LARGE = "A call has at most 2.5 MB; releases are uploaded as multipart/form-data to /api/v1/releases."
FAULT = "Something failed here. It is in the log under the request's id; nothing more is known to you."


def opened(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same addresses, each behind the door."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = door(pattern.callback)
    return patterns


def door(view: Any) -> Any:
    """Let a call in; every error comes out as a problem."""

    @csrf_exempt  # asked for in caller.enter, where it is a session that calls
    @login_not_required
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
        try:
            caller.enter(request)
            return kept.once(request, lambda: asked(view, request, *args, **named))
        except Problem as problem:
            return problem.answer()
        except RequestDataTooBig:
            return Problem(413, TOO_LARGE).answer()
        except SuspiciousOperation as odd:
            return Problem(400, str(odd)).answer()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return Problem(500, FAULT).answer()

    return answered


def asked(view: Any, request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
    """What ninja answers; a write by a token is on the record before it is tried."""
    who = caller.of(request)
    if who.token is not None and request.method not in SAFE:
        tokens.note_call(who.token, f"{request.method} {request.path}", actor=who.actor, now=who.now)
    answer: HttpResponseBase = view(request, *args, **named)
    if isinstance(answer, HttpResponseNotAllowed):
        allowed = answer.headers["Allow"]
        raise Problem(405, f"This address takes {allowed}.", headers={"Allow": allowed})
    return answer


@door
def lost(request: HttpRequest, rest: str) -> HttpResponse:
    """Every address below /api/v1/ that is none."""
    raise Problem(404, f"There is no call {request.method} /api/v1/{rest[:100]}. docs/api.md has the list.")
