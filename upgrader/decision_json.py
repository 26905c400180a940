"""A decision as JSON: what the decision page shows, made from the same context. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from upgrader.actions import Offer
from upgrader.api import wave_json
from upgrader.deciding import Deciding, Voice
from upgrader.picture import Picture

NAMES = 200  # of gateways


def as_json(context: Mapping[str, Any], tests: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """`context`: of upgrader.pages.decision_context. Times are ISO 8601 or, in sentences, UTC."""
    seen: Picture = context["seen"]
    asked: Offer | None = context["asked"]
    names = [row.name for row in seen.gateways]
    return {
        "rollout": seen.id,
        "state": seen.state.value,
        "version": seen.version,
        "now": now.isoformat(),
        "title": asked.label if asked else "Nothing to decide",
        "why": context["why"].text,
        "product": seen.product,
        "from": list(seen.from_releases),
        "to": seen.release,
        "pool": seen.pool,
        "gateways": {"count": len(names), "names": names[:NAMES]},
        "users": seen.users,
        "facts": [{"title": it.title, "value": it.big, "say": it.small} for it in context["facts"]],
        "warnings": [*context["warnings"], *context["ends"]],
        "evidence": [wave_json(wave) for wave in seen.waves],
        "tests": tests,
        "config_diff": context["config_diff"],
        "rollback_possible_until": {"value": context["until"].big, "say": context["until"].small},
        "deciding": deciding_json(context["deciding"]),
        "buttons": [button(it) for it in (context["other"], asked) if it],
        "alone": context["alone"],
        "requested_by": seen.created_by,
    }


def deciding_json(it: Deciding | None) -> dict[str, Any] | None:
    if it is None:
        return None
    return {
        "request": it.request.pk,
        "kind": it.request.kind,
        "state": it.state,
        "digest": it.request.digest,
        "requested_by": it.request.requested_by.username,
        "requested_at": it.request.requested_at.isoformat(),
        "expires_at": it.request.expires_at.isoformat(),
        "use_until": it.request.use_until.isoformat(),
        "policy": it.says or [it.unreadable],
        "said": [voice(one) for one in it.voices],
        "still_needed": it.still,
        "may_decide": it.others,
        "if_nobody_acts": it.then,
        "then": it.used_until,
    }


def voice(it: Voice) -> dict[str, Any]:
    return {"who": it.who, "answer": "yes" if it.yes else "no", "reason": it.reason, "at": it.at.isoformat()}


def button(it: Offer) -> dict[str, Any]:
    return {
        "action": it.action,
        "path": it.path,
        "label": it.label,
        "effect": it.effect,
        "enabled": it.enabled,
        "why_not": it.reason,
        "needs_reason": it.needs_reason,
        "digest": it.digest,
        "fields": dict(it.fields),
    }
