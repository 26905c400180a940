"""`metrics` and `watch`: counters of each slot that runs, since its start.

occtl's own counters of failed sign-ins lag by up to 310 s (reference, "Semantics"), so they come from the slot's log.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional

from . import slots
from . import state as states
from .call import Call, Result
from .config import own_addresses
from .errors import Answered
from .paths import Paths

LOGIN = re.compile(r"\bmain\[[^\]]*\]:(\S+):\d+ user logged in")
FAILED = re.compile(r"worker\[?[^\]]*\]?: (\S+) .*failed authentication (?:attempt )?for ")
LOG_MAX = 32 * 1024 * 1024
# A worker that speaks for itself on standard error did not get as far as ocserv's log.
ERROR = re.compile(
    r"^ocserv-worker: |error while loading shared libraries|exec .* failed"
    r"|user disconnected \(reason: (?:unspecified|DPD timeout)|failed cookie authentication"
)


@dataclass
class Tally:
    """Counts of one log file, read on from where the last look ended."""

    inode: int = 0
    offset: int = 0
    logins: int = 0
    failures: int = 0
    errors: int = 0

    def read(self, path: Path, *, ours: FrozenSet[str]) -> None:
        """Count what was added; a new or shortened file from its beginning. `ours`: addresses that probes come from."""
        try:
            with path.open("rb") as log:
                now = os.fstat(log.fileno())
                if now.st_ino != self.inode or now.st_size < self.offset:
                    self.inode, self.offset, self.logins, self.failures, self.errors = now.st_ino, 0, 0, 0, 0
                log.seek(self.offset)
                for raw in log:
                    if not raw.endswith(b"\n"):
                        break
                    self.offset += len(raw)
                    self._count(raw.decode("utf-8", "replace"), ours)
        except OSError:
            return

    def _count(self, line: str, ours: FrozenSet[str]) -> None:
        login, failed = LOGIN.search(line), FAILED.search(line)
        # Our own probes are no traffic: a slot that only they use must show as one without evidence.
        if login:
            self.logins += login.group(1) not in ours
        elif failed:
            self.failures += failed.group(1) not in ours
        elif ERROR.search(line):
            self.errors += 1


def counted(paths: Paths, number: int, *, ours: FrozenSet[str], tally: Tally) -> Tally:
    """What the slot's log says since its start, the parts that were rotated away included."""
    tally.read(paths.slot_log(number), ours=ours)
    gone = states.read_object(paths.slot_tally(number))
    return replace(
        tally,
        logins=tally.logins + int(gone.get("logins", 0)),
        failures=tally.failures + int(gone.get("failures", 0)),
        errors=tally.errors + int(gone.get("errors", 0)),
    )


def rotate(paths: Paths, number: int, *, ours: FrozenSet[str]) -> bool:
    """Empty a slot's log that has grown over LOG_MAX, its counts kept; its ocserv holds it open and goes on in it."""
    log = paths.slot_log(number)
    if not log.exists() or log.stat().st_size <= LOG_MAX:
        return False
    total = counted(paths, number, ours=ours, tally=Tally())
    shutil.copyfile(log, log.with_name(log.name + ".1"))
    kept = {"logins": total.logins, "failures": total.failures, "errors": total.errors}
    states.write_object(paths.slot_tally(number), kept)
    os.truncate(log, 0)
    return True


def metrics(call: Call) -> Result:
    """One sample."""
    return _sample(call, {})


def watch(call: Call) -> Result:
    """A sample each `every` seconds for `seconds`, as progress lines."""
    tallies: Dict[int, Tally] = {}
    deadline = time.monotonic() + call.args["seconds"]
    samples = 0
    while True:
        call.send({"progress": "metrics", "metrics": _sample(call, tallies)})
        samples += 1
        left = deadline - time.monotonic()
        if left <= call.args["every"]:
            return {"samples": samples}
        time.sleep(call.args["every"])


def _sample(call: Call, tallies: Dict[int, Tally]) -> Result:
    state = states.load(call.paths)
    found = []
    for slot in slots.every(call.config, state, call.paths):
        if slot.running:
            tally = tallies.setdefault(slot.number, Tally())
            total = counted(call.paths, slot.number, ours=own_addresses(call.config), tally=tally)
            count = connected(slot)
            # Left out while its ocserv does not answer: no evidence is not the same as nobody.
            if count is not None:
                version = slots.version_of(slot.release, state, call.paths)
                found.append({**_slot(slot, total), "version": version, "sessions": count})
    return {"at": time.time(), "slots": found}


def _slot(slot: slots.Slot, tally: Tally) -> Dict[str, object]:
    pids = processes(slot.process.pid)
    status = slots.control_of(slot).status() or {}
    return {
        "slot": slot.number,
        "release": slot.release,
        "logins": tally.logins,
        "auth_failures": tally.failures,
        "session_errors": tally.errors,
        "cpu_seconds": round(sum(map(cpu_seconds, pids)), 2),
        "rss_bytes": sum(map(rss_bytes, pids)),
        "open_files": sum(map(open_files, pids)),
        "restarts": slot.process.restarts,
        "up_since": float(status.get("raw_up_since") or slot.process.since),
    }


def connected(slot: slots.Slot) -> Optional[int]:
    """Users on the slot; None when its ocserv does not answer, which is not the same as nobody."""
    try:
        return len(slots.control_of(slot).users())
    except Answered:
        return None


def processes(main: int) -> List[int]:
    """The main process and all its descendants."""
    children: Dict[int, List[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            children.setdefault(_parent(int(entry)), []).append(int(entry))
    found, todo = [], [main]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def _stat(pid: int) -> List[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its ended children's included (proc(5): fields 14 to 17)."""
    fields = _stat(pid)
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def rss_bytes(pid: int) -> int:
    """Resident memory of a process, shared pages counted with each."""
    fields = _stat(pid)
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def open_files(pid: int) -> int:
    """Open file descriptors of a process."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
