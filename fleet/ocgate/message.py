"""`message`: what those who sign in to a slot are shown while it drains, in place of the operator's own banner.

It is ocserv's `banner`, which a reload takes up. Clients get it with the answer to their sign-in or reconnect; who is
connected sees nothing before that. It ends with the drain: `keep` gives the agreed banner back to a slot that gets new
clients again, and a slot that is started anew has none.
"""

from __future__ import annotations

from typing import List, Set

from . import locks, reload, slots, table
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Refused
from .paths import Paths
from .state import State


def message(call: Call) -> Result:
    """Set a draining slot's message; "" takes it away."""
    number, text = call.args["slot"], call.args["text"]
    with locks.held(call.paths.run, f"slot-{number}", wait=2.0):
        states.admit(call.paths, call.fence)
        state = states.load(call.paths)
        slot = slots.running(number, call.config, state, call.paths)
        if slot.adopted:
            raise Refused("not_reloadable", f"Slot {number} holds the ocserv from before ocgate; it is not ours.")
        if (
            text
            and call.config.steers
            and slots.weights_now(state, trial=table.trial_of(state, table.read())).get(number)
        ):
            raise Refused("slot_busy", f"Slot {number} gets new clients; a message is for a slot that drains.")
        already = state.messages.get(number, "") == text
        if not already:
            _show(call.config, call.paths, slot, text)
    return {"slot": number, "already": already}


def end_over(config: Config, paths: Paths) -> List[str]:
    """Give the agreed banner back to slots that get new clients again; what was done, in sentences."""
    state = states.load(paths)
    said: List[str] = []
    for number in _busy(config, state) & set(state.messages) if state.messages else set():
        with locks.held(paths.run, f"slot-{number}", wait=0.0):
            slot = slots.look(number, states.load(paths), paths)
            if slot.running:
                _show(config, paths, slot, "")
                said.append(f"Slot {number} gets new clients again; its message was taken away.")
    return said


def _busy(config: Config, state: State) -> Set[int]:
    """The slots that get new clients; without steering the one that serves may say that it will be replaced."""
    return set(slots.weights_now(state, trial=table.trial_of(state, table.read()))) if config.steers else set()


def _show(config: Config, paths: Paths, slot: slots.Slot, text: str) -> None:
    before = _remember(paths, slot.number, text)
    try:
        reload.again(config, paths, slot)
    except Refused:
        _remember(paths, slot.number, before)
        raise


def _remember(paths: Paths, number: int, text: str) -> str:
    with states.changing(paths) as state:
        before = state.messages.pop(number, "")
        if text:
            state.messages[number] = text
    return before
