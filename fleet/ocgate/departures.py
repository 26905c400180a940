"""`departures`: who left by his own doing, as the slots' logs tell. Else who signed out looks like one who was cut.

Facts, seen on 1.1.6 and 1.3.0: each end of a connection gives one line of sec-mod, "invalidating session of user 'U'
(session: S)" or "temporarily closing session for U (session: S)", and one of main, "main[U]:ADDRESS:PORT user
disconnected (reason: R, …". S is the first six characters of occtl's `Full session`. The two come from two processes,
so their order in the file is not certain; the order per user in each of them is.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterable, List

from . import slots
from . import state as states
from .call import Call, Result
from .slotlog import CLOSED, ENDED, REUSED

OWN_DOING = frozenset({"user disconnected", "anyconnect client disconnected"})
TAIL = 1 << 20  # bytes of the log that are looked at
MOST = 1000  # departures in one answer


def departures(call: Call) -> Result:
    """Sessions that ended, newest last: slot, session (six characters), user, reason, by_user."""
    state = states.load(call.paths)
    found: List[Dict[str, object]] = []
    for slot in slots.every(call.config, state, call.paths):
        if slot.running:
            found += [{"slot": slot.number, **one} for one in parse(_tail(call.paths.slot_log(slot.number)))]
    return {"departures": found[-MOST:]}


def parse(lines: Iterable[str]) -> List[Dict[str, object]]:
    """Pair each user's closed sessions with the reasons that main gave. Pure.

    Paired from the end, because the beginning of the log may be cut off.
    """
    closed: Dict[str, List[str]] = defaultdict(list)
    reasons: Dict[str, List[str]] = defaultdict(list)
    reused = set()
    for line in lines:
        shut, ended, again = CLOSED.search(line), ENDED.search(line), REUSED.search(line)
        if shut:
            closed[shut.group(1) or shut.group(2)].append(shut.group(3))
        elif again:
            reused.add(again.group(1))
        elif ended and ended.group(2) not in reused:
            reasons[ended.group(1)].append(ended.group(3))
    found: List[Dict[str, object]] = []
    for user, sessions in closed.items():
        for session, reason in zip(reversed(sessions), reversed(reasons[user])):
            found.append({"session": session, "user": user, "reason": reason, "by_user": reason in OWN_DOING})
    return found


def _tail(path: Path) -> List[str]:
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - TAIL))
            return log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
