"""A web process of its own for a bench, and what its clients do to it over loopback."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from lab import web
from upgrader.serving import programs
from upgrader.serving.child import die_with

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PIECE = 256 * 1024


def free_port() -> int:
    with socket.socket() as link:
        link.bind((HOST, 0))
        return int(link.getsockname()[1])


@contextmanager
def served(argv: Sequence[str], port: int) -> Iterator[int]:
    """Run a server until the block ends; its process id."""
    here = os.getpid()
    process = subprocess.Popen(argv, cwd=ROOT, preexec_fn=lambda: die_with(here))
    try:
        end = time.monotonic() + 30
        while not programs.answers_http(HOST, port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{argv[2]} does not answer on port {port}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def site() -> Iterator[tuple[int, int]]:
    """The product's web process: its process id and port."""
    port = free_port()
    with served(web.command(HOST, port), port) as pid:
        yield pid, port


@contextmanager
def sink() -> Iterator[int]:
    """The same server with nothing behind it: its port."""
    port = free_port()
    argv = (sys.executable, "-m", "uvicorn", "bench.sink:application", "--port", str(port), "--log-level", "warning")
    with served(argv, port):
        yield port


def peak_mb(pid: int) -> float:
    """The most memory that a process ever had, in MB (10^6 bytes)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return round(int(found[1]) * 1024 / 1e6, 1)


def upload(port: int, path: str, files: Sequence[Path], headers: dict[str, str]) -> tuple[int, bytes, float]:
    """Send a form with these files; status, body and seconds until the answer was there."""
    line = "----bench"
    heads = [
        f'--{line}\r\nContent-Disposition: form-data; name="files"; filename="{file.name}"\r\n\r\n'.encode()
        for file in files
    ]
    tail = f"--{line}--\r\n".encode()
    length = sum(len(head) + file.stat().st_size + 2 for head, file in zip(heads, files, strict=True)) + len(tail)
    link = HTTPConnection(HOST, port, timeout=300)
    began = time.monotonic()
    link.putrequest("POST", path)
    kind = f"multipart/form-data; boundary={line}"
    for name, value in {**headers, "Content-Type": kind, "Content-Length": str(length)}.items():
        link.putheader(name, value)
    link.endheaders()
    for head, file in zip(heads, files, strict=True):
        link.send(head)
        with file.open("rb") as source:
            while piece := source.read(PIECE):
                link.send(piece)
        link.send(b"\r\n")
    link.send(tail)
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer.status, body, time.monotonic() - began


async def fetch(port: int, sha256: str, ticket: str) -> float | None:
    """Download a bundle; the seconds that it took, None when it failed."""
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
        asked = (
            f"GET /bundles/{sha256} HTTP/1.1",
            f"Host: {HOST}",
            f"Authorization: Bearer {ticket}",
            "Connection: close",
        )
        writer.write("\r\n".join((*asked, "", "")).encode())
        status = await reader.readuntil(b"\r\n\r\n")
        hashed = hashlib.sha256()
        while piece := await reader.read(PIECE):
            hashed.update(piece)
        writer.close()
        await writer.wait_closed()
    except (OSError, asyncio.IncompleteReadError):
        return None
    good = status.startswith(b"HTTP/1.1 200") and hashed.hexdigest() == sha256
    return time.monotonic() - began if good else None


def fetch_all(port: int, sha256: str, tickets: Sequence[str]) -> list[float | None]:
    """All at once, each with a ticket of its own."""

    async def together() -> list[float | None]:
        return list(await asyncio.gather(*(fetch(port, sha256, ticket) for ticket in tickets)))

    return asyncio.run(together())
