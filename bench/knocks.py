"""New connections from strangers, many a second, and which slot the gateway's kernel gave each of them.

A knock is the first packet of a TCP connection from an address that the gateway has never seen; when the answer comes,
the kernel here, which knows of no such connection, resets it. So ocserv is not told, and begins no process for it: 240
of those a second kept both cores busy. The slot is read from the gateway's connection tracking: the source of the
answers, after the translation.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from lab.commands import run
from lab.fleet import Lab
from lab.gateway import Gateway

EVERY = 0.01  # seconds between two knocks: the resolution of what is measured
STRANGERS = "100.64.0.0/16"  # shared address space (RFC 6598): nobody else in the lab has one of these
CLONE_NEWNET = 0x40000000
_LINE = re.compile(r"\[(\d+\.\d+)\s*\].* src=100\.64\.\S+ dst=(\S+) .*dport=443 .*?src=198\.18\.0\.(\d) ")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Knocks:
    """Knocks at one gateway while the context lasts; `seen` are (epoch seconds, slot), in order."""

    lab: Lab
    gateway: Gateway
    seen: list[tuple[float, int]] = field(default_factory=list)
    every: float = EVERY
    first: int = 0  # strangers of earlier knocks are known by now: go on after them

    def __enter__(self) -> Self:
        wan, space = self.lab.clients.networks.wan, self.gateway.machine.space
        run(["ip", "-netns", wan, "route", "replace", "local", STRANGERS, "dev", "lo"])
        self._tracking = subprocess.Popen(
            ["ip", "netns", "exec", space, "conntrack", "-E", "-e", "NEW", "-o", "timestamp", "-p", "tcp"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._knock, args=(wan,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._tracking.terminate()
        self._tracking.wait()
        for thread in self._threads:
            thread.join()

    def wait_for(self, slot: int, *, after: float, seconds: float) -> float:
        """When the first connection after the moment `after` landed on `slot`, epoch seconds; TimeoutError if none."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for at, landed in list(self.seen):
                if at > after and landed == slot:
                    return at
            time.sleep(0.005)
        raise TimeoutError(f"No new connection landed on slot {slot} of {self.gateway.name} within {seconds:.0f} s.")

    def _read(self) -> None:
        assert self._tracking.stdout
        for line in self._tracking.stdout:
            if (found := _LINE.search(line)) and found[2] == self.gateway.public:
                self.seen.append((float(found[1]), int(found[3])))

    def _knock(self, wan: str) -> None:
        # A thread has a network namespace of its own: this one goes to the wan and ends there.
        with open(f"/run/netns/{wan}") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {wan}")
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as link:
            while not self._ending.wait(self.every):
                self.first += 1
                source = f"100.64.{self.first // 256 % 256}.{self.first % 256}"
                with contextlib.suppress(OSError):
                    link.sendto(
                        syn(source, self.gateway.public, port=20000 + self.first % 40000), (self.gateway.public, 0)
                    )


def syn(source: str, server: str, *, port: int) -> bytes:
    """The first packet of a TCP connection to HTTPS at `server`; the kernel fills in the checksum of IP."""
    ends = socket.inet_aton(source) + socket.inet_aton(server)
    tcp = struct.pack("!HHIIBBHHH", port, 443, port, 0, 5 << 4, 0x02, 64240, 0, 0)
    total = sum(struct.unpack("!16H", ends + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
    return ip + tcp[:16] + struct.pack("!H", checksum) + tcp[18:]
