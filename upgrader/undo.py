"""Taking back a hold right after it: no dialog before, ten seconds after. Reads only; resuming is what undoes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from approvals.models import User
from approvals.story import tell
from upgrader import selectors
from upgrader.models import Rollout
from upgrader.states import R

FOR = timedelta(seconds=10)
REASON = "The hold was undone at once."


def undo(rollout: Rollout, user: User, *, now: datetime) -> dict[str, Any]:
    """Until when this person may undo his own hold, and the reason that is recorded; {} when there is none."""
    if rollout.state != R.HELD or now - rollout.since >= FOR:
        return {}
    event = selectors.last_move(rollout)
    if event is None:
        return {}
    told = tell(event)
    own = told.person and told.who == user.get_username() and told.details.get("after") == R.HELD
    return {"until": rollout.since + FOR, "reason": REASON} if own else {}
