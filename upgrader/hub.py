"""One listener on the broker for all open pages of a process: a stream costs no thread and no connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from upgrader.live import CHANNEL

RESYNC = "resync"  # something may have been missed: ask for everything again
BYE = "bye"  # the server stops: end the stream, the browser comes again
RETRY_SECONDS = (0.5, 1, 2, 5)

log = logging.getLogger(__name__)


class Listener:
    """What one page has not been told yet. Topics, not messages: ten changes of one thing are one piece of news."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self._news: set[str] = set()
        self._woken = asyncio.Event()

    def tell(self, topic: str) -> None:
        self._news.add(topic)
        self._woken.set()

    async def news(self, seconds: float) -> list[str]:
        """Return what came, waiting for the first piece up to `seconds`; empty when nothing came."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()
        news, self._news = sorted(self._news), set()
        return news


class Hub:
    """Hears the broker's channel once and passes topics on."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listeners: set[Listener] = set()
        self._hearing: asyncio.Task[None] | None = None

    def join(self, listener: Listener) -> None:
        self._listeners.add(listener)
        if self._hearing is None or self._hearing.done():
            self._hearing = asyncio.get_running_loop().create_task(self._hear_on())

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def say_bye(self) -> None:
        """End all open streams: a server that stops would wait for them."""
        self._pass_on(BYE)

    async def stop(self) -> None:
        """Stop hearing; open streams end by themselves."""
        if self._hearing is not None:
            self._hearing.cancel()
            with suppress(asyncio.CancelledError):
                await self._hearing
        self._hearing = None

    async def _hear_on(self) -> None:
        """Hear for ever. After a break everybody asks for everything again, because pub/sub keeps nothing."""
        failures = 0
        while True:
            try:
                await self._hear(lost=failures > 0)
                failures = 0
            except (RedisError, OSError) as error:
                wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                log.info("no live messages (%s); next try in %s s", error, wait)
                failures += 1
                await asyncio.sleep(wait)

    async def _hear(self, *, lost: bool) -> None:
        client = redis.asyncio.Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), health_check_interval=20)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(CHANNEL)
                if lost:
                    self._pass_on(RESYNC)
                while True:
                    message = await channel.get_message(timeout=10)
                    if message is not None:
                        self._pass_on(bytes(message["data"]).decode(errors="replace"))
        finally:
            await client.aclose()

    def _pass_on(self, topic: str) -> None:
        for listener in self._listeners:
            if topic in (RESYNC, BYE) or topic in listener.topics:
                listener.tell(topic)


hub = Hub(settings.REDIS_URL)
