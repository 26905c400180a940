"""A rollout as JSON, made from the same picture as its page. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from upgrader.actions import offers
from upgrader.picture import Asked, GatewayRow, Picture, WaveRow
from upgrader.until import rollback_until
from upgrader.why import why


def as_json(seen: Picture, now: datetime) -> dict[str, Any]:
    """Return the rollout for programs. Times are ISO 8601; `sessions.kept` is null until it was measured."""
    until = rollback_until(seen, now)
    return {
        "id": seen.id,
        "state": seen.state.value,
        "version": seen.version,
        "digest": seen.digest,
        "since": seen.since.isoformat(),
        "reason": seen.reason,
        "why": why(seen, now).text,
        "release": seen.release,
        "from": list(seen.from_releases),
        "pool": seen.pool,
        "sessions": {"before": seen.before, "kept": seen.kept, "measured": seen.measured, "cut": seen.cut},
        "waits": seen.waits,
        "promoted_to": seen.promoted_to,
        "rollback": {
            "possible_until": until.big,
            "say": until.small,
            "earliest": until.at.isoformat() if until.at else None,
        },
        "questions": {"rollback": asked_json(seen.back, now), "cut": asked_json(seen.cut_asked, now)},
        "gateways": {"all": len(seen.gateways), "carrying": seen.carrying, "failed": len(seen.failed)},
        "waves": [wave_json(wave) for wave in seen.waves],
        "upgrades": [upgrade_json(row) for row in seen.gateways],
        "offers": [
            {
                "action": offer.action,
                "enabled": offer.enabled,
                "label": offer.label,
                "effect": offer.effect,
                "reason": offer.reason,
                "needs_reason": offer.needs_reason,
                "digest": offer.digest,
                "fields": dict(offer.fields),
            }
            for offer in offers(seen, now)
        ],
    }


def asked_json(asked: Asked | None, now: datetime) -> dict[str, Any] | None:
    """A question to a second person; null when none was asked."""
    if asked is None:
        return None
    return {
        "state": "expired" if asked.expired(now) else asked.state,
        "digest": asked.digest,
        "by": asked.by,
        "why": asked.why,
        "expires_at": asked.expires_at.isoformat(),
        "answer": {"by": asked.said_by, "reason": asked.said} if asked.said_by else None,
        **{name: asked.summary.get(name) for name in ("gateways", "cuts", "users", "stay", "reconnect", "gone")},
    }


def wave_json(wave: WaveRow) -> dict[str, Any]:
    verdict = wave.verdict
    return {
        "number": wave.number,
        "title": wave.title,
        "state": wave.state.value,
        "weights": list(wave.weights),
        "weight": wave.weight,
        "observe_until": wave.observe_until.isoformat() if wave.observe_until else None,
        "gateways": len(wave.gateways),
        "verdict": {"outcome": verdict.outcome.value, "sentence": verdict.sentence, "final": verdict.final}
        if verdict
        else None,
    }


def upgrade_json(row: GatewayRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "gateway": row.name,
        "state": row.state.value,
        "reason": row.reason,
        "from_release": row.from_release,
        "from_slot": row.from_slot,
        "to_slot": row.to_slot,
        "before": row.before,
        "kept": row.kept,
        "cut": row.cut,
        "way": row.way,
        "old_slot": "retired" if row.gone else ("there" if row.from_slot else None),
        "drain_until": row.drain_until.isoformat() if row.drain_until else None,
        "step": {"name": row.step.name, "state": row.step.state.value, "error": row.step.error} if row.step else None,
    }
