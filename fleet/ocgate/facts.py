"""`facts`: what this gateway is and does now. Cheap, and never hangs: every question has a deadline."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import (
    PROTOCOL,
    VERSION,
    ability,
    confs,
    counter,
    firewall,
    journal,
    loaded,
    locks,
    policy,
    receive,
    replaced,
    slots,
    start,
    table,
)
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Refused
from .metrics import connected
from .paths import Paths
from .run import run
from .state import State


def facts(call: Call) -> Result:
    """All of it, in one answer."""
    state = states.load(call.paths)
    seen = table.read()
    trial = table.trial_of(state, seen) if call.config.steers else replaced.trial_of(state)
    left = seen.trial_left if call.config.steers else replaced.left(state)
    weights = slots.weights_now(state, trial=trial)
    now = time.time()
    cannot = ability.why_not(call.config)
    return {
        **_machine(now),
        "steers": not cannot,
        "steers_why": cannot,
        "fence": state.fence,
        "committed": _place(state.committed),
        "previous": _place(state.previous),
        "trial": {"weights": _texts(trial), "until": now + left} if trial else None,
        "weights": _texts(weights),
        "slots": [_slot(slot, state, call.paths, weights) for slot in slots.every(call.config, state, call.paths)],
        "releases": _releases(call.paths),
        "disk": _disk(call.paths),
        "conntrack": _conntrack(),
        "firewall": {"table_present": seen.present, **firewall.habits(call.config)},
        "conf": _conf(call.config, state),
        "counter": counter.highest(state, call.paths),
        "ocgate_sha256": receive.sha256_of(call.paths.program),
        "trust_serial": _trust_serial(call.paths),
        "keep": {
            "running": locks.is_held(call.paths.run, "keep"),
            "events": journal.events(call.paths.events),
        },
    }


def _machine(now: float) -> Dict[str, Any]:
    uptime = Path("/proc/uptime").read_text().split()[0]
    return {
        "ocgate": VERSION,
        "protocol": PROTOCOL,
        "hostname": socket.gethostname(),
        "now": now,
        "boot_id": states.boot_id(),
        "uptime": float(uptime),
        "kernel": os.uname().release,
        "python": platform.python_version(),
        "nft": _nft_version(),
        "ip_forward": _number(Path("/proc/sys/net/ipv4/ip_forward")) == 1,
    }


def _nft_version() -> str:
    done = run(["nft", "--version"], timeout=2)
    words = done.out.split()
    return words[1].lstrip("v") if done.code == 0 and len(words) > 1 else ""


def _trust_serial(paths: Paths) -> int:
    """Of the pinned policy; -1 while that can't be read, and then nothing is installed either."""
    try:
        return policy.read(paths.trust).serial
    except Refused:
        return -1


def _place(place: Optional[states.Place]) -> Optional[Dict[str, Any]]:
    return {"slot": place.slot, "release": place.release} if place else None


def _texts(weights: Optional[Dict[int, int]]) -> Dict[str, int]:
    return {str(slot): weight for slot, weight in (weights or {}).items()}


def _slot(slot: slots.Slot, state: State, paths: Paths, weights: Dict[int, int]) -> Dict[str, Any]:
    count = connected(slot) if slot.running else 0
    answers = count is not None
    return {
        "slot": slot.number,
        "state": _slot_state(slot, state, weight=weights.get(slot.number, 0), answers=answers),
        "release": slot.release if slot.running or slot.process.failed else "",
        "version": slots.version_of(slot.release, state, paths) if slot.running else "",
        "pid": slot.process.pid,
        "sessions": count or 0,
        "weight": weights.get(slot.number, 0),
        "since": slot.process.since,
        "message": state.messages.get(slot.number, "") if slot.running else "",
        "restarts": slot.process.restarts,
        "conf": confs.of_slot(state, slot.number) if slot.running else "",
        "conf_until": time.time() + left if (left := loaded.left(state, slot.number)) and slot.running else None,
    }


def _slot_state(slot: slots.Slot, state: State, *, weight: int, answers: bool) -> str:
    if not slot.running:
        return "failed" if slot.process.failed else "idle"
    if slot.adopted:
        return "adopted"
    if not answers:
        return "starting"
    known = state.slots.get(slot.number)
    return "draining" if not weight and known is not None and known.steered else "serving"


def _releases(paths: Paths) -> List[Dict[str, str]]:
    found = []
    for folder in sorted(paths.releases.iterdir()) if paths.releases.is_dir() else []:
        if folder.is_dir() and not folder.name.endswith(".partial"):
            version = str(slots.manifest(folder).get("version", ""))
            digest = start.conf_sha256(folder / "manifest.json")
            found.append({"release": folder.name, "version": version, "digest": digest})
    return found


def _disk(paths: Paths) -> Dict[str, int]:
    usage = shutil.disk_usage(paths.lib)
    return {"free": usage.free, "total": usage.total}


def _conntrack() -> Dict[str, int]:
    folder = Path("/proc/sys/net/netfilter")
    return {"count": _number(folder / "nf_conntrack_count"), "max": _number(folder / "nf_conntrack_max")}


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _conf(config: Config, state: State) -> Dict[str, Any]:
    now = start.conf_sha256(config.ocserv_conf)
    agreed = state.agreed_sha256
    return {
        "path": str(config.ocserv_conf),
        "sha256": now,
        "agreed_sha256": agreed,
        "changed": bool(agreed) and now != agreed,
    }
