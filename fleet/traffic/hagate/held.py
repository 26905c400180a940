"""What hagate remembers: the highest fence a gateway, trials that still run, what HAProxy is to begin with."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .words import Refused


class Held:
    """The files in one folder. Shared by every hagate of the machine, so each change is made under its lock."""

    def __init__(self, home: str) -> None:
        self._home = Path(home)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with (self._home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def claimed(self, gateway: str, fence: Any) -> Iterator[dict[str, Any]]:
        """The state, ours alone until the end. A lower fence than the highest is somebody who was thought dead."""
        if type(fence) is not int or fence < 0:
            raise Refused("bad_request", "A verb that changes something needs a fence.")
        with self.locked():
            state = self.load()
            if fence < state["fences"].get(gateway, 0):
                raise Refused("fence_too_low", f"A later claim than {fence} was here for {gateway}.")
            state["fences"][gateway] = fence
            self.store(state)
            yield state

    def load(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self._home / "state.json").read_text())
        except FileNotFoundError:
            return {"fences": {}, "trials": {}}
        # A trial does not outlive a reboot: HAProxy then begins with what was before it (`begin_with`).
        boot = boot_id()
        state["trials"] = {name: trial for name, trial in state["trials"].items() if trial["boot"] == boot}
        return state

    def store(self, state: dict[str, Any]) -> None:
        _write(self._home / "state.json", json.dumps(state))

    def begin_with(self, servers: str) -> None:
        """HAProxy's server-state-file."""
        _write(self._home / "servers.state", servers, mode=0o644)


def trial(backend: str, back: list[list[Any]], seconds: int) -> dict[str, Any]:
    """`back`: [server, state, weight] as it was before."""
    token, until = secrets.token_hex(8), time.time() + seconds
    return {"token": token, "until": until, "boot": boot_id(), "backend": backend, "back": back}


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _write(path: Path, text: str, *, mode: int = 0o600) -> None:
    half = path.with_suffix(".half")
    with half.open("w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
