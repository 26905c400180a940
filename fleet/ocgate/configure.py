"""`configure`, `agree`: the operator's configuration travels like a release.

Brought and judged first; used by `check` and `start` in a free slot, or reloaded where ocserv can (reload.py); agreed
by `commit`.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from . import confs, locks, oddlines, options, statement
from . import state as states
from .call import Call, Result
from .errors import Refused

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
        word, until = _word(call, sha256)
        if sha256 != state.agreed_sha256 and sha256 not in state.agreed_before:
            _refuse_unreadable(text)
            if not word:
                confs.refuse_beyond(old, text)
        already = confs.keep(call.paths, text)
        if word:
            states.write_object(call.paths.conf_word(sha256), {"approvers": word, "until": until})
        confs.prune(call.paths, brought=sha256)
    changed = options.names(options.changed(old, text))
    return {"sha256": sha256, "already": already, "changed": changed, "way": options.way(old, text)}


def _word(call: Call, sha256: str) -> Tuple[List[str], float]:
    """The approvers whose signed statement names this configuration, and until when it holds; none without one."""
    text = call.args.get("statement", "")
    if not text:
        return [], 0.0
    names = statement.approved(text, call.args.get("signatures", []), call.paths.trust, kind="config")
    fields: Dict[str, Any] = statement.read(text, call.paths.trust, kind="config")
    if fields.get("sha256") != sha256:
        raise Refused("statement_bad", "The config statement names another configuration.")
    return names, statement.moment(fields["expires"])


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
