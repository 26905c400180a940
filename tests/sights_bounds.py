"""Rows for the page of windows, freezes and budgets: nights in Berlin, a freeze, a budget that is nearly used."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from approvals.models import Actor
from approvals.windows import DAYS
from fleet.models import Gateway
from tests import factories
from upgrader import bound_changes
from upgrader.bound_changes import Who
from upgrader.models import Budget, Freeze, Window


def bounds() -> int:
    """Two pools beside the others; returns the id of the frozen one."""
    people, now = factories.cast(), timezone.now()
    nights, frozen = factories.pool("nights"), factories.pool("frozen")
    for pool in (nights, frozen):
        for name, rights in (("operator", factories.OPERATOR), ("oncall", factories.ONCALL)):
            factories.person(name, rights, on=pool)
    by = people["operator"]
    rules = [{"days": list(DAYS[:5]), "from": "22:00", "until": "04:00"}]
    more = [{"days": ["sun"], "from": "01:00", "until": "05:30"}]
    for title, rule in (("Nights", rules), ("Sundays", more)):
        Window.objects.create(pool=nights, title=title, zone="Europe/Berlin", rules=rule, made_by=by, made_at=now)
    ends, starts = now + timedelta(days=3, hours=5), now - timedelta(hours=2)
    reason = "The trade fair in Hanover: every session counts."
    Freeze.objects.create(pool=frozen, reason=reason, starts_at=starts, ends_at=ends, made_by=by, made_at=starts)
    rows = [factories.gateway(f"ber-gw-{number:02}", on=nights) for number in range(1, 9)]
    Gateway.objects.filter(pk=rows[0].pk).update(state=Gateway.State.UNREACHABLE)
    Budget.objects.create(pool=nights, gateways_percent=25, sessions=60, rollback_gateways=4, made_at=now)
    who = Who(by, Actor(kind="person", name=by.username, user_id=by.pk), now, "Eight gateways carry more by now")
    bound_changes.ask_budget(nights, who, {"gateways_percent": 50, "sessions": 120, "rollback_gateways": 4})
    return frozen.pk
