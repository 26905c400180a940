"""Calls for what people have not decided: after the policy's first time those whom every alert reaches are told, after
the second those whom only what is critical does; contacts' own minutes come on top (fleet/alarms/ladder.py).

A call ends when somebody has decided. Read anew at each tick, so that a killed worker forgets none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse

from approvals import breakglass, policies
from approvals.models import Request
from approvals.policy_spec import BadPolicy, Rules, parse
from fleet.alerts import Call
from fleet.models import Pool
from fleet.phrases import clock, sentence
from upgrader.policy_kinds import BACK, CUT, START


def undecided(now: datetime) -> Iterator[Call]:
    """Questions that wait for longer than their policy says. On-call is called at once for rollbacks and drains."""
    rows = Request.objects.filter(state=Request.State.OPEN, expires_at__gt=now).exclude(kind__in=(BACK, CUT))
    late = [(request, rules_of(request)) for request in rows.select_related("requested_by").order_by("pk")]
    due = [(request, rules) for request, rules in late if waits_long(request, rules.remind_minutes, now)]
    pools = pools_of([request.scope for request, _ in due])
    for request, rules in due:
        asked = f"{request.requested_by.username} asked at {clock(request.requested_at, now)}; nobody has decided."
        until = clock(request.expires_at, request.requested_at)
        yield Call(
            kind="approval",
            subject=f"request:{request.pk}",
            about=about(request),
            say=f"{asked} The question ends at {until}; then nothing changes.",
            link=link(request),
            pool=pools.get(request.scope),
            details={"urgent": waits_long(request, rules.escalate_minutes, now)},
        )


def unreviewed(now: datetime) -> Iterator[Call]:
    """What one person did alone: everybody is told until another has reviewed it."""
    rows = list(breakglass.unreviewed())
    pools = pools_of([row.scope for row in rows])
    for row in rows:
        did = f"{row.by.username} did this alone at {clock(row.at, row.at)}. {sentence(row.reason)}"
        until = clock(row.review_until, row.at)
        late = f"The review was due at {until}; nothing more of it begins before that is written."
        review = late if now >= row.review_until else f"Another person reviews it until {until}."
        page = reverse("glass", args=[row.pk])
        yield Call("glass", f"glass:{row.pk}", row.title, f"{did} {review}", page, pool=pools.get(row.scope))


def rules_of(request: Request) -> Rules:
    """What was in force when it was asked; one that can't be read keeps nobody from being told."""
    try:
        return parse((request.policy or {})["spec"])
    except (KeyError, BadPolicy):
        return Rules()


def waits_long(request: Request, minutes: int, now: datetime) -> bool:
    """0 minutes: never."""
    return bool(minutes) and now - request.requested_at >= timedelta(minutes=minutes)


def about(request: Request) -> str:
    if request.kind == START:
        return f"{request.summary['release']['name']} to {request.summary['pool']}"
    return str(request.summary.get("title") or policies.title(request.kind))


def link(request: Request) -> str:
    """The page on which exactly this is decided."""
    if request.kind == START:
        return reverse("decision", args=[request.subject.partition(":")[2]])
    return reverse("change", args=[request.pk])


def pools_of(scopes: list[str]) -> dict[str, Pool]:
    ids = {scope.removeprefix("pool:") for scope in scopes if scope.startswith("pool:")}
    return {f"pool:{pool.pk}": pool for pool in Pool.objects.filter(pk__in=ids)} if ids else {}
