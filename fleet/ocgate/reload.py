"""`reload`: a slot's ocserv reads another configuration and its sessions stay. On trial until agreed (loaded.py)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Optional

from . import confs, derive, loaded, locks, options, slots, start
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Refused, Retry
from .paths import Paths
from .state import State

READY_SECONDS = 10.0
LOCK = "steer"


def reload(call: Call) -> Result:
    """Load a configuration into a slot for `seconds`; asked again with the same one, only its end moves."""
    number, sha256 = call.args["slot"], call.args["conf"]
    seconds: int = call.args.get("seconds", 0)
    with locks.held(call.paths.run, f"slot-{number}", wait=2.0):
        states.admit(call.paths, call.fence)
        already = loaded.renew(call.paths, number, conf=sha256, seconds=seconds)
        if not already:
            start.refuse_changed_conf(call.config, call.paths)
            already = load_again(call.config, call.paths, number, sha256=sha256, seconds=seconds)
    return {"slot": number, "conf": sha256, "already": already}


def load_again(config: Config, paths: Paths, number: int, *, sha256: str, seconds: int = 0) -> bool:
    """Reload a slot with a configuration; whether it ran with it already. The caller holds the slot.

    An ocserv that can't read its configuration on a reload ends itself and everybody on it, so it is tested first.
    """
    state = states.load(paths)
    slot = slots.running(number, config, state, paths)
    old = confs.of_slot(state, number)
    if slot.adopted:
        raise Refused("not_reloadable", f"Slot {number} holds the ocserv from before ocgate; it is not ours to reload.")
    text = confs.usable(config, paths, sha256)
    if old == sha256 and not _is_half_done(state, number):
        return True
    if options.way(confs.text_of(config, paths, old), text) == "restart":
        raise Refused("not_reloadable", "ocserv would not notice all of the difference; start it in a free slot.")
    derived = derive.derive(text, start.place_of(config, paths, number))
    _tested(paths.release(slot.release) / "sbin" / "ocserv", derived)
    on_trial = sha256 not in (state.agreed_sha256, _back_of(state, number))
    if on_trial:
        loaded.begin(paths, number, conf=sha256, back=old, seconds=seconds)
    states.write_spared(paths, paths.slot_conf(number), derived, mode=0o640)
    os.kill(slot.process.pid, signal.SIGHUP)
    _await_answer(config, paths, number)
    _remember(paths, number, conf=sha256, old=old, seconds=seconds if on_trial else None)
    return False


def _remember(paths: Paths, number: int, *, conf: str, old: str, seconds: Optional[int]) -> None:
    """What the slot runs with now; `seconds` is None where that is not on trial."""
    with states.changing(paths) as state:
        place, there = state.slots[number], state.loaded.get(number)
        if seconds is not None and (there is None or there.conf != conf):
            say = f"The ocserv in slot {number} ended itself on the reload and was started as it was before"
            raise Refused("conf_refused", f"{say}; configuration {conf[:12]} is not loaded.")
        back_again = seconds is None and there is not None and there.back == conf
        place.before = place.before if confs.brought_by(state, number) else old
        place.conf = conf
        place.brings = there.brings if back_again and there is not None else conf != state.agreed_sha256
        if seconds is None:
            state.loaded.pop(number, None)
        elif there is not None:
            there.until = loaded.until(seconds)


def end(config: Config, paths: Paths, number: int) -> str:
    """Load what a slot ran with before its trial; the sentence for the record, "" when it was settled meanwhile.

    Nobody waits for ocserv here: what steers is held, and a rollback must not find it busy.
    """
    with locks.held(paths.run, LOCK, wait=5.0), locks.held(paths.run, f"slot-{number}", wait=2.0):
        state = states.load(paths)
        if number not in loaded.over(state):
            return ""
        there, slot = state.loaded[number], slots.look(number, state, paths)
        if slot.running:
            text = _text_before(config, paths, number, back=there.back)
            _tested(paths.release(slot.release) / "sbin" / "ocserv", text)
            states.write_spared(paths, paths.slot_conf(number), text, mode=0o640)
            os.kill(slot.process.pid, signal.SIGHUP)
        loaded.ended(paths, number)
    say = f"Configuration {there.conf[:12]} was on trial in slot {number} and nobody committed it in time"
    return f"{say}; the slot reads {there.back[:12]} again and its sessions stay."


def _text_before(config: Config, paths: Paths, number: int, *, back: str) -> str:
    beside = paths.slot_conf_before(number)
    if beside.exists():
        return beside.read_text()
    return derive.derive(confs.text_of(config, paths, back), start.place_of(config, paths, number))


def _is_half_done(state: State, number: int) -> bool:
    """A reload was begun there and never came to its end: nobody knows what ocserv has read."""
    there = state.loaded.get(number)
    return there is not None and there.conf != state.slots[number].conf


def _back_of(state: State, number: int) -> str:
    there = state.loaded.get(number)
    return there.back if there is not None else ""


def _tested(ocserv: Path, text: str) -> None:
    start.refuse_unreadable(ocserv, text, say="The running release refuses the configuration")


def again(config: Config, paths: Paths, slot: slots.Slot) -> None:
    """Have a running slot read its own configuration, derived anew; its sessions stay. The caller holds the slot."""
    source = confs.text_of(config, paths, confs.of_slot(states.load(paths), slot.number))
    derived = derive.derive(source, start.place_of(config, paths, slot.number))
    take_up(config, paths, slot, derived)


def take_up(config: Config, paths: Paths, slot: slots.Slot, derived: str) -> None:
    """Have a running slot read this text, which is tested first, and wait until it answers."""
    _tested(paths.release(slot.release) / "sbin" / "ocserv", derived)
    states.write_spared(paths, paths.slot_conf(slot.number), derived, mode=0o640)
    os.kill(slot.process.pid, signal.SIGHUP)
    _await_answer(config, paths, slot.number)


def _await_answer(config: Config, paths: Paths, number: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        slot = slots.running(number, config, states.load(paths), paths)
        if slots.control_of(slot).status():
            return
        time.sleep(0.05)
    raise Retry("not_ready", f"The ocserv in slot {number} was told to reload and does not answer yet.")
