"""state.json: what this gateway must remember over a reboot. Written whole, synced, renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from . import locks
from .errors import Refused
from .paths import Paths


@dataclass
class Place:
    """A slot and the release that runs, or ran, in it."""

    slot: int
    release: str


@dataclass
class Adopted:
    """The ocserv that served before ocgate came (0.11): slot 1 until it is retired."""

    slot: int
    pid: int
    exe: str
    occtl: str
    occtl_socket: str
    unit: str
    version: str


@dataclass
class SlotState:
    """What slot N was started with. `steered`: it has had new clients; `distrusted`: rolled back from.

    `conf`: SHA-256 of the operator's configuration that it runs with; "" is the agreed one. `brings`: committing this
    slot makes that one the agreed one. `before`: what it ran with before a reload.
    """

    release: str
    since: float = 0.0
    steered: bool = False
    distrusted: bool = False
    conf: str = ""
    brings: bool = False
    before: str = ""


@dataclass
class Trial:
    """For information only: the kernel's own timer is the truth. `boot` is the boot id: a trial ends with it."""

    weights: Dict[int, int]
    until: float
    boot: str


@dataclass
class Loaded:
    """A configuration that a running slot has read again, on trial until it is agreed; `back`: what it ran with.

    `until`: seconds of this boot's clock, which nobody sets; 0 is no end. `brings`: what the slot would have brought.
    """

    conf: str
    back: str
    until: float
    boot: str
    brings: bool = False


@dataclass
class Replaced:
    """The release in `slot` serves in place of `back`, which was stopped, as a trial that `keep` ends.

    `until`: seconds of this boot's clock; a trial ends with its boot. Written before anything is stopped.
    """

    slot: int
    back: Place
    until: float
    boot: str


@dataclass
class State:
    fence: int = 0
    committed: Optional[Place] = None
    previous: Optional[Place] = None
    steady: Dict[int, int] = field(default_factory=dict)
    trial: Optional[Trial] = None
    slots: Dict[int, SlotState] = field(default_factory=dict)
    ran: List[str] = field(default_factory=list)
    # Which release it was that came in under a name: two that are signed may share one.
    digests: Dict[str, str] = field(default_factory=dict)
    adopted: Optional[Adopted] = None
    agreed_sha256: str = ""
    # Configurations that were agreed once: going back to one needs no new approval.
    agreed_before: List[str] = field(default_factory=list)
    # The one that was agreed until the commit that made `previous` the previous; "" when that brought no other.
    previous_conf: str = ""
    # The highest counter that was ever committed, and the downgrades that were approved: digest → until when.
    counter: int = 0
    downgrades: Dict[str, float] = field(default_factory=dict)
    # Serial of the last ocgate that was put in place, and when the statement was made that set the keys.
    self_serial: int = 0
    authorized_made: float = 0.0
    # The committed place came by `restore previous`: asking for it again must not swing back.
    restored: bool = False
    loaded: Dict[int, Loaded] = field(default_factory=dict)
    # Without nft: the release that was put in place of another, until it is committed.
    replaced: Optional[Replaced] = None
    # Slot → what sign-ins there are shown while it drains.
    messages: Dict[int, str] = field(default_factory=dict)


def load(paths: Paths) -> State:
    """The state, or a fresh one where none was written. A file that can't be read is refused: fail closed."""
    try:
        text = paths.state.read_text()
    except FileNotFoundError:
        return State()
    try:
        return parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise Refused("state_bad", f"{paths.state} can't be read: {failure}.") from failure


def parse(raw: Dict[str, Any]) -> State:
    """Build a State from its JSON; KeyError, TypeError or ValueError when it does not fit."""
    return State(
        fence=int(raw["fence"]),
        committed=Place(**raw["committed"]) if raw.get("committed") else None,
        previous=Place(**raw["previous"]) if raw.get("previous") else None,
        steady={int(slot): int(weight) for slot, weight in raw.get("steady", {}).items()},
        trial=_trial(raw["trial"]) if raw.get("trial") else None,
        slots={int(slot): SlotState(**value) for slot, value in raw.get("slots", {}).items()},
        ran=[str(name) for name in raw.get("ran", [])],
        digests={str(name): str(digest) for name, digest in raw.get("digests", {}).items()},
        adopted=Adopted(**raw["adopted"]) if raw.get("adopted") else None,
        agreed_sha256=str(raw.get("agreed_sha256", "")),
        agreed_before=[str(sha256) for sha256 in raw.get("agreed_before", [])],
        previous_conf=str(raw.get("previous_conf", "")),
        counter=int(raw.get("counter", 0)),
        downgrades={str(digest): float(until) for digest, until in raw.get("downgrades", {}).items()},
        self_serial=int(raw.get("self_serial", 0)),
        authorized_made=float(raw.get("authorized_made", 0.0)),
        restored=bool(raw.get("restored", False)),
        loaded={int(slot): Loaded(**value) for slot, value in raw.get("loaded", {}).items()},
        replaced=_replaced(raw["replaced"]) if raw.get("replaced") else None,
        messages={int(slot): str(text) for slot, text in raw.get("messages", {}).items()},
    )


