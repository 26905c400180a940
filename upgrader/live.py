"""Tell open pages that something changed. A message carries a topic, never data: the page asks for that itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache, partial

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

CHANNEL = "handover"
_SECONDS = 0.25  # a page that refreshes late is better than a worker that waits
QUIET = 0.1  # seconds between two messages on one topic: a worker moves a rollout a hundred times a second

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _broker() -> redis.Redis:
    # redis-py's own retries would block for 4 s while the broker is down.
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def publish(topic: str) -> None:
    """Say on commit that `topic` ("rollout:12", "inbox", "gateways") changed. Never raises; blocks at most 0.3 s.

    Each topic goes out once a transaction, however often it is asked for.
    """
    connection = transaction.get_connection()
    asked = {
        getattr(callback, "args", ("",))[0]
        for _, callback, _ in connection.run_on_commit
        if getattr(callback, "func", None) is _send
    }
    if topic not in asked:
        transaction.on_commit(partial(_send, topic), robust=True)


class Pace:
    """Lets a topic through at once when nobody spoke of it lately; else once, QUIET after the last time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, float] = {}  # monotonic
        self._waiting: set[str] = set()
        self._lock = threading.Lock()

    def send(self, topic: str) -> None:
        with self._lock:
            if topic in self._waiting:
                return
            now = time.monotonic()
            wait = self._said.get(topic, 0.0) + QUIET - now
            if wait > 0:
                self._waiting.add(topic)
                # No daemon: a command that ends has said what it did.
                threading.Timer(wait, self._late, [topic]).start()
                return
            self._said = {other: at for other, at in self._said.items() if now - at < QUIET} | {topic: now}
        self._say(topic)

    def _late(self, topic: str) -> None:
        with self._lock:
            self._waiting.discard(topic)
            self._said[topic] = time.monotonic()
        self._say(topic)


def _publish(topic: str) -> None:
    try:
        _broker().publish(CHANNEL, topic)
    except (redis.RedisError, OSError) as error:
        # The pages poll as well; what is lost here arrives with the next poll.
        log.info("no live message for %s: %s", topic, error)


_PACE = Pace(_publish)


def _send(topic: str) -> None:
    _PACE.send(topic)
