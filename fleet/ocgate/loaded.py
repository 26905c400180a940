"""A configuration that was loaded into a running slot is on trial until it is agreed; going back needs no controller.

What the slot ran with lies beside its file, and the end is written down before the reload. `ocgate keep` reloads the
old one when the time is over (reload.py), and a slot that is started anew is started with the old one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import List

from . import journal
from . import state as states
from .errors import Answered
from .paths import Paths
from .state import Loaded, State

ENDED = "trial_reload_ended"


def now() -> float:
    """Seconds since the boot. A clock that somebody sets must neither end a trial nor make it last."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def until(seconds: int) -> float:
    """When a trial of so many seconds ends; 0 is never."""
    return now() + seconds if seconds else 0.0


def begin(paths: Paths, number: int, *, conf: str, back: str, seconds: int) -> None:
    """Before the reload: keep what the slot runs with, and write down when it goes back to that."""
    if number not in states.load(paths).loaded:
        text = paths.slot_conf(number).read_text()
        states.write_spared(paths, paths.slot_conf_before(number), text, mode=0o640)
    with states.changing(paths) as state:
        old, place = state.loaded.get(number), state.slots[number]
        new = Loaded(conf=conf, back=back, until=until(seconds), boot=states.boot_id(), brings=place.brings)
        if old is not None:
            new.back, new.brings = old.back, old.brings
        state.loaded[number] = new


def renew(paths: Paths, number: int, *, conf: str, seconds: int) -> bool:
    """Let a trial of this configuration last so many seconds from now (0: as it is); whether there is one."""
    with states.changing(paths) as state:
        there, place = state.loaded.get(number), state.slots.get(number)
        if there is None or place is None or not there.conf == place.conf == conf:
            return False
        if seconds:
            there.until = until(seconds)
    return True


def over(state: State) -> List[int]:
    """The slots that must go back now."""
    boot, at = states.boot_id(), now()
    return [n for n, there in state.loaded.items() if there.boot != boot or 0 < there.until <= at]


def left(state: State, number: int) -> float:
    """Seconds until the slot goes back by itself; 0 when it does not."""
    there = state.loaded.get(number)
    return max(0.0, there.until - now()) if there is not None and there.boot == states.boot_id() else 0.0


def ended(paths: Paths, number: int) -> None:
    """Remember that the slot runs with the old one again, which its file is by now."""
    with states.changing(paths) as state:
        there, place = state.loaded.pop(number, None), state.slots.get(number)
        if there is not None and place is not None:
            place.conf, place.brings, place.before = there.back, there.brings, ""
    paths.slot_conf_before(number).unlink(missing_ok=True)


def restarted(paths: Paths, number: int) -> None:
    """Called before a slot's ocserv is started: it begins with what was agreed, or at least with what ran before.

    Nothing here may keep the slot from starting.
    """
    with suppress(Answered, OSError):
        there = states.load(paths).loaded.get(number)
        if there is None:
            return
        text = paths.slot_conf_before(number).read_text()
        states.write_spared(paths, paths.slot_conf(number), text, mode=0o640)
        ended(paths, number)
        say = f"Slot {number} ended while configuration {there.conf[:12]} was on trial there"
        journal.event(paths.events, at=time.time(), code=ENDED, say=f"{say}; it starts with {there.back[:12]} again.")
