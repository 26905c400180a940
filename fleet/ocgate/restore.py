"""`restore`: back to the committed or the previous slot. One transaction while that slot still runs."""

from __future__ import annotations

import ipaddress
import time
from typing import Dict, FrozenSet, List

from . import confs, locks, reload, slots, start, steer, supervise, table, turns
from . import state as states
from .call import Call, Result
from .config import Config, own_addresses
from .errors import Answered, Refused
from .nft import Learnt
from .paths import Paths
from .run import run
from .state import Place, State


def restore(call: Call) -> Result:
    """Steer new clients back, the slot started first if it must be; then forget who has nothing on the bad one."""
    began = time.monotonic()
    turns.take(call.paths)
    with locks.held(call.paths.run, steer.LOCK, wait=5.0):
        states.admit(call.paths, call.fence)
        state = states.load(call.paths)
        target = target_of(state, call.args["to"])
        conf = conf_of(state, call.args["to"])
        to, started = _running(call, state, target, conf=conf)
        if conf:
            # Before the steering forgets which one it was; both are milliseconds.
            confs.agree(call.config, call.paths, conf)
        reloaded = _unloaded(call, to, conf=conf)
        seen = table.read()
        there = _is_there(state, to) and (state.restored or call.args["to"] == "committed")
        already = there and seen.present and not (seen.trial_left or started or reloaded)
        applied = time.time()
        if not already:
            bad, back = _bad(state, to), call.args["to"] == "previous"
            applied = steer.settle(call.config, call.paths, to=to, present=seen.present, distrust=bad, back=back)
        ms = (time.monotonic() - began) * 1000
        forgotten = forget_strangers(call.config, call.paths)
    return {
        "slot": to.slot,
        "release": to.release,
        "weights": {str(to.slot): 100},
        "started": started,
        "forgotten": forgotten,
        "ms": round(ms, 1),
        "applied_at": applied,
        "already": already,
    }


def target_of(state: State, to: str) -> Place:
    """Where `committed` or `previous` is; raises `nothing_to_restore`."""
    target = state.previous if to == "previous" and not state.restored else state.committed
    if target is None:
        raise Refused(
            "nothing_to_restore",
            f"This gateway has no {to} slot to go back to; new clients stay where they are.",
        )
    return target


def conf_of(state: State, to: str) -> str:
    """SHA-256 of the configuration that was agreed with the target, when another one is now; else ""."""
    return state.previous_conf if to == "previous" and not state.restored else ""


def _unloaded(call: Call, to: Place, *, conf: str) -> bool:
    """Reload the target where another configuration was loaded into it since; whether that was needed."""
    state = states.load(call.paths)
    slot, there = state.slots.get(to.slot), state.loaded.get(to.slot)
    before = there.back if there is not None else slot.before if slot else ""
    if there is not None and conf and state.committed == to:
        before = conf  # on trial on top of a reload that was committed: both are taken back
    if not before or not (there is not None or confs.brought_by(state, to.slot) or conf == before):
        return False
    with locks.held(call.paths.run, f"slot-{to.slot}", wait=5.0):
        return not reload.load_again(call.config, call.paths, to.slot, sha256=before)


def _is_there(state: State, to: Place) -> bool:
    return state.committed == to and state.steady == {to.slot: 100}


def _bad(state: State, to: Place) -> List[int]:
    return [number for number in state.slots if number != to.slot]


def _running(call: Call, state: State, target: Place, *, conf: str) -> "tuple[Place, bool]":
    """The target where it runs, started if it must be; another slot when its own is taken."""
    slot = slots.look(target.slot, state, call.paths)
    if slot.running and slot.release == target.release:
        return target, False
    if target.release == "adopted":
        start_adopted(call.paths, state)
        return target, True
    number = target.slot if not slot.running else _free(call.config, state, call.paths)
    with locks.held(call.paths.run, f"slot-{number}", wait=5.0):
        start.launch(call.config, call.paths, release=target.release, number=number, conf=conf)
    return Place(number, target.release), True


def _free(config: Config, state: State, paths: Paths) -> int:
    for slot in slots.every(config, state, paths):
        if not slot.running:
            return slot.number
    raise Refused("no_slot_free", "All slots run another release; retire one before going back.")


def start_adopted(paths: Paths, state: State) -> None:
    """Start the ocserv from before ocgate again, by its unit."""
    old = state.adopted
    if old is None or not old.unit or not supervise.has_systemd():
        raise Refused("nothing_to_restore", "The adopted ocserv has ended and has no unit that could start it again.")
    run(["systemctl", "unmask", old.unit], timeout=20)
    done = run(["systemctl", "start", old.unit], timeout=30)
    pid = int(run(["systemctl", "show", "-p", "MainPID", "--value", old.unit], timeout=5).out.strip() or 0)
    if done.code != 0 or not pid:
        raise Refused("start_failed", f"{old.unit} did not start: {done.last_line[:300]}.")
    with states.changing(paths) as kept:
        if kept.adopted is not None:
            kept.adopted.pid = pid


def forget_strangers(config: Config, paths: Paths) -> int:
    """Take learnt clients without a valid session on a distrusted slot out of the kernel's memory; how many."""
    state = states.load(paths)
    seen = table.read()
    doomed: Dict[str, List[str]] = {}
    for number in table.distrusted(state):
        slot = config.slots.get(number)
        if slot is None:
            continue
        known = remotes_of(slots.look(number, state, paths), ours=own_addresses(config))
        addresses = frozenset(filter(None, (slot.ipv4, slot.ipv6)))
        for name, clients in strangers(seen.learnt, addresses=addresses, known=known).items():
            doomed.setdefault(name, []).extend(clients)
    return table.forget(doomed)


def remotes_of(slot: slots.Slot, *, ours: FrozenSet[str]) -> FrozenSet[str]:
    """The map keys of clients with a valid session there; none when that ocserv does not answer: they died with it."""
    if not slot.running:
        return frozenset()
    try:
        remotes = {cookie.remote for cookie in slots.control_of(slot).cookies()}
        return frozenset(map(key_of, remotes - ours)) - {""}
    except Answered:
        return frozenset()


def strangers(learnt: Learnt, *, addresses: FrozenSet[str], known: FrozenSet[str]) -> Dict[str, List[str]]:
    """Learnt clients of the slot with `addresses` that are not `known`, by map name. Pure."""
    found: Dict[str, List[str]] = {}
    for name, sticky in (("sticky4", learnt.sticky4), ("sticky6", learnt.sticky6)):
        clients = [client for client, (address, _) in sticky.items() if address in addresses and client not in known]
        if clients:
            found[name] = clients
    return found


def key_of(remote: str) -> str:
    """The key under which the kernel knows a client: its address, for IPv6 the first address of its /64. "" if none."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network(f"{address}/64", strict=False).network_address)
