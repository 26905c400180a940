"""What the lab has made on this machine, written down before it is made: it can be taken down after any death."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.commands import LabError, run

BASE = Path("/run/handover-lab")
PLACES = 8


def started_at(pid: int) -> int:
    """The start time of a process in clock ticks since boot (proc(5), field 22), 0 when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


class Place:
    """One of a few places for a lab on this machine: its number, its folder, and the record of what stands there.

    The number makes names and addresses differ, so tests can run beside a demo.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.folder = BASE / str(number)
        self.disk = self.folder / "disk"
        self._record = self.folder / "made.jsonl"
        self._owner = self.folder / "owner.json"

    @property
    def prefix(self) -> str:
        """How the names of this place's namespaces and links in the root namespace begin."""
        return "ho-" if self.number == 0 else f"ho{self.number}-"

    def taken_by(self) -> str:
        """Why this place cannot be had: a sentence, or "" when it is free or holds only a dead lab's remains."""
        owner = self.owner()
        if owner.get("detached"):
            return "A lab is already up; script/lab status shows it, script/lab down ends it."
        if self.in_use():
            return f"A lab is already up; process {owner['pid']} uses it and takes it down when it ends."
        return ""

    def in_use(self) -> bool:
        """Whether the process that built the lab here still lives and has not detached from it."""
        owner = self.owner()
        return bool(owner) and not owner["detached"] and started_at(owner["pid"]) == owner["start"]

    def owner(self) -> dict[str, Any]:
        """Whose lab stands here: pid, start, token, detached; empty when none."""
        try:
            owner: dict[str, Any] = json.loads(self._owner.read_text())
        except (OSError, ValueError):
            return {}
        return owner

    def claim(self) -> None:
        """Take this place, or raise LabError with the reason; cleans up what a dead lab left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if reason := self.taken_by():
                raise LabError(reason)
            self.clean()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._own(token=secrets.token_hex(8), detached=False)

    def detach(self) -> None:
        """Leave the lab standing when this process ends."""
        self._own(token=self.owner()["token"], detached=True)

    def _own(self, *, token: str, detached: bool) -> None:
        me = os.getpid()
        owner = {"pid": me, "start": started_at(me), "token": token, "detached": detached}
        half = self._owner.with_suffix(".half")
        half.write_text(json.dumps(owner))
        half.replace(self._owner)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (BASE / f"{self.number}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def note(self, kind: str, name: str) -> None:
        """Write down a `netns`, `link`, `mount` or `cgroup` before it is made."""
        with self._record.open("a") as record:
            record.write(json.dumps([kind, name]) + "\n")

    def _noted(self, kind: str) -> list[str]:
        if not self._record.exists():
            return []
        lines = [json.loads(line) for line in self._record.read_text().splitlines()]
        return list(dict.fromkeys(name for made, name in reversed(lines) if made == kind))

    def clean(self) -> None:
        """Take down everything written down here. Safe to call any number of times."""
        spaces = [name for name in self._noted("netns") if Path("/run/netns", name).exists()]
        end_processes_in(spaces)
        for name in spaces:
            _quietly(["ip", "netns", "delete", name])
        for name in self._noted("link"):
            if Path("/sys/class/net", name).exists():
                _quietly(["ip", "link", "delete", name])
        for path in self._noted("mount"):
            if os.path.ismount(path):
                _quietly(["umount", "-l", path])
        for path in self._noted("cgroup"):
            _remove_cgroup(Path(path))
        shutil.rmtree(self.folder, ignore_errors=True)


def end_processes_in(spaces: list[str]) -> None:
    """Kill, by id, every process whose network namespace is one of the named ones; wait until they are gone."""
    inodes = {os.stat(Path("/run/netns", name)).st_ino for name in spaces}
    for _ in range(200):
        pids = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _netns_of(pid) in inodes]
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _netns_of(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return -1


def _remove_cgroup(path: Path) -> None:
    for folder, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _quietly(argv: list[str]) -> None:
    with contextlib.suppress(LabError):
        run(argv)


def places() -> list[Place]:
    """All places of this machine."""
    return [Place(number) for number in range(PLACES)]
