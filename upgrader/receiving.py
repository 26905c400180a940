"""Uploads of releases, ahead of Django: under ASGI it spools a whole request to a temporary file before it asks who
sends it. Here the sender is known first, and what he sends goes to the repository's disk once.

Django then gets the same request with the form's fields only, does all its checks (session, CSRF, right) again, and its
view finds the upload in the scope. An upload that ends early, or is not taken in, leaves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections
from django.http import parse_cookie
from django.utils import timezone

from approvals import rights, tokens
from approvals.models import User
from releases import manifest, repository
from releases.uploads import KEY, Upload
from upgrader.stream import Receive, Scope, Send, user_of
from upgrader.views.errors import too_large

PATHS = frozenset({"/releases/add/", "/api/releases/", "/api/v1/releases"})
MOST = manifest.BUNDLE_MOST + 1024 * 1024  # bytes of a whole request
TOO_LARGE = f"The upload is larger than the {MOST} bytes that are taken."
PIECE = 1024 * 1024  # a thread's work at a time
FORM_MOST = 8 * 1024 * 1024  # bytes of every other request: a list of gateways, a company's revoked certificates

Pages = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gone(Exception):
    """The sender hung up."""


def is_upload(scope: Scope) -> bool:
    """Whether this request brings a release."""
    kind = header(scope, b"content-type")
    return scope["path"] in PATHS and scope["method"] == "POST" and kind.lower().startswith("multipart/form-data")


async def upload(scope: Scope, receive: Receive, send: Send, *, pages: Pages) -> None:
    """Receive a release and let `pages` answer; who may add none is answered before he has sent anything."""
    address = str((scope.get("client") or ("",))[0])
    if not await sync_to_async(may_add)(header(scope, b"cookie"), header(scope, b"authorization"), address):
        await pages(bare(scope, b""), replay(b"", receive), send)
        return
    with suppress(Gone), repository.partial() as folder:
        form = Upload(folder, header(scope, b"content-type"))
        try:
            await take(scope, receive, form)
        finally:
            form.close()
        body = urlencode(form.fields).encode()
        await pages({**bare(scope, body), KEY: form}, replay(body, receive), send)


def may_add(cookies: str, authorization: str, address: str) -> bool:
    """Whether who comes with these cookies, or with this token, may add releases. Django asks all of it again."""
    close_old_connections()
    try:
        if authorization:
            user = of_token(authorization.partition(" ")[2].strip(), address)
        else:
            user = user_of(parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, ""))
        return user is not None and rights.everywhere(user, "releases.add_release")
    finally:
        close_old_connections()


def of_token(text: str, address: str) -> User | None:
    """The owner of a token that may bring releases; None for every other."""
    try:
        token = tokens.find(text, address=address, now=timezone.now())
    except tokens.WrongToken:
        return None
    return token.owner if tokens.OPERATE in token.scopes and not token.places else None


async def bounded(scope: Scope, receive: Receive, send: Send, *, pages: Pages) -> None:
    """Let `pages` answer a request that is no upload. Django would write any length of it to the disk, from anybody,
    before it looks at the address."""
    if length(scope) > FORM_MOST:
        by_person = "text/html" in header(scope, b"accept")
        body = (too_large() if by_person else f"A request has at most {FORM_MOST} bytes here.\n").encode()
        kind = b"text/html; charset=utf-8" if by_person else b"text/plain; charset=utf-8"
        told = [(b"content-length", str(len(body)).encode()), (b"content-type", kind)]
        await send({"type": "http.response.start", "status": 413, "headers": [*told, (b"connection", b"close")]})
        await send({"type": "http.response.body", "body": body})
        return
    came = 0

    async def received() -> dict[str, Any]:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        # Without a length there is no other way to end it than as if the sender had left.
        return message if came <= FORM_MOST else {"type": "http.disconnect"}

    await pages(scope, received, send)


async def take(scope: Scope, receive: Receive, form: Upload) -> None:
    """Read the request to its end, writing each piece in a thread while the next comes in; Gone if it has no end."""
    told = length(scope)
    writing: asyncio.Future[None] | None = None
    came, more = 0, True
    try:
        # Of a request that is too large the beginning is read all the same: the form's CSRF token stands there.
        while more and (not came or max(came, told) <= MOST):
            piece, more = await gather(receive)
            came += len(piece)
            if writing:
                await writing
            writing = asyncio.ensure_future(asyncio.to_thread(form.feed, piece))
    finally:
        if writing:
            await writing
    if more:
        form.refuse(TOO_LARGE)
    form.end()


async def gather(receive: Receive) -> tuple[bytes, bool]:
    """The next megabyte or so of the request, and whether more comes after it."""
    held, size, more = [], 0, True
    while more and size < PIECE:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        held.append(message.get("body", b""))
        size += len(held[-1])
        more = bool(message.get("more_body", False))
    return b"".join(held), more


def bare(scope: Scope, body: bytes) -> Scope:
    """The same request with another body."""
    told = {b"content-type": b"application/x-www-form-urlencoded", b"content-length": str(len(body)).encode()}
    kept = [(name, value) for name, value in scope["headers"] if name not in (*told, b"transfer-encoding")]
    return {**scope, "headers": [*kept, *told.items()]}


def replay(body: bytes, receive: Receive) -> Receive:
    """What Django receives: the body at once, then nothing until the browser leaves."""
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> dict[str, Any]:
        if first:
            return first.pop()
        while (message := await receive())["type"] != "http.disconnect":
            pass  # of a body that nobody wants
        return message

    return received


def length(scope: Scope) -> int:
    """What the request says of its own length; 0 when it says nothing."""
    said = header(scope, b"content-length")
    return int(said) if said.isdecimal() and len(said) < 20 else 0


def header(scope: Scope, name: bytes) -> str:
    return str(dict(scope["headers"]).get(name, b"").decode("latin-1"))
