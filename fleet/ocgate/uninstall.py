"""`ocgate uninstall`: leave the machine as it was before `install`."""

from __future__ import annotations

import os
import shutil
import signal
import time

from . import adopt, config, locks, nft, slots, supervise, units
from . import state as states
from .config import Config
from .errors import Refused
from .install import PROGRAM, SUDOERS
from .metrics import connected
from .paths import Paths
from .run import run


def uninstall(paths: Paths, *, cut: bool) -> int:
    """Stop our slots and take everything away; refused while users sit on a slot, unless they may be cut."""
    wanted = config.load(paths.config)
    _refuse_users(wanted, paths, cut=cut)
    SUDOERS.unlink(missing_ok=True)
    units.remove()
    _stop_keep(paths)
    for number in wanted.slots:
        slot = slots.look(number, states.load(paths), paths)
        if not slot.adopted:
            supervise.stop(paths, number)
    run(["nft", "delete", "table", *nft.TABLE.split()], timeout=10)
    if wanted.steers:
        slots.drop_addresses(wanted)
    adopt.leave(paths)
    _user(paths)
    for folder in (paths.etc, paths.lib, paths.run, PROGRAM.parent):
        shutil.rmtree(folder, ignore_errors=True)
    for log in paths.log.parent.glob("ocgate*.log*"):
        log.unlink()
    print("ocgate is gone. What it adopted runs on untouched.")
    return 0


def _refuse_users(wanted: Config, paths: Paths, *, cut: bool) -> None:
    state = states.load(paths)
    on_slots = 0
    for slot in slots.every(wanted, state, paths):
        if slot.running and not slot.adopted:
            on_slots += connected(slot) or 0
    if on_slots and not cut:
        raise Refused(
            "has_sessions",
            f"{on_slots} users are connected to slots; nothing was changed. Drain them, or say --cut.",
        )


def _stop_keep(paths: Paths) -> None:
    """Where there is no unit, `keep` wrote its pid."""
    try:
        pid = int((paths.run / "keep.pid").read_text())
    except (OSError, ValueError):
        return
    if locks.is_held(paths.run, "keep") and supervise.alive(pid):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        while supervise.alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)


def _user(paths: Paths) -> None:
    """Only a user that `install` made."""
    try:
        name = (paths.lib / "user").read_text().strip()
    except OSError:
        return
    run(["userdel", name], timeout=20)
