"""The event stream of a page, as a raw ASGI route: Django's own streams hold a thread each and block a stop.

It carries only *that* something changed; what changed the page fetches through Django, with all its checks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, cast
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import close_old_connections
from django.http import Http404, HttpRequest, parse_cookie

from approvals import sessions
from approvals.models import User
from upgrader import selectors
from upgrader.hub import BYE, RESYNC, Hub, Listener

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Message], Awaitable[None]]

LIFE_SECONDS = 60.0  # then the browser comes again and is checked again
HEARTBEAT_SECONDS = 5.0  # the page's badge shows how fresh it is
SETTLE_SECONDS = 0.25  # changes that come in a burst are told once
TOPICS_MOST = 8
OPEN = frozenset({"inbox", "gateways", "readings"})  # topics that say nothing to who may not see

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


async def stream(scope: Scope, receive: Receive, send: Send, *, hub: Hub) -> None:
    """Answer one GET of /live/?topic=…; 401 without a session, 403 for a topic that one may not see."""
    topics = parse_qs(scope["query_string"].decode("latin-1")).get("topic", [])[:TOPICS_MOST]
    cookies = dict(scope["headers"]).get(b"cookie", b"").decode("latin-1")
    status = await sync_to_async(check)(cookies, topics)
    if status != 200:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    end = sessions.topic(session_of(cookies))
    listener = Listener([*topics, end])
    hub.join(listener)
    talking = asyncio.ensure_future(talk(listener, send, end=end))
    gone = asyncio.ensure_future(gone_away(receive))
    try:
        await asyncio.wait({talking, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(listener)
        for task in (talking, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task


def check(cookies: str, topics: list[str]) -> int:
    """Return 200, 401 or 403 for who comes with these cookies and wants these topics."""
    close_old_connections()
    try:
        user = user_of(session_of(cookies))
        if user is None:
            return 401
        return 200 if topics and all(may_hear(user, topic) for topic in topics) else 403
    finally:
        close_old_connections()


def session_of(cookies: str) -> str:
    return parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")


def user_of(session_key: str) -> User | None:
    """The one who is signed in with this session; Django's own check of the session's hash included."""
    store = cast("type[SessionBase]", import_module(settings.SESSION_ENGINE).SessionStore)
    request = HttpRequest()
    request.session = store(session_key or None)
    user = get_user(request)
    return user if user.is_authenticated else None


def may_hear(user: User, topic: str) -> bool:
    kind, _, number = topic.partition(":")
    if kind != "rollout":
        return topic in OPEN
    try:
        selectors.rollout_for(user, int(number))
    except (Http404, ValueError):
        return False
    return True


async def talk(listener: Listener, send: Send, *, end: str = "") -> None:
    """Say what changes until the stream's life, or the session that has the topic `end`, is over. It begins with a
    resync: the page may be older than that."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LIFE_SECONDS
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await say(send, "retry: 1000\n\n" + event(RESYNC))
    while (left := until - loop.time()) > 0:
        news = await listener.news(min(HEARTBEAT_SECONDS, left))
        if BYE in news or end in news:
            break
        await say(send, "".join(dict.fromkeys(map(event, map(named, news)))) or event("alive"))
        if news:
            await asyncio.sleep(SETTLE_SECONDS)
    await send({"type": "http.response.body", "body": b""})


def named(topic: str) -> str:
    """The event that a topic becomes on the page."""
    return topic if topic in (RESYNC, "inbox", "readings") else "changed"


def event(name: str) -> str:
    return f"event: {name}\ndata: {name}\n\n"


async def say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def gone_away(receive: Receive) -> None:
    """Return when the browser left or the server stops."""
    while (await receive())["type"] != "http.disconnect":
        pass
