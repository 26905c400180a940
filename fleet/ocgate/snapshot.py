"""`snapshot`: what a person needs to understand a failure, as one archive, secrets masked."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import time
from typing import Dict

from . import journal, known, mask, slots
from . import state as states
from .call import Call, Result
from .run import run

ARCHIVE_MAX = 3 * 1024 * 1024
FILE_MAX = 256 * 1024


def snapshot(call: Call) -> Result:
    """The archive in base64, its hash and the names in it."""
    secrets = known.secrets(call.config, call.paths)
    files = {name: mask.text(text, secrets)[-FILE_MAX:] for name, text in _collect(call).items()}
    data = _packed(files)
    while len(data) > ARCHIVE_MAX:
        files = {name: text[-len(text) // 2 :] for name, text in files.items()}
        data = _packed(files)
    return {
        "archive": base64.b64encode(data).decode(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "files": sorted(files),
    }


def _collect(call: Call) -> Dict[str, str]:
    paths = call.paths
    state = states.load(paths)
    files = {
        "nft-ruleset.txt": run(["nft", "list", "ruleset"], timeout=5).out,
        "addresses.txt": run(["ip", "address"], timeout=5).out + run(["ip", "route"], timeout=5).out,
        "processes.txt": run(["ps", "-eo", "pid,ppid,pgid,etimes,time,rss,stat,comm"], timeout=5).out,
        "state.json": journal.tail(paths.state),
        "ocgate.log": journal.tail(paths.log),
        "events.jsonl": journal.tail(paths.events),
        "ocserv.conf": journal.tail(call.config.ocserv_conf),
    }
    for slot in slots.every(call.config, state, paths):
        files.update(_of_slot(call, slot))
    return files


def _of_slot(call: Call, slot: slots.Slot) -> Dict[str, str]:
    name = f"slot-{slot.number}"
    files = {
        f"{name}/ocserv.conf": journal.tail(call.paths.slot_conf(slot.number)),
        f"{name}/ocserv.log": journal.tail(call.paths.slot_log(slot.number), most=FILE_MAX),
    }
    if slot.running and slot.control is not None:
        for words in (
            ["show", "status"],
            ["show", "users"],
            ["show", "sessions", "all"],
            ["show", "ip", "bans"],
        ):
            argv = [str(slot.control.program), "-s", str(slot.control.socket), "-n", "-j", *words]
            files[f"{name}/occtl-{'-'.join(words)}.txt"] = run(argv, timeout=3).out
    return files


def _packed(files: Dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
