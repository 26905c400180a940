"""The strategies of the benchmark, as the dashboard stores them."""

from __future__ import annotations

from typing import Any

ROLLOUT, ROLLBACK = "Bench rollout", "Bench rollback"
_LIMITS = {"login_success_min": 0.98, "min_logins": 1, "restarts_max": 0}


def _strategy(title: str, waves: list[dict[str, Any]], observe_seconds: int) -> dict[str, Any]:
    paces = {"observe_seconds": observe_seconds, "poll_seconds": 1, "trial_seconds": 300}
    rest = {"at_once": 2, "promote": "hand", "limits": _LIMITS, "drain": {"deadline_hours": 24}}
    return {"title": title, "spec": {"waves": waves, **paces, **rest}}


STRATEGIES = {
    "bench-rollout": _strategy(
        ROLLOUT,
        [{"title": "canary", "count": 1, "weights": [25, 100]}, {"title": "rest", "rest": True, "weights": [50, 100]}],
        5,
    ),
    # Observed for so long that the operator comes first.
    "bench-rollback": _strategy(
        ROLLBACK, [{"title": "canary", "count": 1, "weights": [100]}, {"title": "rest", "rest": True}], 240
    ),
}
