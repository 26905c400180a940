"""The systemd units, and what stands in for them where there is no systemd."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from . import locks
from .errors import Refused
from .paths import SYSTEM
from .run import run
from .state import write_whole
from .supervise import BURST, BURST_SECONDS, has_systemd, program

FOLDER = Path("/etc/systemd/system")
KEEP, SLOT = "ocgate-keep.service", "ocgate-slot@.service"


def keep_unit(ocgate: Path) -> str:
    """The resident face. Pure."""
    return f"""[Unit]
Description=ocgate: keeps the VPN slots and their nftables table
After=network.target nftables.service

[Service]
ExecStart={ocgate} keep
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def slot_unit(ocgate: Path) -> str:
    """One slot. KillMode=mixed: SIGTERM goes to ocserv's main process only; its workers end when it says so. Pure."""
    return f"""[Unit]
Description=ocgate: ocserv of slot %i
After=network.target
StartLimitIntervalSec={BURST_SECONDS:.0f}
StartLimitBurst={BURST}

[Service]
Type=simple
ExecStart={ocgate} slot %i
KillMode=mixed
TimeoutStopSec=20
Restart=on-failure
RestartSec=1
LimitNOFILE=65536
"""


def write(ocgate: Path) -> None:
    """Write the units where there is systemd."""
    if not has_systemd():
        return
    write_whole(FOLDER / KEEP, keep_unit(ocgate), mode=0o644)
    write_whole(FOLDER / SLOT, slot_unit(ocgate), mode=0o644)
    run(["systemctl", "daemon-reload"], timeout=30)


def enable_keep(ocgate: Path) -> None:
    """Start `keep`, now and at each boot."""
    if has_systemd():
        done = run(["systemctl", "enable", "--now", KEEP], timeout=30)
        if done.code != 0:
            raise Refused("start_failed", f"{KEEP} did not start: {done.last_line[:200]}.")
        return
    argv = [*program()[:1], str(ocgate), "keep"]
    null = subprocess.DEVNULL
    subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/")
    deadline = time.monotonic() + 5
    while not locks.is_held(SYSTEM.run, "keep") and time.monotonic() < deadline:
        time.sleep(0.05)


def restart_keep() -> None:
    """Let a new ocgate keep from now on. Where there is no systemd the running one sees it by itself (renewed.py)."""
    if has_systemd():
        run(["systemctl", "try-restart", KEEP], timeout=30)


def remove() -> None:
    """Take the units away."""
    if not has_systemd():
        return
    run(["systemctl", "disable", "--now", KEEP], timeout=30)
    for name in (KEEP, SLOT):
        (FOLDER / name).unlink(missing_ok=True)
    run(["systemctl", "daemon-reload"], timeout=30)
    run(["systemctl", "reset-failed", "ocgate-*"], timeout=10)
