"""Sockets inside the lab's namespaces, made by this process: what answers behind the gateway, what listens."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

ECHO_PORT, STREAM_PORT = 7009, 7008
INSIDE6 = "fd0a:200:{index}::2"
HEAD = struct.Struct("!QQ")  # bytes up, bytes down
BLOCK = secrets.token_bytes(64 * 1024)
DIGEST = 32
PATIENCE = 20.0  # seconds
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(space: str) -> Iterator[None]:
    """Let this thread make sockets in a named network namespace; they stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{space}", os.O_RDONLY)
    try:
        if _libc.setns(there, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {space}")
        yield
    finally:
        _libc.setns(home, _CLONE_NEWNET)
        os.close(there)
        os.close(home)


class Behind:
    """Behind the gateway, in the lan: sends datagrams back, and takes and gives streams of bytes with their SHA-256."""

    def __init__(self, space: str) -> None:
        with inside(space):
            self._echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._door = socket.create_server(("0.0.0.0", STREAM_PORT), backlog=64)
        self._echo.bind(("::", ECHO_PORT))  # IPv4 too
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._answer, self._accept)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for opened in (self._echo, self._door):
            # Wakes the thread that waits in it; close alone would not.
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self._threads:
            thread.join(5)

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, peer = self._echo.recvfrom(65536)
                if not data:
                    return
                self._echo.sendto(data, peer)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(PATIENCE)
        up, down = HEAD.unpack(_exactly(connection, HEAD.size))
        connection.sendall(take(connection, up))
        connection.sendall(give(connection, down))


def give(connection: socket.socket, size: int) -> bytes:
    """Send so many bytes; return their SHA-256."""
    seen, left = hashlib.sha256(), size
    while left:
        piece = BLOCK[: min(left, len(BLOCK))]
        connection.sendall(piece)
        seen.update(piece)
        left -= len(piece)
    return seen.digest()


def take(connection: socket.socket, size: int) -> bytes:
    """Receive so many bytes; return their SHA-256. OSError when fewer come."""
    seen, left = hashlib.sha256(), size
    while left:
        piece = connection.recv(min(left, 256 * 1024))
        if not piece:
            raise OSError(f"{left} of {size} bytes did not come")
        seen.update(piece)
        left -= len(piece)
    return seen.digest()


def digest_from(connection: socket.socket) -> bytes:
    """The other side's SHA-256."""
    return _exactly(connection, DIGEST)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise OSError("the other side closed the connection")
        data += piece
    return data


class Listener:
    """Every packet on one interface, from outside: a socket that sees them all."""

    def __init__(self, space: str, interface: str) -> None:
        with inside(space):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((interface, 0))
        self._socket.setblocking(False)

    def heard(self, pattern: bytes) -> tuple[int, int]:
        """How many packets passed since the begin, and how many of them hold the pattern. Ends the listening."""
        packets = with_pattern = 0
        with self._socket, contextlib.suppress(BlockingIOError):
            while data := self._socket.recv(65536):
                packets += 1
                with_pattern += pattern in data
        return packets, with_pattern
