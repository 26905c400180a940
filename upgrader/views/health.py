"""For supervisors, load balancers and Prometheus: alive, able to work, and how it stands."""

from __future__ import annotations

from secrets import compare_digest

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from upgrader import exposition


@login_not_required
@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("alive\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and has the tables that this code knows; 503 and the reason if not."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", content_type="text/plain", status=503)
    if missing:
        return HttpResponse(f"{len(missing)} migrations are missing.\n", content_type="text/plain", status=503)
    return HttpResponse("ready\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The product's own numbers, for who knows the token. Names of gateways are in them, so nobody else."""
    if not settings.METRICS_TOKEN:
        say = "Set HANDOVER_METRICS_TOKEN, and let Prometheus send it as a bearer token.\n"
        return HttpResponse(say, content_type="text/plain", status=404)
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not compare_digest(sent.encode(), settings.METRICS_TOKEN.encode()):
        refused = HttpResponse("The token is not the right one.\n", content_type="text/plain", status=401)
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(exposition.text(), content_type=CONTENT_TYPE_LATEST)
