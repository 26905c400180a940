"""A gateway without nft: one slot at a time serves on the operator's own port, and `replace` exchanges it.

That cuts who is connected, so it asks first how many that may be. It is a trial like a shift: without a commit `keep`
starts the old release again, and at once when the new one ends by itself. What goes back is written down before
anything is stopped, so a kill between any two lines leaves `keep` enough to go on.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional, Tuple

from . import ability, counter, derive, drain, locks, reload, restore, slots, start, steer, supervise, turns
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Answered, Refused
from .loaded import until
from .paths import Paths
from .replaced import left
from .state import Place, Replaced, State

Cut = List[Dict[str, str]]
NAMED = 50
EVERYBODY = 1_000_000  # a way back that nobody bounded is not held up by who would be cut


def replace(call: Call) -> Result:
    """Put a release in the place of the one that serves, for `seconds`; asked again, only its end moves."""
    turns.take(call.paths)
    with locks.held(call.paths.run, locks.STEER, wait=5.0):
        states.admit(call.paths, call.fence)
        ability.refuse_in_place(call.config)
        state = states.load(call.paths)
        if (number := _on_trial(call, state)) is not None:
            _renew(call)
            return _said(call, number, cut=[], ready_ms=0.0, already=True)
        serves, number = _serves(call.config, state, call.paths), _free(call, state)
        _refuse_bad(call, state, number)
        drain.may_end(serves, call.args["cut_at_most"])
        conf = call.args.get("conf", "")
        start.refuse_unfit(call.config, call.paths, release=call.args["release"], number=number, conf=conf)
        _write_down(call, number, back=Place(serves.number, serves.release))
        try:
            gone, ready_ms = _exchange(call, state, serves=serves, number=number)
        except Answered:
            _forget(call.paths)
            raise
        _renew(call)
    return _said(call, number, cut=gone, ready_ms=ready_ms, already=False)


def _on_trial(call: Call, state: State) -> Optional[int]:
    """The slot where just this is on trial and runs; `slot_busy` while something else is."""
    trial = state.replaced
    if trial is None:
        return None
    slot = slots.look(trial.slot, state, call.paths)
    wanted = (call.args["release"], call.args.get("slot", trial.slot))
    if (slot.release, trial.slot) == wanted and slot.running:
        steer.ready(trial.slot, call.config, state, call.paths)
        return trial.slot
    raise Refused("slot_busy", f"{slot.release} is on trial in slot {trial.slot}; commit it or restore first.")


def _serves(config: Config, state: State, paths: Paths) -> slots.Slot:
    for slot in slots.every(config, state, paths):
        if slot.running:
            return slot
    raise Refused("slot_not_running", "Nothing serves on this gateway; restore first.")


def _free(call: Call, state: State) -> int:
    """The slot that was asked for, or the first that is free."""
    wanted: int = call.args.get("slot", 0)
    if wanted:
        call.config.slot(wanted)
    for slot in slots.every(call.config, state, call.paths):
        if not slot.running and not slot.process.returning and wanted in (0, slot.number):
            return slot.number
    raise Refused("slot_busy", f"Slot {wanted} is the one that serves; name another." if wanted else "No slot is free.")


def _refuse_bad(call: Call, state: State, number: int) -> None:
    """Everything that can be known before somebody is cut."""
    start.refuse_changed_conf(call.config, call.paths, over=call.args.get("over", ""))
    counter.refuse_lower_here(call.paths, call.args["release"])
    old = state.adopted
    if old is not None and number != old.slot and not old.unit and slots.look(old.slot, state, call.paths).running:
        say = "The ocserv that serves was adopted and has no unit: it could not be started again. Nobody was cut."
        raise Refused("nothing_to_restore", say)


def _write_down(call: Call, number: int, *, back: Place) -> None:
    with states.changing(call.paths) as state:
        state.replaced = Replaced(number, back, until=until(call.args["seconds"]), boot=states.boot_id())


def _renew(call: Call) -> None:
    with states.changing(call.paths) as state:
        if state.replaced is not None:
            state.replaced.until = until(call.args["seconds"])


def _forget(paths: Paths) -> None:
    """Only while what served before serves again; else `keep` still has to bring it back."""
    with states.changing(paths) as state:
        trial = state.replaced
        if trial is not None and slots.look(trial.back.slot, state, paths).running:
            state.replaced = None


def _exchange(call: Call, state: State, *, serves: slots.Slot, number: int) -> Tuple[Cut, float]:
    """Stop what serves and start the other; when that does not become ready, what served before, and say so."""
    gone = _cut(call.config, call.paths, serves, at_most=call.args["cut_at_most"])
    try:
        drain.stop(call.paths, state, serves)
        to = Place(number, call.args["release"])
        return gone, _launch(call.config, call.paths, to, conf=call.args.get("conf", ""))
    except Answered as failed:
        _launch(call.config, call.paths, Place(serves.number, serves.release))
        say = f"{failed.say} {serves.release} was started again in slot {serves.number} and serves."
        raise Refused(failed.code, f"{say} {cut_said(gone)}") from failed


def _cut(config: Config, paths: Paths, serves: slots.Slot, *, at_most: int) -> Cut:
    """Nobody signs in while users are counted and cut, or more would be cut than may be."""
    if serves.adopted or at_most == EVERYBODY:  # its configuration is not ours to reload; or nobody counts
        return drain.cut(paths, serves, at_most)
    drain.may_end(serves, at_most)
    try:
        reload.take_up(config, paths, serves, derive.full(paths.slot_conf(serves.number).read_text()))
        return drain.cut(paths, serves, at_most)
    except Answered:
        reload.again(config, paths, serves)
        raise


def _launch(config: Config, paths: Paths, to: Place, *, conf: str = "") -> float:
    """Start what shall serve and wait until it does; milliseconds."""
    began = time.monotonic()
    if to.release == "adopted":
        if not slots.look(to.slot, states.load(paths), paths).running:
            restore.start_adopted(paths, states.load(paths))
        return (time.monotonic() - began) * 1000
    with locks.held(paths.run, f"slot-{to.slot}", wait=5.0):
        return start.launch(config, paths, release=to.release, number=to.slot, conf=conf)[1]


def cut_said(gone: Cut) -> str:
    """Who lost his session, in a sentence. Pure."""
    if not gone:
        return "Nobody was cut."
    names = ", ".join(one["user"] for one in gone[:NAMED])
    return f"{len(gone)} users were cut: {names}{' and others' if gone[NAMED:] else ''}."


def _said(call: Call, number: int, *, cut: Cut, ready_ms: float, already: bool) -> Result:
    state = states.load(call.paths)
    return {
        "slot": number,
        "release": call.args["release"],
        "version": slots.version_of(call.args["release"], state, call.paths),
        "cut": cut,
        "until": time.time() + left(state),
        "ready_ms": round(ready_ms, 1),
        "already": already,
    }


def commit(call: Call) -> Result:
    """Make what serves the one that serves after a reboot, too."""
    number: int = call.args["slot"]
    turns.take(call.paths)
    with locks.held(call.paths.run, locks.STEER, wait=2.0):
        states.admit(call.paths, call.fence)
        state = states.load(call.paths)
        slot = steer.ready(number, call.config, state, call.paths)
        to = Place(number, slot.release)
        already = state.committed == to and state.replaced is None
        if not already:
            counter.refuse_lower_here(call.paths, slot.release)
            steer.remember(call.config, call.paths, to=to)
            counter.remember(call.paths, slot.release)
    return {"slot": number, "release": slot.release, "already": already}


def back(call: Call) -> Result:
    """`restore`: stop what serves, start the committed or the previous release again."""
    began, to = time.monotonic(), call.args["to"]
    turns.take(call.paths)
    with locks.held(call.paths.run, locks.STEER, wait=5.0):
        states.admit(call.paths, call.fence)
        state = states.load(call.paths)
        target, conf = restore.target_of(state, to), restore.conf_of(state, to)
        there = slots.look(target.slot, state, call.paths)
        runs = there.running and there.release == target.release
        at_most: int = call.args.get("cut_at_most", EVERYBODY)
        gone = [] if runs else _turn_back(call.config, call.paths, target, conf=conf, at_most=at_most)
        already = runs and state.replaced is None and (to == "committed" or state.restored)
        if not already:
            steer.remember(call.config, call.paths, to=target, back=to == "previous")
    return {
        **{"slot": target.slot, "release": target.release, "weights": {str(target.slot): 100}, "started": not runs},
        **{"forgotten": 0, "ms": round((time.monotonic() - began) * 1000, 1), "applied_at": time.time()},
        **{"already": already, "cut": gone},
    }


def _turn_back(config: Config, paths: Paths, target: Place, *, conf: str = "", at_most: int = EVERYBODY) -> Cut:
    """Stop whatever runs and start `target`; what ran before is started again if that fails. Who was cut.

    `has_sessions` where more than `at_most` would be: then nothing is stopped.
    """
    state, gone = states.load(paths), []  # type: Tuple[State, Cut]
    stopped: List[Place] = []
    for slot in slots.every(config, state, paths):
        if Place(slot.number, slot.release) == target and slot.running and not slot.adopted:
            _reopen(config, paths, slot)
        elif slot.running or slot.process.returning:
            gone += _cut(config, paths, slot, at_most=at_most) if slot.running else []
            stopped.append(Place(slot.number, slot.release))
            drain.stop(paths, state, slot)
    try:
        _launch(config, paths, target, conf=conf)
    except Answered:
        for place in stopped:
            _launch(config, paths, place)
        raise
    return gone


def _reopen(config: Config, paths: Paths, slot: slots.Slot) -> None:
    """It never stopped, and may have been told to let nobody in. Or it was just being stopped: then let that end."""
    try:
        reload.again(config, paths, slot)
    except (Answered, OSError):
        supervise.stop(paths, slot.number)


def look(config: Config, paths: Paths) -> str:
    """What `keep` does each round: end a trial that is over or dead, start what must serve. A sentence, or ""."""
    with locks.held(paths.run, locks.STEER, wait=0.0):
        state = states.load(paths)
        if state.replaced is not None:
            return _end(config, paths, state)
        place = state.committed
        if place is None or place.release == "adopted" or _taken(config, state, paths):
            return ""
        _launch(config, paths, place)
    return f"The committed release {place.release} was not running; it was started in slot {place.slot}."


def _taken(config: Config, state: State, paths: Paths) -> bool:
    found = slots.every(config, state, paths)
    return any(one.running or one.process.returning or one.process.failed for one in found)


def _end(config: Config, paths: Paths, state: State) -> str:
    trial: Any = state.replaced
    slot = slots.look(trial.slot, state, paths)
    lives = slot.running or slot.process.returning
    if lives and left(state):
        return ""
    gone = _turn_back(config, paths, trial.back)
    with states.changing(paths) as kept:
        kept.replaced = None
    why = "nobody committed it in time" if lives else "it ended, or this machine started anew"
    say = f"{slot.release} was on trial in slot {trial.slot} and {why}"
    return f"{say}; {trial.back.release} serves again in slot {trial.back.slot}. {cut_said(gone)}"
