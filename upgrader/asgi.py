"""Everything that uvicorn serves: Django, and beside it what streams."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import warnings
from types import FrameType

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")
# WhiteNoise reads files by pieces in a thread; Django says so at each file, and there is nothing to do about it.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
pages = get_asgi_application()

# Needs Django to be set up.
from approvals import trail  # noqa: E402
from upgrader import logs  # noqa: E402
from upgrader.download import Desk, download, is_download  # noqa: E402
from upgrader.hub import hub  # noqa: E402
from upgrader.receiving import bounded, is_upload, upload  # noqa: E402
from upgrader.stream import Message, Receive, Scope, Send, stream  # noqa: E402
from upgrader.turns import Turns  # noqa: E402

desk = Desk(Turns(settings.DOWNLOAD_RATE))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "http":
        with trail.about(request=trail.new_id()):
            await answer(scope, receive, numbered(send))
    elif scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await pages(scope, receive, send)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """One request: what streams does not go through Django."""
    if scope["path"] == "/live/" and scope["method"] == "GET":
        await stream(scope, receive, send, hub=hub)
    elif is_download(scope):
        await download(scope, receive, send, desk=desk)
    elif is_upload(scope):
        await upload(scope, receive, send, pages=pages)
    else:
        await bounded(scope, receive, send, pages=pages)


def numbered(send: Send) -> Send:
    """What does not come from Django says its request's id, too."""
    name, value = trail.HEADER.lower().encode(), str(trail.told()["request"]).encode()

    async def say(message: Message) -> None:
        if message["type"] == "http.response.start" and name not in {key.lower() for key, _ in message["headers"]}:
            message = {**message, "headers": [*message["headers"], (name, value)]}
        await send(message)

    return say


def leave_early() -> None:
    """End the streams as soon as the server is told to stop: uvicorn tells them nothing and waits for them."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.say_bye)
        if callable(before):
            before(number, frame)

    # Python lets the main thread alone set handlers; a server in another thread stops in its own way.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)


async def lifespan(receive: Receive, send: Send) -> None:
    """Start with nothing; stop hearing the broker when the server stops."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            logs.take_over("uvicorn", "uvicorn.error", "uvicorn.access")
            leave_early()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hub.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
