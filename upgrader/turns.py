"""Shares the line among the downloads of this process: each sends a piece, then stands behind the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

ARRIVAL_PAUSE = 0.05  # seconds; bounded, so that a flood of bad tickets slows downloads and does not stop them


class Turns:
    """`rate` is in bytes a second, for all together; 0 leaves it to the line."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free_at = 0.0  # the loop's clock
        self._line = asyncio.Lock()  # wakes who waits in the order in which they came
        self._arriving = 0

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Somebody's ticket is being looked at: who sends already makes room, or of 200 that come at once the first
        would be done before the last has begun."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def take(self, size: int) -> None:
        """Return when `size` bytes may go out."""
        if self._arriving:
            await asyncio.sleep(ARRIVAL_PAUSE)
        if not self._rate:
            return
        async with self._line:
            loop = asyncio.get_running_loop()
            if (wait := self._free_at - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._free_at = max(loop.time(), self._free_at) + size / self._rate
