"""Bundles for gateways that come with a ticket, as a raw ASGI route: Django under ASGI reads a whole file into memory.

The address holds the hash of what it answers with, so the answer never changes and any HTTP cache may keep it; the
bytes are no secret (docs/adr/0006-bundles-are-public-once-fetched.md).
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.utils import timezone

from approvals.errors import Refused
from fleet.errors import RetryLater
from releases import downloads
from releases.downloads import Told, Wanted, What
from upgrader import ranges
from upgrader.receiving import header
from upgrader.stream import Receive, Scope, Send, gone_away
from upgrader.turns import Turns

PATH = re.compile(r"/bundles/([0-9a-f]{64})")
PIECE_LEAST, PIECE_MOST = 16 * 1024, 256 * 1024  # bytes; a download's turn
ROOM = 200 * PIECE_LEAST
"""Bytes that the turns of all downloads may hold together. Each turn is a thread's work, so few take big ones."""
FOREVER = "public, max-age=31536000, immutable"

Headers = dict[str, str]


@dataclass
class Desk:
    """What the downloads of a process share."""

    turns: Turns
    told: Told = field(default_factory=Told)
    fetching: dict[str, asyncio.Lock] = field(default_factory=dict)
    pouring: int = 0  # downloads under way

    def piece(self) -> int:
        """Bytes of one turn now."""
        return max(PIECE_LEAST, min(PIECE_MOST, ROOM // max(1, self.pouring)))


def is_download(scope: Scope) -> bool:
    return PATH.fullmatch(scope["path"]) is not None


async def download(scope: Scope, receive: Receive, send: Send, *, desk: Desk) -> None:
    """Answer GET and HEAD of /bundles/SHA256."""
    found = PATH.fullmatch(scope["path"])
    if found is None or scope["method"] not in ("GET", "HEAD"):
        await refuse(send, 405, "Bundles are fetched with GET.", {"allow": "GET, HEAD"})
        return
    kind, _, ticket = header(scope, b"authorization").partition(" ")
    try:
        with desk.turns.arriving():
            bundle = await sync_to_async(wanted)(ticket.strip() if kind.lower() == "bearer" else "", found[1])
        path = await fetched(bundle, desk)
    except Refused as no:
        await refuse(send, 401, no.say, {"www-authenticate": "Bearer"})
    except RetryLater as later:
        await refuse(send, 503, later.say, {"retry-after": "10"})
    else:
        await answer(scope, receive, send, Sending(bundle, path, desk, ip=(scope.get("client") or ("",))[0]))


def wanted(ticket: str, sha256: str) -> Wanted:
    close_old_connections()
    try:
        return downloads.wanted(ticket, sha256=sha256, now=timezone.now())
    finally:
        close_old_connections()


async def fetched(bundle: Wanted, desk: Desk) -> Path:
    """The bundle's file; many who ask for one that lies elsewhere wait for one fetch."""
    async with desk.fetching.setdefault(bundle.sha256, asyncio.Lock()):
        path = await asyncio.to_thread(downloads.path_of, bundle)
    if not path.is_file() or path.stat().st_size != bundle.size:
        raise RetryLater(f"The bundle of {bundle.ticket.release.name} is not whole in the repository. Add it again.")
    return path


@dataclass
class Sending:
    """One answer under way."""

    bundle: Wanted
    path: Path
    desk: Desk
    ip: str
    start: int = 0
    sent: int = 0

    async def tell(self, what: What) -> None:
        await sync_to_async(self._tell)(what)

    def _tell(self, what: What) -> None:
        close_old_connections()
        try:
            now = timezone.now()
            self.desk.told(what, self.bundle, now=now, ip=self.ip, start=self.start, sent=self.sent)
        finally:
            close_old_connections()


async def answer(scope: Scope, receive: Receive, send: Send, sending: Sending) -> None:
    """The whole bundle, or the part that was asked for."""
    size, etag = sending.bundle.size, f'"{sending.bundle.sha256}"'
    told = {"etag": etag, "accept-ranges": "bytes", "cache-control": FOREVER, "x-content-type-options": "nosniff"}
    if etag in header(scope, b"if-none-match"):
        await begin(send, 304, told)
        await send({"type": "http.response.body", "body": b""})
        return
    unchanged = header(scope, b"if-range") in ("", etag)
    try:
        part = ranges.part(header(scope, b"range"), size) if unchanged else None
    except ranges.Unsatisfiable:
        await refuse(send, 416, f"The bundle has {size} bytes.", {"content-range": f"bytes */{size}"})
        return
    start, end = part or (0, size)
    told |= {"content-type": "application/zstd", "content-length": str(end - start)}
    if part:
        told["content-range"] = f"bytes {start}-{end - 1}/{size}"
    if scope["method"] == "HEAD":
        await begin(send, 206 if part else 200, told)
        await send({"type": "http.response.body", "body": b""})
        return
    sending.start = start
    with sending.desk.turns.arriving():
        await sending.tell("bundle.download_begun")
    await begin(send, 206 if part else 200, told)
    gone = asyncio.ensure_future(gone_away(receive))
    try:
        await pour(send, sending, end=end, gone=gone)
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
    if sending.start + sending.sent == size:
        await sending.tell("bundle.downloaded")


async def pour(send: Send, sending: Sending, *, end: int, gone: asyncio.Future[None]) -> None:
    """Send the bytes in turns with the other downloads; stop when the gateway hung up."""
    handle = await asyncio.to_thread(os.open, sending.path, os.O_RDONLY | os.O_CLOEXEC)
    sending.desk.pouring += 1
    try:
        at = sending.start
        while at < end and not gone.done():
            size = min(sending.desk.piece(), end - at)
            await sending.desk.turns.take(size)
            # Threads take their work in the order in which it came: nobody is passed by.
            piece = await asyncio.to_thread(os.pread, handle, size, at)
            if not piece:
                raise OSError(f"{sending.path} became shorter while it was sent")
            at += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": at < end})
            sending.sent = at - sending.start
    finally:
        sending.desk.pouring -= 1
        os.close(handle)


async def begin(send: Send, status: int, headers: Headers) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def refuse(send: Send, status: int, say: str, headers: Headers) -> None:
    """One sentence, which nobody keeps."""
    body = f"{say}\n".encode()
    length = {"content-length": str(len(body)), "content-type": "text/plain; charset=utf-8"}
    await begin(send, status, {**headers, **length, "cache-control": "no-store"})
    await send({"type": "http.response.body", "body": body})
