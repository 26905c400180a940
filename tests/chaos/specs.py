"""Random strategies that a person could have written."""

from __future__ import annotations

import random
from typing import Any


def drawn(dice: random.Random, *, in_place: bool = False) -> dict[str, Any]:
    """A strategy that parse_spec takes. `in_place`: for gateways that can't hold two releases at once."""
    kind = dice.choice(("canary", "canary", "rolling", "rolling" if in_place else "blue_green"))
    spec: dict[str, Any] = {
        "kind": kind,
        "observe_seconds": dice.choice((0, 5, 10, 30)),
        "poll_seconds": dice.choice((2, 5, 8)),
        "trial_seconds": dice.choice((60, 90, 120)),
        "at_once": dice.choice((1, 2, 3, 8, 30)),
        "promote": dice.choice(("hand", "machine", "machine")),
        "shares": dice.choice(("machine", "machine", "hand")),
        "on_fail": dice.choice(("wave", "rollout")),
        "failures_max": dice.choice((0, 0, 1, 2)),
        "limits": {"login_success_min": 0.9, "min_logins": dice.choice((1, 2, 4)), "restarts_max": dice.choice((0, 1))},
        "drain": drain(dice),
    }
    if kind == "rolling":
        spec["batch"] = dice.choice(({"count": 1}, {"count": 3}, {"percent": 20}, {"percent": 50}))
    else:
        spec["waves"] = waves(dice, shares=kind == "canary")
    if kind == "rolling" and dice.random() < 0.4:
        spec["max_out"] = {"gateways": dice.choice((1, 2, 4))}
    return spec


def waves(dice: random.Random, *, shares: bool) -> list[dict[str, Any]]:
    """The last one takes the rest."""
    weights = [[100], [100], [50, 100], [5, 25, 50, 100]] if shares else [[100]]
    first: list[dict[str, Any]] = [{"count": 1}, {"count": 2}, {"percent": 30}]
    drawn = [dice.choice(first) | {"weights": dice.choice(weights)} for _ in range(dice.choice((0, 1, 1, 2)))]
    drawn = [{"title": f"wave {number}", **wave} for number, wave in enumerate(drawn, start=1)]
    return [*drawn, {"title": "rest", "rest": True, "weights": dice.choice(weights)}]


def drain(dice: random.Random) -> dict[str, Any]:
    at_deadline = dice.choice(("ask", "ask", "extend", "cut"))
    return {
        "deadline_hours": dice.choice((0.02, 0.1, 24.0)),
        "sessions_max": dice.choice((0, 0, 1)),
        "at_deadline": at_deadline,
        "extend_hours": 0.05 if at_deadline == "extend" else 0,
        "cut_at_most": dice.choice((1, 3)) if at_deadline == "cut" else 0,
    }
