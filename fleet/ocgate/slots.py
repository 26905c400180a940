"""The slots of this gateway: what runs in each, and the addresses they need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from . import supervise
from .config import Config, SlotConfig
from .errors import Refused
from .occtl import Control
from .paths import Paths
from .run import run
from .state import State

MARK = "# ocgate: names of the slots"


@dataclass(frozen=True)
class Slot:
    """One slot as it is. `release` is "" when nothing was put there."""

    number: int
    release: str
    process: supervise.Process
    adopted: bool
    control: Optional[Control]

    @property
    def running(self) -> bool:
        return self.process.pid > 0


def look(number: int, state: State, paths: Paths) -> Slot:
    """What is in slot `number` now, without asking its ocserv."""
    if state.adopted is not None and state.adopted.slot == number:
        return _adopted(state, number)
    known = state.slots.get(number)
    process = supervise.look(paths, number)
    release = known.release if known else ""
    control = None
    if release:
        control = Control(paths.release(release) / "bin" / "occtl", paths.slot_run(number) / "occtl.sock")
    return Slot(number, release, process, adopted=False, control=control)


def every(config: Config, state: State, paths: Paths) -> List[Slot]:
    """All slots, in order."""
    return [look(number, state, paths) for number in sorted(config.slots)]


def running(number: int, config: Config, state: State, paths: Paths) -> Slot:
    """The slot, which must run; raises `slot_unknown` or `slot_not_running`."""
    config.slot(number)
    slot = look(number, state, paths)
    if not slot.running:
        raise Refused("slot_not_running", f"Slot {number} does not run.")
    return slot


def control_of(slot: Slot) -> Control:
    """The slot's occtl; raises `slot_not_running` where nothing was put there."""
    if slot.control is None:
        raise Refused("slot_not_running", f"Slot {slot.number} has no release.")
    return slot.control


def _adopted(state: State, number: int) -> Slot:
    old = state.adopted
    assert old is not None  # nosec B101 # for the type checker
    pid = old.pid if supervise.alive(old.pid) and is_ocserv(old.pid) else supervise.main_pid(old.unit)
    known = state.slots.get(number)
    process = supervise.Process(pid=pid, restarts=0, since=known.since if known else 0.0, failed=False)
    control = Control(Path(old.occtl), Path(old.occtl_socket))
    return Slot(number, "adopted", process, adopted=True, control=control)


def is_ocserv(pid: int) -> bool:
    """True while `pid` is an ocserv."""
    # A pid may be another program's by now.
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip().startswith("ocserv")
    except OSError:
        return False


def version_of(release: str, state: State, paths: Paths) -> str:
    """The ocserv version of a release folder, as its manifest says; "" when unknown."""
    if release == "adopted" and state.adopted is not None:
        return state.adopted.version
    return str(manifest(paths.release(release)).get("version", "")) if release else ""


def manifest(folder: Path) -> Mapping[str, object]:
    """manifest.json of an unpacked release, {} when there is none."""
    try:
        raw = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def ensure_addresses(config: Config) -> None:
    """Give `lo` the slots' addresses and /etc/hosts their names; both may be there already."""
    present = run(["ip", "-o", "address", "show", "dev", "lo"], timeout=5).out
    for slot in config.slots.values():
        if f" {slot.ipv4}/" not in present:
            run(["ip", "address", "add", f"{slot.ipv4}/32", "dev", "lo"], timeout=5)
        if slot.ipv6 and f" {slot.ipv6}/" not in present:
            run(["ip", "-6", "address", "add", f"{slot.ipv6}/128", "dev", "lo", "nodad"], timeout=5)
    hosts = Path("/etc/hosts")
    text = hosts.read_text() if hosts.exists() else ""
    wanted = with_names(text, list(config.slots.values()))
    if wanted != text:
        # In place: /etc/hosts is a bind mount in containers, where a rename fails.
        hosts.write_text(wanted)


def drop_addresses(config: Config) -> None:
    """Undo `ensure_addresses`."""
    for slot in config.slots.values():
        run(["ip", "address", "del", f"{slot.ipv4}/32", "dev", "lo"], timeout=5)
        if slot.ipv6:
            run(["ip", "-6", "address", "del", f"{slot.ipv6}/128", "dev", "lo"], timeout=5)
    hosts = Path("/etc/hosts")
    if hosts.exists():
        hosts.write_text(with_names(hosts.read_text(), []))


def with_names(hosts: str, wanted: List[SlotConfig]) -> str:
    """The text of /etc/hosts with exactly these slots named. Pure."""
    kept = [line for line in hosts.splitlines(keepends=True) if not line.rstrip().endswith(MARK)]
    text = "".join(kept)
    if wanted and text and not text.endswith("\n"):
        text += "\n"
    for slot in sorted(wanted, key=lambda s: s.number):
        for address in filter(None, (slot.ipv4, slot.ipv6)):
            text += f"{address} {slot.host} {MARK}\n"
    return text


def weights_now(state: State, *, trial: Optional[Mapping[int, int]]) -> Dict[int, int]:
    """Where new clients go: the trial while the kernel runs it, else the steady state."""
    return {slot: weight for slot, weight in (trial or state.steady).items() if weight}
