"""How soon what was committed is on a page that somebody looks at, while 200 pages are open."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from approvals.models import Actor, User
from bench import usage
from upgrader import services
from upgrader.models import Rollout
from upgrader.states import R

CHANGES = 20
BROWSER = "/usr/bin/chromium"
SHOWN = "text => document.body.innerText.includes(text) ? Date.now() : 0"
PAINTED = "() => performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)[0] || 0"


@dataclass(frozen=True)
class Place:
    """Where one looks: the web process's port, a session, a rollout, and whose session it is."""

    port: int
    session: str
    rollout: Rollout
    user: User

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def measured(place: Place, *, pid: int, streams: int) -> dict[str, Any]:
    with streaming(place.port, place.session, count=streams, topic=f"rollout:{place.rollout.pk}"):
        held = usage.memory_mb([pid])
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
            context = chromium.new_context(viewport={"width": 1440, "height": 900})
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": place.session, "url": place.url}])
            page = context.new_page()
            paints = [painted(page, f"{place.url}{path}") for path in ("/", f"/rollouts/{place.rollout.pk}/")]
            delays = sorted(changed(page, place) for _ in range(CHANGES))
            chromium.close()
    return {
        "first_contentful_paint_ms": round(max(paints)),
        "commit_to_pixel_median_ms": round(statistics.median(delays)),
        "commit_to_pixel_p95_ms": round(delays[int(0.95 * len(delays))]),
        "streams": streams,
        "web_mb_with_streams": round(held, 1),
    }


def painted(page: Page, url: str) -> float:
    """Milliseconds until the first content of a page was painted."""
    page.goto(url)
    return float(page.wait_for_function(PAINTED).json_value())


def changed(page: Page, place: Place) -> float:
    """Milliseconds from a commit until the open page shows it."""
    say = f"Measured at {time.time():.3f}"
    with ThreadPoolExecutor(1) as hands:  # the browser's own loop runs in this thread, and Django asks for none
        committed = hands.submit(acted, place, say).result()
    shown = page.wait_for_function(SHOWN, arg=say, polling="raf", timeout=20_000).json_value()
    return float(shown) - committed


def acted(place: Place, say: str) -> float:
    """Hold the rollout, with this reason; epoch milliseconds of the commit."""
    # It goes on unseen: nobody approved it, and what is measured is one change a time.
    Rollout.objects.filter(pk=place.rollout.pk).update(state=R.UPGRADING)
    rollout = Rollout.objects.get(pk=place.rollout.pk)
    actor = Actor("person", place.user.username, place.user.pk)
    services.hold(rollout, actor=actor, seen_version=rollout.version, reason=say, now=timezone.now())
    committed = time.time() * 1000
    connection.close()
    return committed


@contextmanager
def streaming(port: int, session: str, *, count: int, topic: str) -> Iterator[None]:
    """So many open event streams, each read as it comes and begun anew when its time is over, while the block lasts."""
    streams = Streams(port, session, topic)
    thread = Thread(target=lambda: asyncio.run(streams.read(count)), daemon=True)
    thread.start()
    if not streams.ready.wait(60):
        raise RuntimeError(f"{count} streams could not be opened within a minute; {streams.heard} were. {streams.said}")
    try:
        yield
    finally:
        streams.over.set()
        thread.join(10)


@dataclass
class Streams:
    """Open pages without a browser: each hears one topic."""

    port: int
    session: str
    topic: str
    heard: int = 0  # streams that have said something
    said: str = ""  # why one was refused
    ready: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)

    async def read(self, count: int) -> None:
        tasks = [asyncio.ensure_future(self.listen(count)) for _ in range(count)]
        while not self.over.is_set() and not self.said:
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def listen(self, count: int) -> None:
        first = True
        head = f"GET /live/?topic={self.topic} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"{head}Cookie: {settings.SESSION_COOKIE_NAME}={self.session}\r\n\r\n".encode())
            status = (await reader.readuntil(b"\r\n\r\n")).splitlines()[0].decode()
            if " 200 " not in status:
                self.said = f"One was refused: {status}."
            while await reader.read(4096):
                self.heard += first
                first = False
                if self.heard == count:
                    self.ready.set()
            writer.close()
