"""A machine in namespaces of its own, with systemd as PID 1 where that runs: power on and off, run a command in it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.commands import LabError, run, tried, wait_until
from lab.state import Place, started_at

BOOT = Path(__file__).parent / "boot.sh"
PLAIN = Path(__file__).parent / "plain_init.sh"
OCGATE_DISK = "size=512m"


def cgroup_root() -> Path | None:
    """Where the host mounts cgroup2; None when it does not, or when HANDOVER_LAB_INIT=plain asks to do without."""
    if os.environ.get("HANDOVER_LAB_INIT") == "plain" or not Path("/lib/systemd/systemd").exists():
        return None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


class Machine:
    """One machine: `home` holds its disk (upper layer, /var/lib/ocgate, console) and outlives a reboot."""

    def __init__(self, place: Place, name: str, space: str) -> None:
        self.place, self.name, self.space = place, name, space
        self.home = place.disk / name
        self.upper = self.home / "upper"
        root = cgroup_root()
        self._cgroup = root / f"{place.prefix}{name}" if root else None
        self._shell: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the machine's disk; /var/lib/ocgate is a small file system of its own, so that it can fill up."""
        ocgate = self.home / "ocgate"
        ocgate.mkdir(parents=True)
        self.place.note("mount", str(ocgate))
        run(["mount", "-t", "tmpfs", "-o", OCGATE_DISK, "tmpfs", str(ocgate)])
        for folder in ("etc/systemd/system", "etc/ssh", "var/log"):
            (self.upper / folder).mkdir(parents=True)
            # Opaque: nothing of the host's folder shows through.
            os.setxattr(self.upper / folder, "trusted.overlay.opaque", b"y")

    def power_on(self) -> None:
        """Boot, without waiting for it."""
        (self.home / "console").write_bytes(b"")
        inside = '[ -z "$1" ] || echo $$ > "$1/cgroup.procs"; shift; exec "$@"'
        # A time namespace of its own, so that the machine's uptime begins at its boot.
        uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
        clocks = ["-T", "--boottime", str(-uptime)]
        unshare = ["unshare", "-m", "-u", "-i", "-p", "-C", *clocks, "-f", "--kill-child", "sh", str(BOOT)]
        with (self.home / "boot.log").open("wb") as log:
            self._shell = subprocess.Popen(
                ["sh", "-c", inside, "sh", self._own_cgroup(), "nsenter", f"--net=/run/netns/{self.space}", *unshare]
                + [str(self.home), self.name, "" if self.systemd else str(PLAIN)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.home / "shell.pid").write_text(str(self._shell.pid))

    @property
    def systemd(self) -> bool:
        """Whether PID 1 is systemd; otherwise it is plain_init.sh, and ocgate supervises its slots itself."""
        return self._cgroup is not None

    def _own_cgroup(self) -> str:
        """Make the cgroup that systemd takes for the root of all; "" without systemd."""
        if self._cgroup is None:
            return ""
        self.place.note("cgroup", str(self._cgroup))
        self._cgroup.mkdir(exist_ok=True)
        return str(self._cgroup)

    @property
    def init(self) -> int:
        """The host's number for the machine's PID 1; 0 when it is off."""
        try:
            shell = int((self.home / "shell.pid").read_text())
            children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        except (OSError, ValueError):
            return 0
        return int(children[0]) if children and started_at(int(children[0])) else 0

    @property
    def live(self) -> Path:
        """The root of the running machine's file system, seen from the host."""
        return Path(f"/proc/{self.init}/root")

    def wait_booted(self, seconds: float = 40) -> None:
        """Wait until systemd (or the plain script) has started all; LabError with the boot log if it ends before."""

        def booted() -> bool:
            if self._shell is not None and self._shell.poll() is not None:
                said = (self.home / "boot.log").read_text()[-300:]
                raise LabError(f"{self.name} did not boot: {said.strip() or 'systemd ended'}")
            return self._systemd_answers() if self.systemd else (self.live / "run/lab-booted").exists()

        wait_until(booted, seconds=seconds, what=f"The boot of {self.name}", every=0.1)

    def _systemd_answers(self) -> bool:
        try:
            state = self.run(["sh", "-c", "systemctl is-active multi-user.target || true"], seconds=10)
        except LabError:
            return False
        return state.strip() == b"active"

    def run(self, argv: Sequence[str], *, stdin: str | bytes = b"", seconds: float = 60) -> bytes:
        """Run a command as root inside; its stdout. LabError when it fails or the machine is off."""
        if not (pid := self.init):
            raise LabError(f"{self.name} is switched off.")
        return run(["nsenter", "--target", str(pid), "--all", *argv], stdin=stdin, seconds=seconds)

    def write(self, path: str, data: str | bytes, *, mode: int = 0o644) -> None:
        """Write a file of the machine that is off (into its upper layer)."""
        target = self.upper / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        target.chmod(mode)

    def hide(self, paths: Sequence[str]) -> None:
        """Take files of the host out of the machine that is off: overlayfs knows them as deleted."""
        for path in paths:
            target = self.upper / path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.mknod(target, 0o600 | stat.S_IFCHR, os.makedev(0, 0))

    def power_off(self) -> None:
        """Cut the power: every process of the machine ends at once. Nothing is flushed that was not on disk."""
        if pid := self.init:
            os.kill(pid, signal.SIGKILL)
        self.reap()
        wait_until(lambda: not self.init, seconds=20, what=f"Switching off {self.name}")
        if self._cgroup is not None:
            tried(self._free_cgroup, times=40, pause=0.05)

    def reap(self) -> None:
        """Collect the process that held a machine which is off now."""
        if self._shell is not None:
            self._shell.wait(20)

    def _free_cgroup(self) -> None:
        for folder, _, _ in os.walk(str(self._cgroup), topdown=False):
            try:
                os.rmdir(folder)
            except OSError as busy:
                raise LabError(f"{folder} is still in use.") from busy
