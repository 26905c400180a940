"""Tell open pages that something changed. A message carries a topic, never data: the page asks for that itself."""

from __future__ import annotations

import logging
from functools import lru_cache, partial

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

CHANNEL = "handover"
_SECONDS = 0.25  # a page that refreshes late is better than a worker that waits

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


def _send(topic: str) -> None:
    try:
        _broker().publish(CHANNEL, topic)
    except (redis.RedisError, OSError) as error:
        # The pages poll as well; what is lost here arrives with the next poll.
        log.info("no live message for %s: %s", topic, error)
