"""Every error as RFC 9457's problem+json, with our sentence in `detail`."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from approvals import trail
from approvals.errors import Refused

KIND = "application/problem+json"
TITLES = {
    400: "The request can't be read",
    401: "Who are you?",
    403: "You may not",
    404: "There is no such thing",
    405: "This address does not take that method",
    409: "Not now",
    412: "It has changed meanwhile",
    413: "The request is too large",
    422: "Something in the request is wrong",
    428: "Say which version you saw",
    429: "Too many",
    500: "A fault of ours",
    503: "Not ready",
}


class Problem(Exception):
    """The answer is no: its status, the sentence, and what else the answer carries."""

    def __init__(self, status: int, say: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(say)
        self.status, self.say, self.more = status, say, more
        self.headers = headers or {}

    def answer(self) -> HttpResponse:
        said = {
            "type": "about:blank",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.say,
            "request": str(trail.told().get("request", "")),
            **self.more,
        }
        text = json.dumps(said, cls=DjangoJSONEncoder, ensure_ascii=False)
        return HttpResponse(text, content_type=KIND, status=self.status, headers=self.headers)


def of(error: Exception) -> Problem:
    """What an error of the services, of Django or of the parser is to a program. Raises what it does not know."""
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(409, error.say)
        case Http404():
            return Problem(404, str(error) or "There is no such thing, or you may not see it.")
        case PermissionDenied():
            return Problem(403, str(error) or "You may not do this.")
        case ValidationError():
            return Problem(422, told(error), errors=[fault(one) for one in error.errors])
        case HttpError():
            return Problem(error.status_code, error.message)
    raise error


def told(error: ValidationError) -> str:
    """The first thing that is wrong, in a sentence."""
    first = fault(error.errors[0]) if error.errors else {"at": "the request", "say": "can't be read"}
    return f"{first['at']}: {first['say']}."


def fault(found: dict[str, Any]) -> dict[str, str]:
    """Where something is wrong, and what. The value itself is left out: it may be a secret."""
    where = [str(part) for part in found.get("loc", ()) if part not in ("body", "said")]
    return {"at": ".".join(where) or "the body", "say": str(found.get("msg", "can't be read"))[:300]}


def speak(api: NinjaAPI) -> None:
    """Let the API answer every error so."""

    def answered(request: HttpRequest, error: Any) -> HttpResponse:
        return of(error).answer()

    for kind in (Problem, Refused, Http404, PermissionDenied, ValidationError, HttpError):
        api.add_exception_handler(kind, answered)
