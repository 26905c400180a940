"""Reads the questions of a rollout to people: to roll back, to cut users; and the drains that wait. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from approvals.models import Request, User
from upgrader.late import late, open_steps
from upgrader.models import Budget, Rollout
from upgrader.picture import Asked
from upgrader.states import DRAINS

CUT = "drain.cut"
MOST_GATEWAYS = 100  # of one list of names
Row = dict[str, Any]


def back_asked(rollout: Rollout, user: User) -> Asked | None:
    """The newest question about rolling back."""
    return asked(rollout.back_request, user) if rollout.back_request else None


def cut_asked(rollout: Rollout, user: User) -> Asked | None:
    """The newest question about cutting users."""
    rows = Request.objects.filter(kind=CUT, subject=f"rollout:{rollout.pk}").select_related("requested_by")
    request = rows.order_by("-requested_at", "-pk").first()
    return asked(request, user) if request else None


def asked(request: Request, user: User) -> Asked:
    settled = request.state in (Request.State.APPROVED, Request.State.REJECTED)
    last = request.decisions.select_related("by").order_by("-at", "-pk").first() if settled else None
    return Asked(
        state=request.state,
        digest=request.digest,
        by=request.requested_by.username,
        own=request.requested_by_id == user.pk,
        at=request.requested_at,
        expires_at=request.expires_at,
        why=str(request.summary.get("why", "")),
        summary=request.summary,
        said_by=last.by.username if last else "",
        said=last.reason if last else "",
    )


def most_alone(rollout: Rollout) -> int | None:
    """How many gateways one person may take back alone on this pool; None: any number. Without a budget: none."""
    budgets = Budget.objects.filter(Q(pool=None) | Q(pool=rollout.pool_id))
    rows: dict[int | None, int | None] = dict(budgets.values_list("pool_id", "rollback_gateways"))
    own = rows.get(rollout.pool_id)
    return rows.get(None, 0) if own is None else own


def read_drains(rows: dict[int, Row], now: datetime) -> None:
    """Add what the drains last counted to the rows whose time is over: the numbers that a question names."""
    over = [
        pk for pk, row in rows.items() if row["state"] in DRAINS and row["drain_until"] and row["drain_until"] <= now
    ]
    if not over:
        return
    steps = open_steps().filter(upgrade__in=over)
    for pk, result in steps.values_list("upgrade_id", "result"):
        rows[pk] |= counted(result)


def counted(result: dict[str, Any]) -> Row:
    """What one run of a drain said, as columns of a row."""
    sessions = result.get("sessions")
    return {
        "drain_left": int(sessions) if sessions is not None else None,
        "drain_oldest": int(result.get("oldest_seconds") or 0),
        "drain_idle": int(result.get("idle") or 0),
    }


def who_is_left(rollout: Rollout, now: datetime) -> list[dict[str, Any]]:
    """The users on each old slot whose time is over, the idlest first; names as the drain last saw them."""
    steps = open_steps().filter(upgrade__in=late(now).filter(wave__rollout=rollout))
    rows = steps.select_related("upgrade__gateway").order_by("upgrade__gateway__name")
    return [
        {
            "gateway": step.upgrade.gateway.name,
            "slot": step.upgrade.from_slot,
            "users": sorted(step.result.get("users", []), key=lambda user: -int(user.get("idle_seconds") or 0)),
            "sessions": step.result.get("sessions"),
        }
        for step in rows[:MOST_GATEWAYS]
    ]
