"""Take over a gateway that serves users now, without cutting them (reference 0.11).

Before a rule that tracks connections exists there are no entries, so the next packet of a live flow would count as new
and be steered away. So: a table that only tracks, until live flows are known; the known clients in a set that is
accepted first; only then the table that steers.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import List, Optional

from . import derive, learn, restore, slots, steer, supervise, table
from . import state as states
from .config import Config, own_addresses
from .errors import Refused
from .occtl import Control, Session
from .paths import Paths
from .run import run

SLOT = 1
TRACK = """table inet handover_track {
  chain look { type filter hook prerouting priority -150; ct state established counter; }
}
"""
TRACK_SECONDS = 3.0


def adopt(config: Config, paths: Paths) -> None:
    """Make the ocserv that runs here slot 1, committed. Its users do not notice."""
    state = states.load(paths)
    if state.committed is not None:
        return
    config.slot(SLOT)
    old = find(config)
    control = Control(Path(old.occtl), Path(old.occtl_socket))
    if not config.steers:
        _remember(paths, old)
        steer.remember(config, paths, to=states.Place(SLOT, "adopted"))
        _hold_package(paths)
        return
    run(["nft", "-f", "-"], timeout=5, stdin=TRACK)
    try:
        _await_tracked(control.users())
        _steer(config, paths, old)
    finally:
        run(["nft", "delete", "table", "inet", "handover_track"], timeout=5)
    _hold_package(paths)


def _remember(paths: Paths, old: states.Adopted) -> None:
    with states.changing(paths) as state:
        state.adopted = old
        state.slots[SLOT] = states.SlotState(release="adopted", since=time.time(), steered=True)
    states.write_whole(paths.lib / "adopted-unit", old.unit + "\n")


def _steer(config: Config, paths: Paths, old: states.Adopted) -> None:
    _remember(paths, old)
    known = restore.remotes_of(slots.look(SLOT, states.load(paths), paths), ours=own_addresses(config))
    table.remember(paths, learn.adopted_of(known, seconds=config.sticky_seconds), now=time.time())
    steer.settle(config, paths, to=states.Place(SLOT, "adopted"), present=False)


def find(config: Config) -> states.Adopted:
    """The ocserv that runs from the operator's configuration; refused when there is none or it can't be asked."""
    options = derive.options(config.ocserv_conf.read_text())
    pid = _main_pid(options.get("pid-file", "/run/ocserv.pid"))
    if pid is None:
        raise Refused("nothing_to_adopt", "No running ocserv was found; use --first for a gateway without users.")
    exe = os.readlink(f"/proc/{pid}/exe")
    if exe.endswith(" (deleted)"):
        say = f"The running ocserv's file {exe} was replaced; its new logins fail already. Restart it first."
        raise Refused("nothing_to_adopt", say)
    occtl = _occtl_beside(Path(exe))
    socket = options.get("occtl-socket-file", "/var/run/occtl.socket")
    if Control(occtl, Path(socket)).status() is None:
        raise Refused(
            "nothing_to_adopt",
            f"The running ocserv does not answer {occtl} on {socket}; set use-occtl = true.",
        )
    said = run([exe, "--version"], timeout=5)
    version = re.search(r"\d+\.\d+\.\d+", said.out + said.err)
    return states.Adopted(
        slot=SLOT,
        pid=pid,
        exe=exe,
        occtl=str(occtl),
        occtl_socket=socket,
        unit=_unit_of(pid),
        version=version.group(0) if version else "",
    )


def _main_pid(pid_file: str) -> Optional[int]:
    try:
        pid = int(Path(pid_file).read_text().strip())
    except (OSError, ValueError):
        return None
    return pid if supervise.alive(pid) and slots.is_ocserv(pid) else None


def _occtl_beside(exe: Path) -> Path:
    for path in (exe.parent.parent / "bin" / "occtl", exe.parent / "occtl", Path("/usr/bin/occtl")):
        if path.is_file():
            return path
    raise Refused("nothing_to_adopt", f"No occtl was found beside {exe}.")


def _unit_of(pid: int) -> str:
    if not supervise.has_systemd():
        return ""
    done = run(["ps", "-o", "unit=", "-p", str(pid)], timeout=5)
    name = done.out.strip()
    return name if name.endswith(".service") else ""


def _await_tracked(users: List[Session]) -> None:
    """Make each user's connection send something, so that the kernel tracks it: a ping into the tunnel does."""
    deadline = time.monotonic() + TRACK_SECONDS
    for user in users:
        if user.vpn_ip and time.monotonic() < deadline:
            run(["ping", "-c", "1", "-W", "1", "-n", user.vpn_ip], timeout=2)


def _hold_package(paths: Paths) -> None:
    """The distribution must not restart or replace what serves; `uninstall` undoes it."""
    if run(["dpkg-query", "-W", "ocserv"], timeout=10).code != 0:
        return
    held = run(["apt-mark", "showhold", "ocserv"], timeout=10).out.split()
    if "ocserv" not in held and run(["apt-mark", "hold", "ocserv"], timeout=20).code == 0:
        states.write_whole(paths.lib / "held", "ocserv\n")


def leave(paths: Paths) -> None:
    """Undo what adoption changed: the package's hold and the unit's mask."""
    if (paths.lib / "held").exists():
        run(["apt-mark", "unhold", "ocserv"], timeout=20)
    try:
        unit = (paths.lib / "adopted-unit").read_text().strip()
    except OSError:
        return
    if unit and supervise.has_systemd():
        run(["systemctl", "unmask", unit], timeout=20)
