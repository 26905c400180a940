"""A real sshd on a loopback port with one forced command, and a wire to it that the tests can cut."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fleet.gateways.dial import Target, private_key

BRIDGE = Path(__file__).with_name("bridge.py")


class Sshd:
    """One sshd for as long as `stop` is not called; its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_key = folder / "host"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("host", "client", "other"):
            make_key(folder / name)
        self.key = private_key((folder / "client").read_bytes())
        command = f'restrict,command="{sys.executable} -ES {BRIDGE} {folder}"'
        (folder / "authorized_keys").write_text(f"{command} {(folder / 'client.pub').read_text()}")
        os.chmod(folder, 0o755)  # noqa: S103 - sshd reads authorized_keys there

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [
            f"Port={self.port}",
            "ListenAddress=127.0.0.1",
            f"HostKey={self.host_key}",
            f"AuthorizedKeysFile={self.folder / 'authorized_keys'}",
            "StrictModes=no",
            "UsePAM=no",
            "PasswordAuthentication=no",
            "PermitRootLogin=forced-commands-only",
            f"PidFile={self.folder / 'pid'}",
            # Bash reads ~/.bashrc for whom sshd starts: what a developer keeps there may take seconds.
            f"SetEnv=HOME={self.folder}",
        ]
        Path("/run/sshd").mkdir(exist_ok=True)
        words = [word for option in options for word in ("-o", option)]
        log = (self.folder / "sshd.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [shutil.which("sshd") or "sshd", "-D", "-e", "-f", "/dev/null", *words], stderr=log
            )
        until(lambda: answers(self.port), "sshd does not answer")

    def stop(self) -> None:
        """End it and its connections."""
        if self._process is None:
            return
        for pid in self.connections():
            os.kill(pid, signal.SIGKILL)
        self._process.terminate()
        self._process.wait(5)
        self._process = None

    def connections(self) -> list[int]:
        """The processes that serve connections; SIGSTOP makes them a frozen peer."""
        assert self._process
        return descendants(self._process.pid)

    def sessions(self) -> list[int]:
        """The processes that hold one connection each."""
        assert self._process
        text = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def target(self, *, port: int | None = None, key: str = "host") -> Target:
        kind, text = (self.folder / f"{key}.pub").read_text().split()[:2]
        return Target("fra-gw-01", "127.0.0.1", port or self.port, "root", ((kind, text),))


class Wire:
    """A TCP forwarder to `port`. `cut_after` bytes towards the gateway it closes both ends."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.cut_after: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._forth, args=(near, far), daemon=True).start()
            threading.Thread(target=self._back, args=(far, near), daemon=True).start()

    def _forth(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := near.recv(16384):
                passed += len(data)
                if self.cut_after is not None and passed > self.cut_after:
                    break
                far.sendall(data)
        near.close()
        # Not closed: a reset would throw away what sshd has not read yet.
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(16384):
                with contextlib.suppress(OSError):
                    near.sendall(data)
        far.close()
        near.close()


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            return sock.recv(4) == b"SSH-"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Children and theirs, from /proc."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [found for child in map(int, text.split()) for found in (child, *descendants(child))]


def until(true: Callable[[], object], say: str, *, seconds: float = 10.0) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, say
        time.sleep(0.02)
