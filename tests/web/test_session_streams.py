"""Event streams of a session end with it, and others go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.conf import settings

from approvals import sessions
from upgrader import live
from upgrader.hub import Hub
from upgrader.stream import stream

HUB = "unix:///nonexistent/valkey.sock"


async def streamed(hub: Hub, key: str, sent: list[dict[str, Any]]) -> None:
    """One page's stream, whose browser never leaves by itself."""

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(dict(message))

    cookie = f"{settings.SESSION_COOKIE_NAME}={key}".encode()
    await stream({"query_string": b"topic=inbox", "headers": [(b"cookie", cookie)]}, receive, send, hub=hub)


def test_streams_end_with_their_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upgrader.stream.check", lambda *_: 200)
    sent: list[dict[str, Any]] = []

    async def talk() -> bool:
        hub = Hub(HUB)
        ended, other = (asyncio.ensure_future(streamed(hub, key, sent)) for key in ("ended", "other"))
        while len(hub._listeners) < 2:
            await asyncio.sleep(0)
        hub._pass_on(sessions.topic("ended"))
        await ended
        goes_on = not other.done()
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        await hub.stop()
        return goes_on

    assert asyncio.run(talk())
    assert sum(message.get("more_body") is None and "body" in message for message in sent) == 1


def test_whoever_ends_a_session_tells_the_streams() -> None:
    assert live.publish in sessions.ENDED
    assert "secret" not in sessions.topic("secret")
