"""The controller's side of one `ocgate serve`, as plain as it can be, and releases ready to be staged."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

from lab.gateway import Gateway

CHANGING = {
    "stage",
    "start",
    "shift",
    "commit",
    "retire",
    "restore",
    "configure",
    "agree",
    "reload",
    "replace",
    "message",
}
_fences = itertools.count(1000, 100)


class Door:
    """Requests to one gateway over one `serve`; each changing verb draws a fence of its own."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        argv = ["nsenter", "--target", str(gateway.machine.init), "--all", "/usr/lib/ocgate/ocgate", "serve"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the channel; a program that does not end with it is killed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def answer(self, verb: str, *, fence: int | None = None, raw: bytes = b"", **args: Any) -> dict[str, Any]:
        """The last line of the answer; `raw` is sent when ocgate asks for it."""
        request = {"v": 2, "id": "t", "verb": verb, "args": args}
        if verb in CHANGING:
            request["fence"] = next(_fences) if fence is None else fence
        self.send(json.dumps(request).encode() + b"\n")
        while True:
            line = self.line()
            if line.get("progress") == "send":
                self.send(raw[line["done"] :])
            if "ok" in line:
                return line

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        """The result; an AssertionError with the error otherwise."""
        said = self.answer(verb, **args)
        assert said["ok"], said
        result: dict[str, Any] = said["result"]
        return result

    def refused(self, verb: str, **args: Any) -> str:
        """The code of the refusal; an AssertionError when it was not refused."""
        said = self.answer(verb, **args)
        assert not said["ok"], said
        return str(said["error"]["code"])

    def send(self, data: bytes) -> None:
        """Bytes onto the channel."""
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def line(self) -> dict[str, Any]:
        """The next line; an AssertionError when the channel has ended."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "ocgate closed the channel"
        said: dict[str, Any] = json.loads(line)
        return said


def stage_args(folder: Path) -> dict[str, Any]:
    """The arguments of `stage` for a release folder of the lab, over the channel."""
    bundle = (folder / "bundle.tar.zst").read_bytes()
    return {
        "release": folder.name,
        "manifest": (folder / "manifest.json").read_text(),
        "sums": (folder / "SHA256SUMS").read_text(),
        "changelog": (folder / "CHANGELOG.md").read_text(),
        "signatures": [{"name": "SHA256SUMS.asc", "text": (folder / "SHA256SUMS.asc").read_text()}],
        "size": len(bundle),
        "sha256": hashlib.sha256(bundle).hexdigest(),
        "source": {"kind": "ssh"},
    }


def bundle_of(folder: Path) -> bytes:
    """The bytes that follow."""
    return (folder / "bundle.tar.zst").read_bytes()


def started(door: Door, folder: Path, slot: int) -> None:
    """Stage a release and start it in a slot."""
    door.ask("stage", raw=bundle_of(folder), **stage_args(folder))
    door.ask("start", release=folder.name, slot=slot)


def serving(door: Door) -> list[int]:
    """The slots that serve new users."""
    return [slot["slot"] for slot in door.ask("facts")["slots"] if slot["state"] == "serving"]


def slots_of(gateway: Gateway) -> dict[str, int]:
    """Which user sits on which slot, by occtl."""
    return {session["user"]: session["slot"] for session in gateway.sessions()}
