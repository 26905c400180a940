"""One process that probes through all clients' tunnels, 20 packets a second each, and answers for what it counted.

Commands come as JSON lines on a Unix socket: {"add": {"name", "space", "target"}}, {"stop": NAME}, {"report": true}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from lab.echo import PORT
from lab.tally import Tally

EVERY = 0.05
PADDING = bytes(52)
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def socket_in(space: str) -> socket.socket:
    """A UDP socket that lives in a named network namespace, made by a visit there."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{space}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {space}")
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    finally:
        _libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)
    made.setblocking(False)
    return made


class Prober:
    """The clients under probe, by name."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._tallies: dict[str, Tally] = {}
        self._sockets: dict[str, tuple[socket.socket, tuple[str, int]]] = {}

    def add(self, name: str, space: str, target: str) -> None:
        """Begin to probe `target` from the namespace `space`; a name that is known begins anew."""
        self.stop(name)
        now = time.monotonic()
        opened = socket_in(space)
        self._tallies[name] = Tally(started=now, offset=time.time() - now)
        self._sockets[name] = (opened, (target, PORT))
        self._selector.register(opened, selectors.EVENT_READ, name)

    def stop(self, name: str) -> None:
        """Stop sending for a client; what was counted stays."""
        if held := self._sockets.pop(name, None):
            self.receive(name, held[0])
            self._selector.unregister(held[0])
            held[0].close()
            self._tallies[name].close(time.monotonic())

    def tick(self) -> None:
        """Send one packet for each client. One that can't be sent counts as sent: the user's would be lost as well."""
        now = time.monotonic()
        for name, (opened, target) in self._sockets.items():
            packet = struct.pack("!I", self._tallies[name].send(now)) + PADDING
            with contextlib.suppress(OSError):
                opened.sendto(packet, target)

    def receive(self, name: str, opened: socket.socket) -> None:
        """Count the answers that wait on a client's socket."""
        with contextlib.suppress(OSError):
            while data := opened.recv(256):
                self._tallies[name].answer(struct.unpack("!I", data[:4])[0], time.monotonic())

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command; its answer."""
        if "add" in command:
            self.add(**command["add"])
        elif "stop" in command:
            self.stop(command["stop"])
        now = time.monotonic()
        return {name: tally.report(now) for name, tally in self._tallies.items()} if "report" in command else {}


def serve(path: Path) -> None:
    """Probe and answer commands until killed."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    door.listen(8)
    with selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        prober = Prober(selector)
        due = time.monotonic()
        while True:
            for key, _ in selector.select(max(0.0, due - time.monotonic())):
                if key.fileobj is door:
                    _one_command(door, prober)
                elif isinstance(key.fileobj, socket.socket):
                    prober.receive(key.data, key.fileobj)
            if (now := time.monotonic()) >= due:
                prober.tick()
                # After a stall no burst: the missed ticks are not made up for.
                due = max(due + EVERY, now)


def _one_command(door: socket.socket, prober: Prober) -> None:
    caller, _ = door.accept()
    with caller, contextlib.suppress(OSError):
        caller.settimeout(2)
        with caller.makefile("rwb") as lines:
            try:
                answer = prober.obey(json.loads(lines.readline()))
            except (OSError, ValueError, TypeError) as failure:
                answer = {"error": str(failure)}
            lines.write(json.dumps(answer).encode() + b"\n")


def ask(path: Path, command: dict[str, Any]) -> dict[str, Any]:
    """Send one command to the prober that listens at `path`; its answer. OSError when it does not run."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(10)
        caller.connect(str(path))
        with caller.makefile("rwb") as lines:
            lines.write(json.dumps(command).encode() + b"\n")
            lines.flush()
            answer: dict[str, Any] = json.loads(lines.readline())
    if "error" in answer:
        raise OSError(answer["error"])
    return answer


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
