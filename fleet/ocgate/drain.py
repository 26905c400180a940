"""`sessions`, `drain` and `retire`: who is on a slot, and ending it. `keep` looks too, so that idleness is known."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import Dict, FrozenSet, List

from . import locks, replaced, slots, supervise, table
from . import state as states
from .call import Call, Result
from .config import Config, own_addresses
from .errors import Answered, Refused
from .occtl import Cookie, Session
from .paths import Paths
from .restore import strangers
from .run import run

IDLE_SECONDS = 60.0
GOODBYE_SECONDS = 5.0


def sessions(call: Call) -> Result:
    """Connected sessions of all slots that run; `not_ready` while one of them does not answer."""
    state, ours = states.load(call.paths), own_addresses(call.config)
    found = []
    for slot in slots.every(call.config, state, call.paths):
        if slot.running:
            users = slots.control_of(slot).users()
            found += [_shown(slot.number, user) for user in users if user.remote not in ours]
    return {"at": time.time(), "sessions": found}


def _shown(number: int, session: Session) -> Dict[str, object]:
    return {
        "slot": number,
        "id": session.id,
        "user": session.user,
        "remote": session.remote,
        "since": session.since,
        "vpn_ip": session.vpn_ip,
    }


def drain(call: Call) -> Result:
    """What is left on a slot. `cookies`: valid sessions that are not connected now (an outage, or just signing in)."""
    number: int = call.args["slot"]
    state = states.load(call.paths)
    call.config.slot(number)
    slot = slots.look(number, state, call.paths)
    if not slot.running:
        return {"slot": number, "sessions": 0, "oldest_seconds": 0, "idle": 0, "cookies": 0, "clients": {}}
    control = slots.control_of(slot)
    users = control.users()
    now = time.time()
    waiting = _waiting(users, control.cookies(), ours=own_addresses(call.config))
    oldest = max((now - user.since for user in users if user.since), default=0.0)
    idle = idleness(call.paths, number, users)
    return {
        "slot": number,
        "sessions": len(users),
        "oldest_seconds": round(max(0.0, oldest)),
        "idle": sum(1 for seconds in idle.values() if seconds >= IDLE_SECONDS),
        "cookies": len(waiting),
        "clients": dict(Counter(user.agent or "unknown" for user in users)),
        **({"users": [_left(user, idle[user.id]) for user in idlest(users, idle)]} if "names" in call.args else {}),
    }


def _left(user: Session, idle: float) -> Dict[str, object]:
    seen = {"idle_seconds": int(idle), "since": user.since, "rx": user.rx, "tx": user.tx}
    return {"id": user.id, "user": user.user, **seen}


def _waiting(users: List[Session], cookies: List[Cookie], *, ours: FrozenSet[str]) -> List[Cookie]:
    connected = {user.id for user in users}
    return [cookie for cookie in cookies if cookie.id not in connected and cookie.remote not in ours]


def idlest(users: List[Session], idle: Dict[str, float]) -> List[Session]:
    """Whom an end costs least comes first: idle the longest, then the least bytes. Pure."""
    return sorted(users, key=lambda user: (-idle.get(user.id, 0.0), user.moved))


def look(config: Config, paths: Paths) -> None:
    """Note whose counters have moved on each slot that runs: idleness is known only as far as somebody looked."""
    for slot in slots.every(config, states.load(paths), paths):
        if slot.running:
            with suppress(Answered):
                idleness(paths, slot.number, slots.control_of(slot).users())


def idleness(paths: Paths, number: int, users: List[Session]) -> Dict[str, float]:
    """Session → seconds for which its byte counters have stood still, as far as somebody looked."""
    path = paths.run / f"moved-{number}.json"
    # The boot's clock: a clock that is set must not make anybody idle.
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    with locks.held(paths.run, f"moved-{number}", wait=2.0):
        before = states.read_object(path)
        seen = {}
        for user in users:
            last = before.get(user.id)
            same = isinstance(last, list) and len(last) == 2 and last[0] == user.moved
            seen[user.id] = [user.moved, last[1] if same and isinstance(last, list) else now]
        states.write_object(path, seen)
    return {id: max(0.0, now - since) for id, (_, since) in seen.items()}


def retire(call: Call) -> Result:
    """Stop a slot that gets no new clients; at most `cut_at_most` users are cut, through occtl first."""
    number: int = call.args["slot"]
    call.config.slot(number)
    with locks.held(call.paths.run, f"slot-{number}", wait=2.0):
        states.admit(call.paths, call.fence)
        state = states.load(call.paths)
        slot = slots.look(number, state, call.paths)
        if not slot.running:
            # Given up after its restarts, it is no process either, and yet its slot is not free.
            if slot.process.returning or slot.process.failed:
                _refuse_in_use(state, number)
                supervise.stop(call.paths, number)
            _forget_slot(call, number)
            return {"slot": number, "cut": [], "already": True}
        _refuse_in_use(state, number)
        gone = cut(call.paths, slot, call.args["cut_at_most"])
        stop(call.paths, state, slot)
        _forget_slot(call, number)
    return {"slot": number, "cut": gone, "already": False}


def _refuse_in_use(state: states.State, number: int) -> None:
    trial = replaced.trial_of(state) or table.trial_of(state, table.read())
    weights = slots.weights_now(state, trial=trial)
    if weights.get(number):
        raise Refused("slot_busy", f"Slot {number} gets {weights[number]} % of the new clients; shift them away first.")
    if state.committed is not None and state.committed.slot == number:
        raise Refused("slot_busy", f"Slot {number} is the committed one; commit another before it is retired.")


def cut(paths: Paths, slot: slots.Slot, at_most: int) -> List[Dict[str, str]]:
    """End what may be ended, the idlest first; who it was."""
    users = may_end(slot, at_most)
    ordered = idlest(users, idleness(paths, slot.number, users))
    for user in ordered:
        slots.control_of(slot).disconnect(user.worker)
    _await_gone(slot)
    return [{"id": user.id, "user": user.user} for user in ordered]


def may_end(slot: slots.Slot, at_most: int) -> List[Session]:
    """Who would be cut. Refused when more users than allowed are connected.

    Cookies alone do not hold a slot: 1.1.6 with two sec-mods keeps them after a sign-out until they expire.
    """
    try:
        users = slots.control_of(slot).users()
    except Answered as silent:
        if at_most > 0:
            return []
        raise Refused("has_sessions", f"Slot {slot.number} does not say who is on it: {silent.say}") from silent
    if len(users) > at_most:
        say = f"Slot {slot.number} has {len(users)} users, and {at_most} may be cut. It goes on."
        raise Refused("has_sessions", say)
    return users


def _await_gone(slot: slots.Slot) -> None:
    # RADIUS accounting closes with the session, not with the process.
    deadline = time.monotonic() + GOODBYE_SECONDS
    while time.monotonic() < deadline:
        try:
            if not slots.control_of(slot).users():
                return
        except Answered:
            return
        time.sleep(0.1)


def stop(paths: Paths, state: states.State, slot: slots.Slot) -> None:
    """End a slot's ocserv. An adopted one must not come back by itself."""
    if not slot.adopted:
        supervise.stop(paths, slot.number)
        return
    old = state.adopted
    if old is not None and old.unit and supervise.has_systemd():
        run(["systemctl", "stop", old.unit], timeout=30)
        run(["systemctl", "mask", old.unit], timeout=20)
    else:
        slots.control_of(slot).stop()
    deadline = time.monotonic() + 20
    while supervise.alive(slot.process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)


def _forget_slot(call: Call, number: int) -> None:
    """Nobody belongs to a slot that is gone."""
    slot = call.config.slot(number)
    addresses = frozenset(filter(None, (slot.ipv4, slot.ipv6)))
    learnt = table.read().learnt
    doomed = strangers(learnt, addresses=addresses, known=frozenset())
    state = states.load(call.paths)
    if state.adopted is not None and state.adopted.slot == number:
        doomed["adopted4"], doomed["adopted6"] = list(learnt.adopted4), list(learnt.adopted6)
    table.forget(doomed)
