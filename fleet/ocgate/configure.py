"""`configure`, `agree`, `reload`: the operator's configuration travels like a release.

Brought and judged first; used by `check` and `start` in a free slot, or reloaded where ocserv can; agreed by `commit`.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from . import confs, derive, locks, oddlines, options, slots, start, statement
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Refused, Retry
from .paths import Paths
from .run import run

READY_SECONDS = 10.0
LOCK = "steer"


def configure(call: Call) -> Result:
    """Keep a configuration. What one person may not change needs a statement that approvers signed over its digest."""
    text, sha256 = call.args["conf"], call.args["sha256"]
    if confs.sha256_of(text) != sha256:
        raise Refused("conf_hash", f"The configuration has the digest {confs.sha256_of(text)[:12]}, not {sha256[:12]}.")
    with locks.held(call.paths.run, LOCK, wait=5.0):
        states.admit(call.paths, call.fence)
        old = confs.agreed(call.config, call.paths)
        state = states.load(call.paths)
        word = _word(call, sha256)
        if sha256 != state.agreed_sha256 and sha256 not in state.agreed_before:
            _refuse_unreadable(text)
            if not word:
                confs.refuse_beyond(old, text)
        already = confs.keep(call.paths, text)
        if word:
            states.write_object(call.paths.conf_word(sha256), {"approvers": word, "at": time.time()})
        confs.prune(call.paths, brought=sha256)
    changed = options.names(options.changed(old, text))
    return {"sha256": sha256, "already": already, "changed": changed, "way": options.way(old, text)}


def _word(call: Call, sha256: str) -> List[str]:
    """The approvers whose signed statement names this configuration; none when there is no statement."""
    text = call.args.get("statement", "")
    if not text:
        return []
    names = statement.approved(text, call.args.get("signatures", []), call.paths.trust, kind="config")
    fields: Dict[str, Any] = statement.read(text, call.paths.trust, kind="config")
    if fields.get("sha256") != sha256:
        raise Refused("statement_bad", "The config statement names another configuration.")
    return names


def _refuse_unreadable(text: str) -> None:
    if bad := oddlines.bad_character(text):
        raise Refused("conf_bad", f"The configuration holds the character {bad}, at which readers may cut a line.")


def agree(call: Call) -> Result:
    """Make a kept configuration the agreed one and write the operator's file; no slot is touched."""
    sha256: str = call.args["conf"]
    with locks.held(call.paths.run, LOCK, wait=5.0):
        states.admit(call.paths, call.fence)
        confs.usable(call.config, call.paths, sha256)
        already = confs.agree(call.config, call.paths, sha256)
    return {"agreed_sha256": sha256, "already": already}


def reload(call: Call) -> Result:
    """Let the slot's ocserv read another configuration; its sessions stay. Only for what ocserv reads again."""
    number, sha256 = call.args["slot"], call.args["conf"]
    with locks.held(call.paths.run, f"slot-{number}", wait=2.0):
        states.admit(call.paths, call.fence)
        start.refuse_changed_conf(call.config, call.paths)
        already = load_again(call.config, call.paths, number, sha256=sha256)
    return {"slot": number, "conf": sha256, "already": already}


def load_again(config: Config, paths: Paths, number: int, *, sha256: str) -> bool:
    """Reload a slot with a configuration; whether it ran with it already. The caller holds the slot.

    An ocserv that can't read its configuration on a reload ends itself and everybody on it, so it is tested first.
    """
    state = states.load(paths)
    slot = slots.running(number, config, state, paths)
    old = confs.of_slot(state, number)
    if slot.adopted:
        raise Refused("not_reloadable", f"Slot {number} holds the ocserv from before ocgate; it is not ours to reload.")
    text = confs.usable(config, paths, sha256)
    if old == sha256:
        return True
    if options.way(confs.usable(config, paths, old), text) == "restart":
        raise Refused("not_reloadable", "ocserv would not notice all of the difference; start it in a free slot.")
    derived = derive.derive(text, start.place_of(config, paths, number))
    _tested(paths.release(slot.release) / "sbin" / "ocserv", derived)
    states.write_spared(paths, paths.slot_conf(number), derived, mode=0o640)
    os.kill(slot.process.pid, signal.SIGHUP)
    _await_answer(config, paths, number)
    with states.changing(paths) as kept:
        place = kept.slots[number]
        place.before = place.before if confs.brought_by(kept, number) else old
        place.conf, place.brings = sha256, sha256 != kept.agreed_sha256
    return False


def _tested(ocserv: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ocgate-reload-") as scratch:
        path = Path(scratch, "ocserv.conf")
        path.write_text(text)
        done = run([str(ocserv), "-t", "-c", str(path)], timeout=15)
    if done.code != 0:
        raise Refused("conf_refused", f"The running release refuses the configuration: {done.last_line[:300]}.")


def _await_answer(config: Config, paths: Paths, number: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        slot = slots.running(number, config, states.load(paths), paths)
        if slots.control_of(slot).status():
            return
        time.sleep(0.05)
    raise Retry("not_ready", f"The ocserv in slot {number} was told to reload and does not answer yet.")
