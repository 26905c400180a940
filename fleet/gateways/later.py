"""A shift that waits for its moment, on a channel of its own: a rollback on `steer` must not queue up behind it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fleet.gateways.session import Question, Session

MARGIN_SECONDS = 15.0


def shift(session: Session, args: Mapping[str, Any], *, fence: int, due: float) -> Mapping[str, Any]:
    """Have it applied at `due` (monotonic seconds), or at once where that is over by then."""
    deadline = max(due, time.monotonic()) + MARGIN_SECONDS
    with session.line("later", deadline=deadline) as lines:
        # The gateway counts from when it has read the request, so its program must be up by then.
        up = Question("facts", kind="later")
        session.result(lines, up, id=session.send(lines, up, deadline=deadline), deadline=deadline)
        left = max(0, round((due - time.monotonic()) * 1000))
        asked = Question("shift", {**args, "after_ms": left}, fence=fence, kind="later")
        id = session.send(lines, asked, deadline=deadline)
        return session.result(lines, asked, id=id, deadline=deadline)
