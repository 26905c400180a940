"""The operator's configurations that this gateway keeps, and which of them is the agreed one.

A slot is derived from a kept one. The operator's file is written only when one is agreed: by a commit, a restore, or
the verb `agree`. Whoever calls what writes here holds the steering lock.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import suppress
from typing import Optional, Set

from . import allow
from . import state as states
from .config import Config
from .errors import Refused
from .paths import Paths
from .state import State

NEWEST = 10
"""Configurations that are kept though nothing refers to them: they were brought and judged, and not used yet."""


def sha256_of(text: str) -> str:
    """SHA-256 of the text's UTF-8, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(paths: Paths, sha256: str) -> str:
    """A kept configuration; refused when it is not here or not what its name says."""
    path = paths.conf(sha256)
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as failure:
        raise Refused(
            "unknown_conf", f"Configuration {sha256[:12]} is not on this gateway; bring it first."
        ) from failure
    if sha256_of(text) != sha256:
        raise Refused("unknown_conf", f"{path} is not what its name says; bring the configuration again.")
    return text


def agreed(config: Config, paths: Paths) -> str:
    """The configuration that was agreed; before that, the operator's file as it stands."""
    source = paths.agreed_conf if paths.agreed_conf.exists() else config.ocserv_conf
    try:
        return source.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as failure:
        raise Refused("check_failed", f"{source} can't be read: {failure}.") from failure


def usable(config: Config, paths: Paths, sha256: str) -> str:
    """The text that a slot may be derived from: the agreed one for "", else a kept one that may be used as of now."""
    state, text = states.load(paths), text_of(config, paths, sha256)
    if sha256 not in ("", state.agreed_sha256, *state.agreed_before) and not _word_holds(paths, sha256):
        # What was agreed may have moved on since it was brought.
        refuse_beyond(agreed(config, paths), text)
    return text


def text_of(config: Config, paths: Paths, sha256: str) -> str:
    """The agreed one for "" and its digest, else a kept one, whether it may still be used or not."""
    return agreed(config, paths) if sha256 in ("", states.load(paths).agreed_sha256) else read(paths, sha256)


def _word_holds(paths: Paths, sha256: str) -> bool:
    """Whether approvers signed it in a statement that has not expired: one that was never agreed must not wait for
    the day when the controller is somebody else's."""
    until = states.read_object(paths.conf_word(sha256)).get("until")
    return isinstance(until, (int, float)) and until > time.time()


def refuse_beyond(old: str, new: str) -> None:
    """Raise `not_allowed` with the names of what one person may not change."""
    if named := allow.beyond(old, new):
        say = f"One person may not change {', '.join(named[:12])}; approvers must sign this configuration."
        raise Refused("not_allowed", say)


def of_slot(state: State, number: int) -> str:
    """SHA-256 of the configuration that a slot was started with."""
    known = state.slots.get(number)
    return (known.conf if known else "") or state.agreed_sha256


def brought_by(state: State, number: int) -> str:
    """SHA-256 of the configuration that a commit of the slot would make the agreed one; "" when it brings none."""
    known = state.slots.get(number)
    return known.conf if known and known.brings and known.conf != state.agreed_sha256 else ""


def keep(paths: Paths, text: str) -> bool:
    """Store a configuration; whether it was here already."""
    path = paths.conf(sha256_of(text))
    if path.exists() and path.read_bytes() == text.encode():
        os.utime(path)  # `prune` goes by it
        return True
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    states.write_whole(path, text, mode=0o600)
    return False


def prune(paths: Paths, *, brought: str) -> int:
    """Take away what nothing refers to any more, but the newest NEWEST; how many went.

    A word of approvers goes before its configuration: a text without its word is judged, not believed.
    """
    needed, kept = _needed(states.load(paths)) | {brought}, []
    for path in paths.confs.glob("*.conf"):
        with suppress(FileNotFoundError):
            kept.append((path.stat().st_mtime, path))
    doomed = [path for _, path in sorted(kept, reverse=True)[NEWEST:] if path.stem not in needed]
    for path in doomed:
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    return len(doomed)


def _needed(state: State) -> Set[str]:
    needed = {state.agreed_sha256, state.previous_conf, *state.agreed_before}
    for slot in state.slots.values():
        needed |= {slot.conf, slot.before}
    for loaded in state.loaded.values():
        needed |= {loaded.conf, loaded.back}
    return needed


def agree(config: Config, paths: Paths, sha256: str) -> bool:
    """Make a kept configuration the agreed one and write the operator's file; whether all of it was so already.

    May be cut anywhere and asked again: until the last line is written, the host's file counts as changed.
    """
    old = states.load(paths).agreed_sha256
    now = agreed(config, paths)
    text = now if sha256 in ("", old) else read(paths, sha256)
    same_file = _file_of(config) == text
    if sha256 in ("", old) and same_file:
        return True
    keep(paths, now)
    keep(paths, text)
    if not same_file:
        _write_file(config, paths, text)
    if sha256 not in ("", old):
        states.write_spared(paths, paths.agreed_conf, text, mode=0o600)
        _remember(paths, old=old, new=sha256)
    return False


def _write_file(config: Config, paths: Paths, text: str) -> None:
    """Owner, group and mode stay: somebody else on the host may read or edit it by them."""
    path = config.ocserv_conf.resolve()
    if not path.exists():
        states.write_spared(paths, path, text, mode=0o600)
        return
    now = path.stat()
    states.write_spared(paths, path, text, mode=stat.S_IMODE(now.st_mode), owner=(now.st_uid, now.st_gid))


def _remember(paths: Paths, *, old: str, new: str) -> None:
    with states.changing(paths) as state:
        for slot in state.slots.values():
            slot.conf = slot.conf or old
        state.agreed_before = [known for known in state.agreed_before if known not in (old, new)][-40:]
        state.agreed_before += [known for known in (old, new) if known]
        state.agreed_sha256 = new
        # What is agreed is on trial no longer; in the same write, so that nothing between can take it back.
        for number, loaded in list(state.loaded.items()):
            if loaded.conf == new == state.slots[number].conf:
                del state.loaded[number]


def _file_of(config: Config) -> Optional[str]:
    try:
        return config.ocserv_conf.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
