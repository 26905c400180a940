"""A browser's requests to the ASGI application, in this thread, so that a test's transaction is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.test import Client

from upgrader.receiving import is_upload, upload

BOUNDARY = b"----handover"
Files = Iterable[tuple[str, bytes]]


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


class _Here(ASGIHandler):
    """Django's own, but its views run in the caller's thread."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.handle(scope, receive, send)


_PAGES = _Here()


def form(files: Files, *, whole: bool = True, **fields: str) -> bytes:
    """The body that a browser makes of a form, or the first part of it."""
    parts = [
        b'Content-Disposition: form-data; name="%b"\r\n\r\n%b' % (n.encode(), v.encode()) for n, v in fields.items()
    ]
    kind = b"Content-Type: application/octet-stream"
    for name, data in files:
        said = b'Content-Disposition: form-data; name="files"; filename="%b"' % name.encode()
        parts.append(b"%b\r\n%b\r\n\r\n%b" % (said, kind, data))
    body = b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY, part) for part in parts)
    return body + b"--%b--\r\n" % BOUNDARY if whole else body[:-4]


def token(client: Client) -> str:
    """The browser's CSRF token."""
    client.get("/")
    return str(client.cookies["csrf"].value) if "csrf" in client.cookies else ""


def post(
    client: Client, path: str, body: bytes, *, cut: bool = False, headers: Mapping[str, str] = MappingProxyType({})
) -> Answer:
    """Send a form in small pieces; `cut` breaks the connection where the body ends."""
    answer = Answer()
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    sent = {
        "host": "127.0.0.1",
        "cookie": cookies,
        "content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}",
        "content-length": str(len(body)),
        **headers,
    }
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "query_string": b""}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in sent.items()], "client": ("127.0.0.1", 9)}
    came = _pieces(body, cut=cut)

    async def receive() -> dict[str, Any]:
        # A browser that has sent all waits for the answer.
        return next(came, {}) or await asyncio.Future()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        answer.content += message.get("body", b"")

    assert is_upload(scope)
    async_to_sync(upload)(scope, receive, send, pages=_PAGES)
    return answer


def _pieces(body: bytes, *, cut: bool) -> Iterator[dict[str, Any]]:
    size = 700
    for start in range(0, len(body), size):
        more = cut or start + size < len(body)
        yield {"type": "http.request", "body": body[start : start + size], "more_body": more}
    if cut:
        yield {"type": "http.disconnect"}
