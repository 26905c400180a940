"""A start that was asked for: the plan names it, so who approves approves it too, ahead of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from approvals.errors import Refused
from fleet.phrases import clock, duration

MOST = timedelta(days=60)


def read(text: str) -> datetime | None:
    """What a form says, "2026-11-24T02:00" in UTC; None: as soon as it may. Refused for what is no moment."""
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused("Give the start as a day and a time in UTC, 2026-11-24 02:00, or leave it empty.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def planned(start: datetime | None, *, now: datetime) -> dict[str, str]:
    """What the plan holds of it. Refused where it lies behind, or too far ahead."""
    if start is None:
        return {}
    if not now < start <= now + MOST:
        raise Refused(f"The start has to lie ahead, by at most {MOST.days} days.")
    return {"start_at": start.isoformat()}


def of(plan: Mapping[str, Any]) -> datetime | None:
    """The start that the plan names; None: as soon as it may."""
    text = plan.get("start_at")
    return datetime.fromisoformat(text) if text else None


def why_not(plan: Mapping[str, Any], now: datetime) -> str:
    """Why nothing begins yet, as a sentence; "" once its time has come."""
    start = of(plan)
    if start is None or now >= start:
        return ""
    return f"It starts at {clock(start, now)} UTC (in {duration((start - now).total_seconds())})."
