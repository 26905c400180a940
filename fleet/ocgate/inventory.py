"""`inventory`: everything on this gateway that was once agreed, as it is now, so that drift can be seen. Reads only.

It hashes every file of every release, so it is slower than `facts` and asked more seldom.
"""

from __future__ import annotations

import base64
import calendar
import difflib
import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import VERSION, authorize, cms, confs, counter, mask, policy, receive, repin, slots, tree
from . import state as states
from .call import Call, Result
from .errors import Refused
from .paths import Paths
from .run import run
from .state import State

LOGINS_MOST = 50
DIFF_MOST = 64 * 1024
_AT = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-]\d\d):?(\d\d)"
# ocserv writes its users there too, with the tunnel for a terminal: they are no logins on the host.
_LOGIN = re.compile(rf"(\S+)\s+(?:pts/|tty|console|ssh|:)\S*\s+(\S+)\s+{_AT}\s+(?:-\s+{_AT}|(still|gone|-\s+\S+)).*")


def inventory(call: Call) -> Result:
    """All of it, in one answer."""
    paths, state = call.paths, states.load(call.paths)
    return {
        "at": time.time(),
        "ocgate": {"version": VERSION, "sha256": receive.sha256_of(paths.program)},
        "trust": _trust(paths),
        "conf": _conf(call, state),
        "releases": [_release(paths, folder) for folder in _folders(paths)],
        "slots": [_slot(slot, state, paths) for slot in slots.every(call.config, state, paths) if slot.running],
        "authorized_keys_sha256": receive.sha256_of(authorize.file(paths)),
        "counter": counter.highest(state, paths),
        "logins": logins(run(["last", "-w", "-i", "-n", "5000", "--time-format", "iso"], timeout=5).out),
    }


def logins(said: str) -> List[Dict[str, Any]]:
    """Who was signed in on the host, newest first, from what `last` said; no boots. Pure."""
    found = []
    for row in said.splitlines():
        seen = _LOGIN.fullmatch(row.rstrip())
        if seen and seen[1] not in ("reboot", "shutdown", "runlevel"):
            until = _epoch(seen[6], seen[7], seen[8]) if seen[6] else 0.0
            found.append({"user": seen[1], "from": seen[2], "at": _epoch(seen[3], seen[4], seen[5]), "until": until})
    return found[:LOGINS_MOST]


def key_fingerprint(key: str) -> str:
    """ "SHA256:…" as ssh-keygen -l shows it. Pure."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _folders(paths: Paths) -> List[Path]:
    found = sorted(paths.releases.iterdir()) if paths.releases.is_dir() else []
    return [folder for folder in found if folder.is_dir() and not folder.name.endswith(".partial")]


def _release(paths: Paths, folder: Path) -> Dict[str, Any]:
    digest = receive.sha256_of(folder / "manifest.json")
    return {
        "release": folder.name,
        "digest": digest,
        "tree": tree.of_folder(folder),
        "counter": counter.of(paths, folder.name),
    }


def _slot(slot: slots.Slot, state: State, paths: Paths) -> Dict[str, Any]:
    exe = _exe(slot.process.pid)
    return {
        "slot": slot.number,
        "release": slot.release,
        "version": slots.version_of(slot.release, state, paths),
        "exe": exe[: -len(" (deleted)")] if exe.endswith(" (deleted)") else exe,
        "exe_deleted": exe.endswith(" (deleted)"),
    }


def _exe(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _trust(paths: Paths) -> Dict[str, Any]:
    """What is pinned. A policy that can't be read is no reason to say nothing of the rest: its threshold is 0 then."""
    found: Dict[str, Any] = {"serial": 0, "threshold": 0, "signers": [], "cas": [], "approvers": []}
    pinned: Optional[policy.Policy] = None
    try:
        pinned = policy.read(paths.trust)
    except Refused as why:
        found["say"] = why.say
    if pinned is not None:
        found.update(
            serial=pinned.serial,
            threshold=pinned.threshold,
            signers=sorted(pinned.openpgp),
            cas=[_pinned_ca(ca, paths.trust) for ca in pinned.cas],
            approvers=sorted(key_fingerprint(key) for key in pinned.approvers.keys.values()),
        )
    return {**found, "sha256": policy.sha256_of(paths.trust)}


def _pinned_ca(ca: policy.Ca, trust: Path) -> Dict[str, str]:
    try:
        said = cms.pinned(ca, trust)
    except Refused:
        return {"subject": ca.file, "sha256": "", "crl_next_update": ""}
    until = repin.openssl_time(said["crl_next_update"])
    return {**said, "crl_next_update": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until)) if until else ""}


def _conf(call: Call, state: State) -> Dict[str, str]:
    """The operator's file against the agreed one; secrets are masked, but that one changed can be seen."""
    path = call.config.ocserv_conf
    try:
        now: Optional[str] = path.read_bytes().decode("utf-8", "replace")
    except OSError:
        now = None
    was, is_now = mask.pair(confs.agreed(call.config, call.paths), now or "")
    diff = difflib.unified_diff(was.splitlines(True), is_now.splitlines(True), "agreed", "on the host")
    return {
        "path": str(path),
        "sha256": receive.sha256_of(path),
        "agreed_sha256": state.agreed_sha256,
        "diff": "".join(diff)[:DIFF_MOST],
    }


def _epoch(moment: str, hours: str, minutes: str) -> float:
    seconds = calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%S"))
    offset = int(hours) * 3600 + int(hours[0] + minutes) * 60
    return float(seconds - offset)
