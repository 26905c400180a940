"""A small process that outlives the one that built a lab, and takes the lab down should that one be killed."""

from __future__ import annotations

import os
import select

from lab.state import Place, started_at

LOOK_EVERY_MS = 3000


def watch(place: Place, token: str, *, pid: int, start: int) -> None:
    """Wait for the end of process `pid`; clean the place if its lab still is the one with `token` and not detached."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        handle = -1
    poll = select.poll()
    if handle >= 0:
        poll.register(handle, select.POLLIN)
    while started_at(pid) == start:
        if place.owner().get("token") != token or place.owner().get("detached"):
            return
        poll.poll(LOOK_EVERY_MS)
    owner = place.owner()
    if owner.get("token") == token and not owner.get("detached"):
        place.clean()
