"""`shift` and `commit`: where new clients go. One nft transaction each; established flows stay where they are."""

from __future__ import annotations

import time
from typing import Dict, List, Optional

from . import confs, counter, locks, nft, slots, supervise, table, turns
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Refused, Retry
from .paths import Paths
from .run import run
from .state import Place, State, Trial

LOCK = locks.STEER


def shift(call: Call) -> Result:
    """Start or renew a trial that the kernel ends by itself after `seconds`; `after_ms` after it came, if asked so."""
    weights: Dict[int, int] = call.args["weights"]
    seconds: int = call.args["seconds"]
    after: int = call.args.get("after_ms", 0)
    turn = turns.wait(call.paths, moment=call.began + after / 1000) if after else turns.take(call.paths)
    with locks.held(call.paths.run, LOCK, wait=2.0):
        states.admit(call.paths, call.fence)
        if after:
            turns.refuse_lost(call.paths, turn)
        state = states.load(call.paths)
        for number, weight in weights.items():
            if weight:
                ready(number, call.config, state, call.paths)
        began = time.monotonic()
        seen = table.read()
        already = table.trial_of(state, seen) == weights
        until = time.time() + seconds
        _trust_again(state, weights)
        state.trial = Trial(weights=weights, until=until, boot=states.boot_id())
        commands = _shift_commands(call, state, present=seen.present)
        applied = table.apply(commands)
        _record_shift(call.paths, weights, until=until)
    ms = (time.monotonic() - began) * 1000
    shown = {str(slot): weight for slot, weight in weights.items()}
    return {"weights": shown, "until": until, "applied_at": applied, "ms": round(ms, 1), "already": already}


def _shift_commands(call: Call, state: State, *, present: bool) -> List[str]:
    if not present:
        learnt = table.remembered(call.paths, call.config)
        return [nft.whole(call.config, table.wanted(state, now=time.time()), learnt)]
    relearn = _relearn(call.config, state)
    return [*relearn, *nft.shift(call.config, call.args["weights"], seconds=call.args["seconds"])]


def _record_shift(paths: Paths, weights: Dict[int, int], *, until: float) -> None:
    with states.changing(paths) as state:
        state.trial = Trial(weights=weights, until=until, boot=states.boot_id())
        _trust_again(state, weights)
        for number, weight in weights.items():
            if weight and number in state.slots:
                state.slots[number].steered = True


def commit(call: Call) -> Result:
    """Make the slot the steady state: reboot and `restore` go there from now on."""
    number: int = call.args["slot"]
    turns.take(call.paths)
    with locks.held(call.paths.run, LOCK, wait=2.0):
        states.admit(call.paths, call.fence)
        state = states.load(call.paths)
        slot = ready(number, call.config, state, call.paths)
        seen = table.read()
        there = state.committed == Place(number, slot.release) and state.steady == {number: 100}
        if there and seen.present and not seen.trial_left and not confs.brought_by(state, number):
            return {"slot": number, "release": slot.release, "already": True}
        _refuse_late(state, seen, number)
        counter.refuse_lower_here(call.paths, slot.release)
        settle(call.config, call.paths, to=Place(number, slot.release), present=seen.present)
        counter.remember(call.paths, slot.release)
    return {"slot": number, "release": slot.release, "already": False}


def _refuse_late(state: State, seen: table.Seen, number: int) -> None:
    """A commit may arrive long after it was given up: what a broken connection still held is delivered when it heals.

    The gateway went back in between, and the controller has taken it at its word (measured: it swung forward again).
    """
    if number in slots.weights_now(state, trial=table.trial_of(state, seen)):
        return
    if state.committed is None or state.committed.slot != number:
        say = f"No new client goes to slot {number}: its trial is over, or never began. Shift there first."
        raise Refused("trial_over", say)


def settle(
    config: Config, paths: Paths, *, to: Place, present: bool, distrust: Optional[List[int]] = None, back: bool = False
) -> float:
    """Send all new clients to `to` for good, end a trial, and remember it. Returns when it took effect.

    Slots in `distrust` learn nobody from then on. `back`: `to` was the previous place, and there is none before it; in
    the same write, or a kill between two would make the next `restore previous` swing forward. The caller holds the
    steering lock.
    """
    state = states.load(paths)
    settled(state, to, distrust or [])
    if present:
        applied = table.apply([*_relearn(config, state), *nft.settle(state.steady)])
    else:
        applied = table.apply(
            [nft.whole(config, table.wanted(state, now=time.time()), table.remembered(paths, config))]
        )
    remember(config, paths, to=to, distrust=distrust, back=back)
    _hand_over_unit(state, to)
    return applied


def remember(
    config: Config, paths: Paths, *, to: Place, distrust: Optional[List[int]] = None, back: bool = False
) -> None:
    """Write down where new clients go for good, and agree to the configuration that this slot brings."""
    with states.changing(paths) as kept:
        settled(kept, to, distrust or [])
        if back:
            kept.previous, kept.restored = None, True
        brought = confs.brought_by(kept, to.slot)
    if brought:
        confs.agree(config, paths, brought)


def settled(state: State, to: Place, distrust: List[int]) -> None:
    """What `state` is once new clients go to `to` for good. Pure."""
    brought = confs.brought_by(state, to.slot)
    state.replaced = None
    if state.committed != to or brought:
        state.previous, state.restored = state.committed, False
        state.previous_conf = state.agreed_sha256 if brought else ""
    state.committed, state.steady, state.trial = to, {to.slot: 100}, None
    _trust_again(state, state.steady)
    if to.slot in state.slots:
        state.slots[to.slot].steered = True
    for number in distrust:
        if number in state.slots:
            state.slots[number].distrusted = True


def _trust_again(state: State, weights: Dict[int, int]) -> None:
    for number, weight in weights.items():
        if weight and number in state.slots:
            state.slots[number].distrusted = False


def _relearn(config: Config, state: State) -> List[str]:
    adopted = state.adopted.slot if state.adopted else None
    return nft.relearn(config, adopted=adopted, distrusted=table.distrusted(state))


def _hand_over_unit(state: State, to: Place) -> None:
    """After a reboot the distribution's ocserv must start only while it is the committed one."""
    if state.adopted is None or not state.adopted.unit or not supervise.has_systemd():
        return
    verb = "unmask" if to.slot == state.adopted.slot else "mask"
    run(["systemctl", verb, state.adopted.unit], timeout=20)


def ready(number: int, config: Config, state: State, paths: Paths) -> slots.Slot:
    """The slot, which must run and answer; raises `not_ready` or `slot_not_running`."""
    slot = slots.running(number, config, state, paths)
    if slots.control_of(slot).status() is None:
        raise Retry("not_ready", f"The ocserv in slot {number} runs but does not answer occtl; nothing was changed.")
    return slot
