"""A request that is no upload has a length; more of it never reaches the disk, whoever sends it."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync

from upgrader import receiving

HEADERS = [(b"content-type", b"application/x-www-form-urlencoded")]


class Server:
    """Sends a request in pieces of a megabyte and keeps what is answered."""

    def __init__(self, megabytes: int, *, told: bool) -> None:
        self.left, self.sent, self.read, self.ended = megabytes, list[Any](), 0, ""
        length = [(b"content-length", str(megabytes * 1024**2).encode())] if told else []
        self.scope = {"type": "http", "path": "/sign-in/", "method": "POST", "headers": [*HEADERS, *length]}

    async def receive(self) -> dict[str, Any]:
        self.left -= 1
        return {"type": "http.request", "body": bytes(1024**2), "more_body": self.left > 0}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def pages(self, scope: Any, receive: Any, send: Any) -> None:
        """As Django reads a body: to its end, or until the sender left."""
        more = True
        while more:
            message = await receive()
            self.ended, more = message["type"], message.get("more_body", False)
            self.read += len(message.get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def ask(self) -> int:
        async_to_sync(receiving.bounded)(self.scope, self.receive, self.send, pages=self.pages)
        return int(self.sent[0]["status"])


def test_a_length_that_is_told_is_refused_before_anything_is_read() -> None:
    server = Server(100, told=True)
    assert (server.ask(), server.read, server.left) == (413, 0, 100)


def test_a_length_that_is_not_told_ends_where_it_is_too_long() -> None:
    server = Server(100, told=False)
    server.ask()
    assert (server.ended, server.read, server.left) == ("http.disconnect", receiving.FORM_MOST, 91)


@pytest.mark.parametrize("told", [True, False])
def test_an_ordinary_form_comes_in_whole(told: bool) -> None:
    server = Server(8, told=told)
    assert (server.ask(), server.read) == (200, receiving.FORM_MOST)
