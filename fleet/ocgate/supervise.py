"""One ocserv per slot, supervised: by a systemd unit, or by a parent of our own where there is no systemd."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from . import loaded
from . import state as states
from .errors import Refused
from .paths import Paths
from .run import run

UNIT = "ocgate-slot@{}.service"
# As in the unit: more starts than this within BURST_SECONDS and the slot is given up as failed.
BURST, BURST_SECONDS, PAUSE = 5, 60.0, 1.0


@dataclass(frozen=True)
class Process:
    """What runs in a slot: `pid` of ocserv's main process or 0, `since` in epoch seconds.

    `returning`: it has ended and whoever supervises it starts it again; nobody else may.
    """

    pid: int
    restarts: int
    since: float
    failed: bool
    returning: bool = False


def has_systemd() -> bool:
    """True where systemd is the machine's first process."""
    return Path("/run/systemd/system").is_dir()


def program() -> List[str]:
    """How to call ourselves again: the zipapp, or the package in a checkout."""
    return [sys.executable, os.path.abspath(sys.argv[0])]


def start(paths: Paths, slot: int) -> None:
    """Start the slot's ocserv; the caller waits until it is ready."""
    if has_systemd():
        run(["systemctl", "reset-failed", UNIT.format(slot)], timeout=10)
        done = run(["systemctl", "start", "--no-block", UNIT.format(slot)], timeout=15)
        if done.code != 0:
            raise Refused("start_failed", f"systemd did not start slot {slot}: {done.last_line[:300]}.")
        return
    paths.slot_run(slot).mkdir(parents=True, exist_ok=True)
    _record_file(paths, slot).unlink(missing_ok=True)
    subprocess.Popen(
        [*program(), "slot", str(slot), "--supervise"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def stop(paths: Paths, slot: int, *, timeout: float = 20.0) -> None:
    """Stop the slot's main process and wait; its users, if any, are cut."""
    if has_systemd():
        run(["systemctl", "stop", UNIT.format(slot)], timeout=timeout + 10)
        run(["systemctl", "reset-failed", UNIT.format(slot)], timeout=10)
        return
    record = _record(paths, slot)
    parent = int(record.get("supervisor", 0))
    if alive(parent):
        os.kill(parent, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while alive(parent) and time.monotonic() < deadline:
            time.sleep(0.05)
    _record_file(paths, slot).unlink(missing_ok=True)


def look(paths: Paths, slot: int) -> Process:
    """What runs in the slot now."""
    if has_systemd():
        return parse_unit(
            run(["systemctl", "show", UNIT.format(slot), f"--property={','.join(_SHOWN)}"], timeout=2).out
        )
    record = _record(paths, slot)
    pid = int(record.get("pid", 0))
    watched = alive(int(record.get("supervisor", 0)))
    running, failed = alive(pid) and watched, bool(record.get("failed", False))
    return Process(
        pid=pid if running else 0,
        restarts=int(record.get("restarts", 0)),
        since=float(record.get("since", 0)),
        failed=failed,
        returning=watched and not running and not failed,
    )


def main_pid(unit: str) -> int:
    """The main process of a unit that is not ours, 0 when it does not run: after a boot it has another pid."""
    if not unit or not has_systemd():
        return 0
    said = run(["systemctl", "show", "-p", "MainPID", "--value", unit], timeout=2).out.strip()
    return int(said) if said.isdigit() else 0


_SHOWN = ("MainPID", "NRestarts", "ActiveEnterTimestampMonotonic", "ActiveState", "Result")


def parse_unit(shown: str) -> Process:
    """Process from `systemctl show`. Monotonic microseconds, so a clock that jumps changes nothing."""
    fields = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    entered = int(fields.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    since = time.time() - (time.clock_gettime(time.CLOCK_MONOTONIC) - entered) if entered else 0.0
    return Process(
        pid=int(fields.get("MainPID") or 0),
        restarts=int(fields.get("NRestarts") or 0),
        since=since,
        failed=fields.get("ActiveState") == "failed",
        returning=fields.get("ActiveState") == "activating",
    )


def run_slot(paths: Paths, slot: int, *, watched: bool) -> int:
    """Become the slot's ocserv (what its unit runs), or stay as its parent."""
    place = states.load(paths).slots.get(slot)
    if place is None:
        raise Refused("unknown_release", f"No release was put into slot {slot}.")
    loaded.restarted(paths, slot)
    ocserv = str(paths.release(place.release) / "sbin" / "ocserv")
    usage = run([ocserv, "--help"], timeout=5)
    argv = [ocserv, "-f", *log_options(usage.out + usage.err), "-c", str(paths.slot_conf(slot))]
    paths.slot_run(slot).mkdir(parents=True, exist_ok=True)
    log = os.open(paths.slot_log(slot), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if not watched:
        os.execv(argv[0], argv)  # nosec B606 # a list of ours, no shell
    return Parent(paths, slot, argv).watch()


def log_options(usage: str) -> List[str]:
    """How this release is told to log to standard error: by itself until 1.2.2, by an option since. Pure."""
    return ["--log-stderr"] if "--log-stderr" in usage else []


class Parent:
    """Restarts a slot's ocserv when it fails, at most BURST times in BURST_SECONDS."""

    def __init__(self, paths: Paths, slot: int, argv: List[str], clock: Callable[[], float] = time.time) -> None:
        self._paths, self._slot, self._argv, self._clock = paths, slot, argv, clock
        self._child: Optional["subprocess.Popen[bytes]"] = None
        self._stopping = False

    def watch(self) -> int:
        """Run until told to stop; 0 then, 1 when given up."""
        signal.signal(signal.SIGTERM, self._stop)
        starts: List[float] = []
        total = -1
        while True:
            total += 1
            starts = [at for at in starts if self._clock() - at < BURST_SECONDS] + [self._clock()]
            if total:
                loaded.restarted(self._paths, self._slot)
            self._begin(restarts=total)
            code = self._child.wait() if self._child else 1
            if self._stopping or code == 0:
                return 0
            if len(starts) >= BURST:
                self._write(pid=0, restarts=total, failed=True)
                return 1
            time.sleep(PAUSE)

    def _begin(self, *, restarts: int) -> None:
        # A group of its own: ocserv's main ends its whole process group with SIGKILL.
        try:
            self._child = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as failure:
            print(f"{self._argv[0]}: {failure.strerror}", file=sys.stderr, flush=True)
            self._child = None
        self._write(pid=self._child.pid if self._child else 0, restarts=restarts, failed=False)

    def _stop(self, _signal: int, _frame: Any) -> None:
        self._stopping = True
        if self._child:
            self._child.terminate()

    def _write(self, *, pid: int, restarts: int, failed: bool) -> None:
        record = {
            "supervisor": os.getpid(),
            "pid": pid,
            "restarts": restarts,
            "since": self._clock(),
            "failed": failed,
        }
        states.write_whole(_record_file(self._paths, self._slot), json.dumps(record))


def alive(pid: int) -> bool:
    """True while `pid` runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return pid > 0 and stat.rsplit(")", 1)[1].split()[0] not in ("Z", "X")


def _record_file(paths: Paths, slot: int) -> Path:
    return paths.run / f"slot-{slot}.json"


def _record(paths: Paths, slot: int) -> Dict[str, Any]:
    try:
        raw = json.loads(_record_file(paths, slot).read_text())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
