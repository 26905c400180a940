"""For supervisors, load balancers and Prometheus: alive, able to work, and how it stands."""

from __future__ import annotations

import time
from secrets import compare_digest

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from fleet.phrases import count
from upgrader import exposition, pulse


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
    """Database, broker, clock and workers do their part; 503 and the reasons if not.

    `?of=web`: only what this process needs to draw pages. A balancer must not take every web server away because the
    clock has stopped: the pages are where one reads that.
    """
    reasons = missing()
    if request.GET.get("of") != "web":
        reasons += pulse.troubles(settings.REDIS_URL, time.time())
    say = "".join(f"{reason}\n" for reason in reasons) or "ready\n"
    return HttpResponse(say, content_type="text/plain; charset=utf-8", status=503 if reasons else 200)


def missing() -> list[str]:
    """Why the database is not fit for this code; nothing when it is."""
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return ["The database does not answer: start it, or look at DATABASE_URL."]
    return [f"{count(len(plan), 'migration')} missing: run manage.py prepare."] if plan else []


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