def _trial(raw: Dict[str, Any]) -> Trial:
    weights = {int(slot): int(weight) for slot, weight in raw["weights"].items()}
    return Trial(weights=weights, until=float(raw["until"]), boot=str(raw.get("boot", "")))


def _replaced(raw: Dict[str, Any]) -> Replaced:
    return Replaced(int(raw["slot"]), Place(**raw["back"]), until=float(raw["until"]), boot=str(raw["boot"]))


def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextmanager
def changing(paths: Paths) -> Iterator[State]:
    """Read, let the caller change, write. Short: the lock is held throughout, nothing slow belongs inside."""
    with locks.held(paths.run, "state", wait=5.0):
        state = load(paths)
        yield state
        write_spared(paths, paths.state, json.dumps(asdict(state), sort_keys=True, indent=1) + "\n")


FENCE_STEP = 10_000_000
"""A fence only grows, so one near the end of the numbers would lock everybody out for good.

Each claim of a step draws the next number. A gateway that comes back with a year-old disk, or a controller that adopts
one, is behind by the claims of that time, far below this; a clock taken for a fence (1.7e9 or 1.7e12) is not. Whoever
wants to climb to 2**53 by force needs 900 million requests, each written to the disk and to the log.
"""


def admit(paths: Paths, fence: int, *, again: bool = True) -> None:
    """Raise `fence_too_low` for a worker that was thought dead, `fence_too_high` for a leap; remember a higher one.

    `again`: it was written down a moment ago, and a rollback waits for each write.
    """
    if again and load(paths).fence == fence:
        return
    with changing(paths) as state:
        if fence < state.fence:
            raise Refused("fence_too_low", f"Fence {fence} is older than {state.fence}, which this gateway has seen.")
        if fence > state.fence + FENCE_STEP:
            say = f"Fence {fence} is more than {FENCE_STEP} above {state.fence}, the last that this gateway has seen."
            raise Refused("fence_too_high", f"{say} Nothing was changed.")
        state.fence = fence


Owner = Tuple[int, int]
"""User and group id of a file."""

SPARE = 1024 * 1024  # bytes
SPARE_LEAVES = 8 * 1024 * 1024  # a disk with less room than this is not made fuller by us


def keep_spare(paths: Paths) -> None:
    """Set room aside for the day when the disk is full; no harm where there is none."""
    if paths.spare.exists() or shutil.disk_usage(paths.lib).free < SPARE + SPARE_LEAVES:
        return
    handle = os.open(paths.spare, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, SPARE)
    finally:
        os.close(handle)


def is_full(failure: OSError) -> bool:
    """Whether a write failed for want of room."""
    return failure.errno in (errno.ENOSPC, errno.EDQUOT)


def write_spared(paths: Paths, path: Path, text: str, *, mode: int = 0o600, owner: Optional[Owner] = None) -> None:
    """`write_whole`, with the room that was set aside when there is no other."""
    try:
        write_whole(path, text, mode=mode, owner=owner)
    except OSError as failure:
        if not is_full(failure) or not paths.spare.exists():
            raise
        paths.spare.unlink()
        write_whole(path, text, mode=mode, owner=owner)


def write_whole(path: Path, text: str, *, mode: int = 0o600, owner: Optional[Owner] = None) -> None:
    """Replace `path` so that a crash leaves the old or the new text, never a part. `owner` makes the mode exact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".new")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "w") as out:
        if owner is not None:
            os.fchown(handle, *owner)
            os.fchmod(handle, mode)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_object(path: Path) -> Dict[str, Any]:
    """A small JSON object that may be missing or broken: {} then."""
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def write_object(path: Path, value: Dict[str, Any]) -> None:
    """Write a small JSON object whole."""
    write_whole(path, json.dumps(value))
