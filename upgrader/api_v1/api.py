"""The API as a whole: its calls, its description (OpenAPI 3.1), its addresses.

There is no page of documentation: it would need scripts that our Content-Security-Policy forbids. docs/api.md is one.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver, path
from ninja import NinjaAPI
from ninja.operation import Operation

from upgrader.api_v1 import alerts, approvals, audit, bounds, desk, door, gateways, kept, releases, rollouts, webhooks
from upgrader.api_v1.problems import KIND, speak

PREFIX = "/api/v1"
ROUTERS = (rollouts, approvals, releases, gateways, alerts, bounds, audit, webhooks, desk)


class Described(NinjaAPI):
    """Ninja's own, with short names for the calls."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of its function: no two have the same."""
        return operation.view_func.__name__


API = Described(
    title="Handover",
    version="1",
    description="Upgrades of ocserv VPN gateways that keep their users. Errors are RFC 9457 problems.",
    docs_url=None,
    openapi_url=None,
    urls_namespace="api-v1",
)
speak(API)
for _module in ROUTERS:
    API.add_router("", _module.router)


def described() -> dict[str, Any]:
    """The description, OpenAPI 3.1: ninja's, and what the door does for each call."""
    schema: dict[str, Any] = API.get_openapi_schema(path_prefix=PREFIX)
    schema["components"]["schemas"]["Problem"] = PROBLEM
    for where, calls in schema["paths"].items():
        for method, call in calls.items():
            call["responses"]["default"] = {"description": "A problem", "content": {KIND: {"schema": PROBLEM_AT}}}
            if method == "post":
                call.setdefault("parameters", []).append(header(kept.HEADER, "The same again is not done again"))
            if where.startswith(f"{PREFIX}/rollouts/{{") and method == "post":
                call["parameters"].append(header("If-Match", "The ETag that was seen"))
    return schema


def header(name: str, say: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "description": say, "required": False, "schema": {"type": "string"}}


PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "request")}
    | {"status": {"type": "integer"}, "now": {"description": "412: the state as it is now"}},
}
PROBLEM_AT = {"$ref": "#/components/schemas/Problem"}


@door.door
def description(request: HttpRequest) -> JsonResponse:
    """The description as it is served."""
    return JsonResponse(described())


def addresses() -> list[tuple[str, str]]:
    """(method, address with {names}) of each call: for tests that walk all of them."""
    return [(method.upper(), where) for where, calls in described()["paths"].items() for method in calls]


URLS: list[URLPattern | URLResolver] = [
    path("openapi.json", description, name="api-description"),
    *door.opened(API.urls[0]),
    path("<path:rest>", door.lost),
]
"""Below /api/v1/."""
