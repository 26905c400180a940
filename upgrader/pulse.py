"""Who works: the clock and the workers leave the time in the broker, and whoever is asked reads it there.

A worker leaves it at the end of a tick, so that says: the clock spoke, the broker carried it, a worker took it and the
database answered. Needs no Django: the clock is a small process.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

PARTS = ("clock", "worker")
SILENT = 20.0  # seconds; a tick comes each second, and a machine may be busy
KEPT = 24 * 3600  # seconds that the time of one who ended is known
PATIENCE = 0.5


@lru_cache(maxsize=2)
def broker(url: str) -> redis.Redis:
    """The broker of this installation, for one short question: who asks must not wait."""
    patience = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience)


def beat(url: str, part: str) -> None:
    """Leave the time for one of PARTS. A broker that is gone is somebody else's to report."""
    with suppress(RedisError, OSError):
        broker(url).set(f"handover:pulse:{part}", time.time(), ex=KEPT)


def heard(url: str) -> dict[str, float]:
    """When each part was heard last, epoch seconds; without those that never were. Raise RedisError or OSError."""
    found = broker(url).mget([f"handover:pulse:{part}" for part in PARTS])
    return {part: float(at) for part, at in zip(PARTS, found, strict=True) if at is not None}


def troubles(url: str, now: float) -> list[str]:
    """Sentences about what does not work; none when all does."""
    try:
        last = heard(url)
    except (RedisError, OSError):
        return ["The broker does not answer: start it, or look at REDIS_URL."]
    late = {part: now - last[part] if part in last else None for part in PARTS}
    if late["clock"] is None or late["clock"] > SILENT:
        return [f"The clock was not heard {since(late['clock'])}: nothing begins or is decided by itself. Start it."]
    if late["worker"] is None or late["worker"] > SILENT:
        return [f"No worker has finished a tick {since(late['worker'])}: no step is run. Start one, or read its log."]
    return []


def since(seconds: float | None) -> str:
    return f"for {seconds:.0f} s" if seconds is not None else "yet"
