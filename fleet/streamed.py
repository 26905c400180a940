"""A page that says how far its work is while it is done: the head at once, a line for each step, then the rest.

Plain HTML that arrives in pieces: it needs no script, no row, and nothing of what the request brought outlives it.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import escape

from approvals.errors import Refused
from fleet.phrases import sentence

log = logging.getLogger(__name__)
MARK = "<!--lines-->"
Say = Callable[[str], None]
Work = Callable[[Say], Mapping[str, Any]]
"""Gets a function that shows a line; returns what the page's end shows. Refused is shown too."""


@dataclass(frozen=True)
class Rest:
    """What comes after the lines."""

    html: str


def page(request: HttpRequest, template: str, context: Mapping[str, Any], work: Work) -> StreamingHttpResponse:
    """Render `template` around its MARK; `work` runs in a thread that goes on where the reader leaves."""
    head = render_to_string(template, {**context, "running": True}, request).partition(MARK)[0]
    pieces: queue.SimpleQueue[str | Rest] = queue.SimpleQueue()

    def run() -> None:
        more: Mapping[str, Any]
        try:
            more = work(pieces.put)
        except Refused as refusal:
            more = {"refusal": refusal.say}
        except Exception as bug:
            # Only its type: the text of an exception may hold what the request brought.
            log.error("a streamed page failed: %s", type(bug).__name__)
            more = {"refusal": f"A fault of ours: {type(bug).__name__}. The log has the time."}
        finally:
            connection.close()
        pieces.put(Rest(render_to_string(template, {**context, **more, "running": False}, request).partition(MARK)[2]))
        connection.close()

    threading.Thread(target=run, name="streamed page", daemon=True).start()
    answer = StreamingHttpResponse(_arriving(head, pieces))
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would keep the lines until the end
    return answer


async def _arriving(head: str, pieces: queue.SimpleQueue[str | Rest]) -> AsyncIterator[str]:
    yield head
    while True:
        piece = await asyncio.to_thread(pieces.get)
        if isinstance(piece, Rest):
            yield piece.html
            return
        yield f"<li>{escape(sentence(piece))}</li>\n"
